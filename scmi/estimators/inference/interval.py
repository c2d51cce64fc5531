"""The error bars and the p-value that every estimate comes with, from the pairs that its models never saw."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Bits

from .heldout import MAX_TESTED, HeldOut, some_rows
from .permutation import permutation_test
from .subsampling import DRIFT, drift_check, subsampling_error

__all__ = ["Uncertainty", "combined", "interval", "pairing_error", "uncertainty"]

# The normal quantile that leaves 5 % on either side.
Z = 1.6448536269514722


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Standard error and p-value of an estimate; what they mean is told in :class:`scmi.LMIResult`."""

    se_parts: dict[str, float]
    p: float
    null: Bits
    missing: dict[str, str]
    drift: pd.DataFrame
    settled: bool


def uncertainty(
    folds: Sequence[HeldOut], mi_by_pairing: Bits, *, ksg: KSG, n_permutations: int, rng: np.random.Generator
) -> Uncertainty:
    """Error and significance of an estimate, the encoders being fixed.

    What too few pairs can't tell is NaN, and ``missing`` says why.

    Parameters
    ----------
    folds
        One random pairing of each fold's held-out barcodes; of more than 700 pairs, as many at random are used.
    mi_by_pairing
        The estimate of each random pairing.
    ksg
        As the estimate was made with.
    n_permutations
        Permutations of the partners; 0 for no test.
    rng
        For the subsets and the permutations.
    """
    n_pairs = sum(map(len, folds))
    few = [fold if len(fold) <= MAX_TESTED else fold.take(some_rows(len(fold), rng)) for fold in folds]
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
        parts["pairing"] = pairing_error(mi_by_pairing)
    p, null = np.nan, np.empty(0)
    if n_permutations == 0:
        missing["p"] = "`n_permutations` is 0."
    else:
        try:
            test = permutation_test(few, ksg.k, metric=ksg.metric, n_permutations=n_permutations, rng=rng)
            p, null = test.p, test.null
        except TooFew as reason:
            missing["p"] = str(reason)
    return Uncertainty(se_parts=parts, p=p, null=null, missing=missing, drift=drift, settled=settled)


def pairing_error(mi_by_pairing: Bits) -> float:
    """Standard error of the mean over random pairings, in the units of the values."""
    return float(np.std(mi_by_pairing, ddof=1) / np.sqrt(len(mi_by_pairing)))


def combined(parts: dict[str, float]) -> float:
    """Errors from independent sources, added in squares."""
    return float(np.sqrt(sum(part**2 for part in parts.values())))


def interval(mi: float, se: float) -> tuple[float, float]:
    """Normal interval of 90 % around an estimate."""
    return mi - Z * se, mi + Z * se
