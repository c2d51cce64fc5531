"""All that can be chosen about an estimate, spelled once: what :class:`scmi.LMI` is made with, and tools pass on."""

import math
from dataclasses import dataclass
from typing import Literal

from scmi.estimators.inputs.checks import as_generator, check_choice, check_counts, check_jobs, check_number
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Rng

from .settings import Objective, Settings, resolve_settings

__all__ = ["Configuration", "Null"]

Null = Literal["fixed", "retrain"]


@dataclass(kw_only=True, eq=False, repr=False)
class Configuration:
    """The parameters of :class:`scmi.LMI`, which says what each means.

    Kept as they were given, as scikit-learn asks, and checked by :meth:`check` before anything is computed.
    """

    n_latent: int | None = None
    k: int = 3
    objective: Objective = "cross+infonce"
    lam: float = 1.0
    alpha: float = 1.0
    preset: str | Settings = "default"
    n_pairings: int = 20
    n_permutations: int = 999
    null: Null = "fixed"
    n_retrain: int = 0
    rng: Rng = 0
    device: str = "auto"
    n_jobs: int = -1
    progress: bool | None = None

    @property
    def settings(self) -> Settings:
        """Architecture and training."""
        return resolve_settings(self.preset)

    @property
    def ksg(self) -> KSG:
        """How neighbours are counted."""
        return KSG(self.k, self.settings.metric)

    @property
    def n_trainings(self) -> int:
        """How many models are trained at most, over folds, retraining and its null."""
        retrained = self.n_permutations + 1 if self.null == "retrain" and self.n_permutations else 0
        return self.settings.n_folds * (1 + self.n_retrain + retrained)

    def check(self) -> None:
        """Raise for what can't be.

        Raises
        ------
        TypeError
            If a count is not an integer or a weight not a number.
        ValueError
            If one is out of range, or a name is unknown.
        """
        _ = self.ksg
        check_counts(n_pairings=self.n_pairings, n_latent=1 if self.n_latent is None else self.n_latent)
        check_counts(least=0, n_permutations=self.n_permutations, n_retrain=self.n_retrain)
        check_choice("objective", self.objective, Objective)
        check_choice("null", self.null, Null)
        for name, weight in (("lam", self.lam), ("alpha", self.alpha)):
            check_number(name, weight)
            if not 0 <= weight < math.inf:
                raise ValueError(f"`{name}` is {weight}; give the weight of a loss, 0 or more.")
        as_generator(self.rng)
        check_jobs(self.n_jobs)
