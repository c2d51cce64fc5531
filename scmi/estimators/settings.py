"""How the networks are built and trained: the default and the paper's own settings."""

import math
from dataclasses import dataclass
from typing import Literal

from scmi._arguments import explaining_arguments
from scmi.estimators.inputs.checks import as_plain, check_choice, check_counts, check_number
from scmi.estimators.neighbours.windows import Metric

__all__ = ["PRESETS", "Objective", "Settings", "resolve_settings"]

Objective = Literal["cross", "infonce", "mine", "smile", "cross+infonce"]


@explaining_arguments()
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

    Raises
    ------
    TypeError
        If a count is not an integer, a number not a number, or a switch not a boolean.
    ValueError
        If one is out of range.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import scmi as sm
    >>> from scmi.estimators import PRESETS
    >>> longer = replace(PRESETS["default"], max_steps=5000)
    >>> sm.LMI(preset=longer).preset.max_steps
    5000
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

    def __post_init__(self) -> None:
        for name in ("closed_form", "dropout", "in_epochs", "cross_fit"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"`{name}` must be True or False, got {getattr(self, name)!r}.")
        counts = {name: getattr(self, name) for name in ("max_steps", "check_every", "patience")}
        if self.n_components is not None:
            counts["n_components"] = self.n_components
        check_counts(**counts)
        # A pair can only be contrasted with others.
        check_counts(least=2, batch_size=self.batch_size)
        hidden: object = self.hidden
        if not isinstance(hidden, tuple | list) or not hidden:
            raise TypeError(f"`hidden` must be a tuple of layer sizes such as (64, 64), got {self.hidden!r}.")
        for size in self.hidden:
            check_counts(hidden=size)
        check_choice("metric", self.metric, Metric)
        for name, below in (("learning_rate", math.inf), ("validation", 1.0)):
            value = getattr(self, name)
            check_number(name, value)
            if not 0 < value < below:
                raise ValueError(f"`{name}` must be above 0 and below {below:g}, got {value}.")
        # Python's own numbers: small ones of NumPy overflow.
        for name, value in vars(self).items():
            plain = as_plain(name, value)
            object.__setattr__(self, name, tuple(plain) if name == "hidden" else plain)

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
