"""The error bars and the p-value that every estimate comes with, from the pairs that its models never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._neighbours import Metric
from .heldout import HeldOut, Index, Points, as_folds
from .inference import permutation_test
from .subsampling import DRIFT, drift_check, subsampling_error

if TYPE_CHECKING:
    from .folds import FoldModel
    from .pairing import Draw

__all__ = ["MAX_PAIRS", "Uncertainty", "combined", "held_out_pairs", "interval", "pairing_error", "uncertainty"]

# Pairs per fold that the test and the error look at. On one core they take 1.5 s for 2,000 samples of 200 features, whose
# training takes 2.1 s; with more pairs they would outgrow the training.
MAX_PAIRS = 700
# The normal quantile that leaves 5 % on either side.
Z = 1.6448536269514722


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Standard error, interval and p-value of an estimate; what they mean is told in ``LMIResult``."""

    se: float
    se_parts: dict[str, float]
    ci: tuple[float, float]
    p: float
    null: NDArray[np.float64]
    missing: dict[str, str]
    drift: pd.DataFrame
    settled: bool


def held_out_pairs(
    models: Sequence["FoldModel"], pairs: "Draw", fold: Index, groups: Index, strata: Index | None
) -> list[HeldOut]:
    """The first random pairing of each fold's held-out barcodes.

    Parameters
    ----------
    models
        One per fold; their reference pairs are these, in the order of the drawn pairs.
    pairs
        All drawn pairs.
    fold
        Which fold held each pair out.
    groups
        The group of each barcode.
    strata
        The stratum of each row of x, if there are any.
    """
    folds = []
    for number, model in enumerate(models):
        chosen = np.flatnonzero((fold == number) & (pairs.pairing == 0))
        stratum = None if strata is None else strata[pairs.row_x[chosen]]
        folds.append(
            HeldOut(model.reference_x, model.reference_y, groups=groups[pairs.barcode[chosen]], strata=stratum)
        )
    return folds


def uncertainty(
    folds: Sequence[HeldOut],
    mi: float,
    mi_by_pairing: NDArray[np.float64],
    *,
    k: int,
    metric: Metric,
    n_permutations: int,
    rng: np.random.Generator,
) -> Uncertainty:
    """Error and significance of an estimate, the encoders being fixed.

    Nothing raises: what too few pairs can't tell is NaN, and ``missing`` says why.

    Parameters
    ----------
    folds
        One random pairing of each fold's held-out barcodes; of more than 700 pairs, as many at random are used.
    mi
        The estimate in bits, over all pairings.
    mi_by_pairing
        The estimate of each random pairing.
    k, metric
        As the estimate was made with.
    n_permutations
        Permutations of the partners; 0 for no test.
    rng
        For the subsets and the permutations.
    """
    n_pairs = sum(len(fold) for fold in as_folds(folds))
    few = [_at_most(fold, MAX_PAIRS, rng) for fold in as_folds(folds)]
    missing: dict[str, str] = {}
    parts: dict[str, float] = {}
    drift, settled = pd.DataFrame(columns=list(DRIFT), dtype=np.float64), True
    try:
        error = subsampling_error(few, k, metric=metric, rng=rng)
        parts["sampling"] = float(np.sqrt(error.constant / n_pairs))
        # With a generator of its own: the table must not change the permutations.
        check = drift_check(few, k, se=error.se, metric=metric, rng=rng.spawn(1)[0])
        drift, settled = check.table, check.settled
    except ValueError as reason:
        parts["sampling"] = np.nan
        missing["se"] = str(reason)
    if len(mi_by_pairing) > 1:
        parts["pairing"] = pairing_error(mi_by_pairing)
    p, null = np.nan, np.empty(0)
    if n_permutations == 0:
        missing["p"] = "`n_permutations` is 0."
    else:
        try:
            test = permutation_test(few, k, metric=metric, n_permutations=n_permutations, rng=rng)
            p, null = test.p, test.null
        except ValueError as reason:
            missing["p"] = str(reason)
    se = combined(parts)
    return Uncertainty(
        se=se, se_parts=parts, ci=interval(mi, se), p=p, null=null, missing=missing, drift=drift, settled=settled
    )


def pairing_error(mi_by_pairing: NDArray[np.float64]) -> float:
    """Standard error of the mean over random pairings, in the units of the values."""
    return float(np.std(mi_by_pairing, ddof=1) / np.sqrt(len(mi_by_pairing)))


def combined(parts: dict[str, float]) -> float:
    """Errors from independent sources, added in squares."""
    return float(np.sqrt(sum(part**2 for part in parts.values())))


def interval(mi: float, se: float) -> tuple[float, float]:
    """Normal interval of 90 % around an estimate."""
    return mi - Z * se, mi + Z * se


def _at_most(points: Points, n: int, rng: np.random.Generator) -> HeldOut:
    if len(points) > n:
        points = points.take(np.sort(rng.permutation(len(points))[:n]))
    return HeldOut(points.x, points.y, groups=points.groups, strata=points.strata)
