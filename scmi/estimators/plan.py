"""What is asked of an estimate, checked before anything is computed."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ._validation import check_counts, check_number
from .settings import Objective, Settings, check_objective

__all__ = ["Null", "Plan"]

Null = Literal["fixed", "retrain"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All of an estimate but its data and its random numbers; :class:`scmi.LMI` says what each part means.

    With ``common_scale`` columns keep their relative size, as those of a representation do; otherwise each has unit variance.

    Raises
    ------
    TypeError
        If a count is no integer or a weight no number.
    ValueError
        If one is out of range, or the objective or null is unknown.
    """

    settings: Settings
    common_scale: bool = False
    n_latent: int | None = None
    k: int = 3
    objective: Objective = "cross+infonce"
    lam: float = 1.0
    alpha: float = 1.0
    n_pairings: int = 1
    n_permutations: int = 0
    null: Null = "fixed"
    n_retrain: int = 0
    device: str = "auto"
    n_jobs: int = -1

    def __post_init__(self) -> None:
        check_counts(n_pairings=self.n_pairings, k=self.k, n_latent=1 if self.n_latent is None else self.n_latent)
        if self.null not in get_args(Null):
            raise ValueError(f"null={self.null!r} is not known; choose one of {list(get_args(Null))}.")
        for name, number in (("n_retrain", self.n_retrain), ("n_permutations", self.n_permutations)):
            if number != 0:
                check_counts(**{name: number})
        check_objective(self.objective)
        for name, weight in (("lam", self.lam), ("alpha", self.alpha)):
            check_number(name, weight)
            if not 0 <= weight < math.inf:
                raise ValueError(f"`{name}` is {weight}; give the weight of a loss, 0 or more.")

    @property
    def n_trainings(self) -> int:
        """How many models are trained at most, over folds, retraining and its null."""
        retrained = self.n_permutations + 1 if self.null == "retrain" and self.n_permutations else 0
        return self.settings.n_folds * (1 + self.n_retrain + retrained)
