"""The error bars and the p-value that every estimate comes with, from the pairs that its models never saw."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Bits

from .heldout import MAX_TESTED, HeldOut
from .permutation import permutation_test
from .shared import Shared, shared_folds
from .subsampling import DRIFT, drift_check, subsampling_error

__all__ = ["Uncertainty", "combined", "error_of_mean", "interval", "uncertainty"]

# The normal quantile that leaves 5 % on either side.
Z = 1.6448536269514722


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Standard error and p-value of an estimate; what they mean is told in :class:`scmi.LMIResult`."""

    se_parts: dict[str, float]
    p: float
    null: Bits
    kept: float
    missing: dict[str, str]
    drift: pd.DataFrame
    settled: bool


def uncertainty(
    folds: Sequence[HeldOut],
    mi_by_pairing: Bits,
    mi_by_split: Bits,
    *,
    ksg: KSG,
    n_permutations: int,
    rng: np.random.Generator,
) -> Uncertainty:
    """Error and significance of an estimate, the encoders being fixed.

    What too few pairs can't tell is NaN, and ``missing`` says why.

    Parameters
    ----------
    folds
        One random pairing of each fold's held-out barcodes; of more than 700 pairs, as many at random are used.
    mi_by_pairing, mi_by_split
        The estimate of each random pairing, and of each split.
    ksg
        As the estimate was made with.
    n_permutations
        Permutations of the partners; 0 for no test.
    rng
        For the subsets and the permutations.
    """
    together = shared_folds(folds)
    n_pairs = sum(map(len, together))
    few = [fold for shared in together for fold in _few(shared, rng).folds]
    missing: dict[str, str] = {}
    parts: dict[str, float] = {}
    drift, settled = pd.DataFrame(columns=list(DRIFT), dtype=np.float64), True
    try:
        error = subsampling_error(few, ksg.k, metric=ksg.metric, rng=rng)
        parts["sampling"] = float(np.sqrt(error.constant / n_pairs))
        # It partitions the groups anew, perhaps into a part too small: then there are no rows.
        with suppress(TooFew):
            # With a generator of its own: the table must not change the permutations.
            check = drift_check(few, ksg.k, se=error.se, metric=ksg.metric, rng=rng.spawn(1)[0])
            drift, settled = check.table, check.settled
    except TooFew as reason:
        parts["sampling"] = np.nan
        missing["se"] = str(reason)
    if len(mi_by_pairing) > 1:
        parts["pairing"] = error_of_mean(mi_by_pairing)
    if len(mi_by_split) > 1:
        parts["splits"] = error_of_mean(mi_by_split)
    p, null, kept = np.nan, np.empty(0), 0.0
    if n_permutations == 0:
        missing["p"] = "`n_permutations` is 0."
    else:
        try:
            test = permutation_test(few, ksg.k, metric=ksg.metric, n_permutations=n_permutations, rng=rng)
            p, null, kept = test.p, test.null, test.kept
        except TooFew as reason:
            missing["p"] = str(reason)
    return Uncertainty(se_parts=parts, p=p, null=null, kept=kept, missing=missing, drift=drift, settled=settled)


def _few(shared: Shared, rng: np.random.Generator) -> Shared:
    """No more pairs of a fold than tests look at, the same barcodes of all folds."""
    largest = max(map(len, shared.folds))
    if largest <= MAX_TESTED:
        return shared
    n = len(shared) * MAX_TESTED // largest
    return shared.take(np.sort(rng.permutation(len(shared))[:n]))


def error_of_mean(values: Bits) -> float:
    """Standard error of the mean over random pairings, or over splits, in the units of the values."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def combined(parts: dict[str, float]) -> float:
    """Errors from independent sources, added in squares."""
    return float(np.sqrt(sum(part**2 for part in parts.values())))


def interval(mi: float, se: float, *, saturated: bool = False) -> tuple[float, float]:
    """Normal interval of 90 % around an estimate, without an upper end where these pairs could show no more."""
    return mi - Z * se, math.inf if saturated else mi + Z * se
