"""How the networks are built and trained: the default and the paper's own settings."""

from dataclasses import dataclass
from typing import Literal, get_args

from ._neighbours import Metric

__all__ = ["PRESETS", "Objective", "Settings", "check_objective", "resolve_settings"]

Objective = Literal["cross", "infonce", "mine", "smile", "cross+infonce"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Architecture and training of the latent model.

    Budgets count optimiser steps, except where ``in_epochs`` says that ``max_steps``, ``check_every`` and ``patience``
    are given in passes over the training pairs, as the paper gives them.

    Parameters
    ----------
    closed_form
        Whether two latent models in closed form compete with the networks: the axes of greatest covariance between x
        and y, and the smooth functions of both that are most correlated (kernel canonical correlation). Each fold uses
        what measures most on the validation part of its training half.
    n_components
        Principal components of each side, learned from all its cells, that the networks are given; None gives them all
        features, as the paper does. Data of up to 20 features are always given whole.
    metric
        Distance inside each latent space, in KSG.
    hidden
        Hidden layer sizes of the encoders; the decoders mirror them.
    dropout
        Whether the cross-decoders drop half of their hidden units while training.
    learning_rate
        Of Adam.
    batch_size
        Pairs per step.
    max_steps
        Budget of one training.
    check_every
        How often the validation loss is measured.
    patience
        Stop after this long without a better loss of the validation pairs.
    in_epochs
        The three above count epochs.
    cross_fit
        Estimate each half with the networks trained on the other (every pair gets a pMI), or only the second half.
    validation
        Share of the training half that is kept for early stopping.
    """

    closed_form: bool = True
    n_components: int | None = 10
    metric: Metric = "euclidean"
    hidden: tuple[int, ...] = (64, 64)
    dropout: bool = False
    learning_rate: float = 2e-3
    batch_size: int = 512
    max_steps: int = 1000
    check_every: int = 5
    patience: int = 100
    in_epochs: bool = False
    cross_fit: bool = True
    validation: float = 0.2

    @property
    def n_folds(self) -> int:
        """How many models are trained."""
        return 2 if self.cross_fit else 1

    def budget(self, steps_per_epoch: int) -> tuple[int, int, int]:
        """``max_steps``, ``check_every`` and ``patience`` in optimiser steps."""
        unit = steps_per_epoch if self.in_epochs else 1
        return self.max_steps * unit, self.check_every * unit, self.patience * unit


PRESETS = {
    "default": Settings(),
    # A.1.2 of Gowri et al. (2024).
    "paper": Settings(
        closed_form=False,
        n_components=None,
        dropout=True,
        metric="chebyshev",
        hidden=(1024, 512, 256),
        learning_rate=1e-4,
        max_steps=300,
        check_every=1,
        patience=30,
        in_epochs=True,
        cross_fit=False,
    ),
}


def resolve_settings(preset: str | Settings) -> Settings:
    """Settings by preset name; settings themselves pass through."""
    if isinstance(preset, Settings):
        return preset
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"preset={preset!r} is not known; choose one of {sorted(PRESETS)} or pass a Settings.")
    return PRESETS[preset]


def check_objective(objective: str) -> None:
    """Raise for an objective that there isn't."""
    if objective not in get_args(Objective):
        raise ValueError(f"objective={objective!r} is not known; choose one of {list(get_args(Objective))}.")
