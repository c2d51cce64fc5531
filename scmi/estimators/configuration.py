"""All that can be chosen about an estimate, spelled once: what :class:`scmi.LMI` is made with, and tools pass on."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scmi.estimators.inputs.checks import TooFew, as_generator, check_choice, check_counts, check_jobs, check_number
from scmi.estimators.inputs.pairing import N_BLOCKS, most_splits
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Index, Rng

from .settings import Objective, Settings, resolve_settings

__all__ = ["MANY_BARCODES", "Configuration", "Null"]

Null = Literal["fixed", "retrain"]

# Splits where barcodes are fewer than this: one by itself is a matter of chance there.
SPLITS = 5
MANY_BARCODES = 2000


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
    n_splits: int | None = None
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
        """How many models are trained in each split at most, over folds, retraining and its null."""
        retrained = self.n_permutations + 1 if self.null == "retrain" and self.n_permutations else 0
        return self.settings.n_folds * (1 + self.n_retrain + retrained)

    def splits_of(self, groups: Index) -> int:
        """How many splits the barcodes get: several where they are few, if they can be cut into even blocks."""
        n, most = len(groups), most_splits(groups)
        if self.n_splits is None:
            return SPLITS if self.settings.cross_fit and n < MANY_BARCODES and most > 1 else 1
        if self.n_splits > most:
            raise TooFew(
                f"n_splits={self.n_splits} needs pairs that can be cut into {N_BLOCKS} even blocks of whole groups; "
                f"these are {n} in {len(np.unique(groups))} groups. Use n_splits=1, or finer groups."
            )
        return self.n_splits

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
        n_splits = 1 if self.n_splits is None else self.n_splits
        check_counts(n_splits=n_splits)
        if n_splits > N_BLOCKS - 1:
            raise ValueError(f"`n_splits` must be at most {N_BLOCKS - 1}, got {n_splits}.")
        if n_splits > 1 and not self.settings.cross_fit:
            raise ValueError(
                "Several splits need a preset with `cross_fit=True`, or not every split tells of every pair."
            )
        check_counts(least=0, n_permutations=self.n_permutations, n_retrain=self.n_retrain)
        check_choice("objective", self.objective, Objective)
        check_choice("null", self.null, Null)
        for name, weight in (("lam", self.lam), ("alpha", self.alpha)):
            check_number(name, weight)
            if not 0 <= weight < math.inf:
                raise ValueError(f"`{name}` is {weight}; give the weight of a loss, 0 or more.")
        as_generator(self.rng)
        check_jobs(self.n_jobs)
