"""Do two variables tell equally much about a third? The difference of two estimates, and its error."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from scmi.estimators._fold import Fold
from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.result import LMIResult

from .heldout import HeldOut, some_rows
from .interval import combined, error_of_mean, interval
from .subsampling import subsampling_error

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two estimates and their difference.

    Parameters
    ----------
    first, second
        The two estimates.
    difference
        ``second.mi_ksg - first.mi_ksg`` in bits.
    se
        Its standard error in bits.
    ci
        Its 90 % interval, normal.
    p
        One-sided, normal: how probable a difference as large is if the second is at most the first.
    missing
        Why ``se`` and ``p`` are NaN; empty where they are not.
    """

    first: LMIResult = field(repr=False)
    second: LMIResult = field(repr=False)
    difference: float
    se: float
    ci: tuple[float, float]
    p: float
    missing: str


def compare(
    first: tuple[LMIResult, Sequence[Fold]],
    second: tuple[LMIResult, Sequence[Fold]],
    *,
    paired: bool,
    rng: np.random.Generator,
) -> Comparison:
    """The difference of two estimates that were made alike, and its error.

    The means of the pMI are compared: a bias correction may be applied to one and withheld from the other, which would
    look like a difference.

    Parameters
    ----------
    first, second
        Result and folds of each estimate, of equally many barcodes.
    paired
        Whether barcode i is the same in both, with the same groups. The error then comes from subsets of the same
        barcodes in both; otherwise the errors of both are added as independent.
    rng
        For the subsets.
    """
    (a, folds_a), (b, folds_b) = first, second
    difference = b.mi_ksg - a.mi_ksg
    if paired:
        parts, missing = _paired_parts((a, folds_a), (b, folds_b), rng)
    else:
        parts, missing = {"first": a.se, "second": b.se}, a.missing.get("se", b.missing.get("se", ""))
    se = combined(parts)
    p = float(norm.sf(difference / se)) if se > 0 else np.nan
    return Comparison(
        first=a, second=b, difference=difference, se=se, ci=interval(difference, se), p=p, missing=missing
    )


def _paired_parts(
    a: tuple[LMIResult, Sequence[Fold]], b: tuple[LMIResult, Sequence[Fold]], rng: np.random.Generator
) -> tuple[dict[str, float], str]:
    """Errors of the difference, by source; and why the sampling error can't be told."""
    parts = {}
    if a[0].params["n_pairings"] > 1:
        parts["pairing"] = error_of_mean(b[0].mi_by_pairing - a[0].mi_by_pairing)
    if len(a[0].mi_by_split) > 1:
        parts["splits"] = error_of_mean(b[0].mi_by_split - a[0].mi_by_split)
    ksg = a[1][0].ksg
    same = [_same_barcodes(one, other, rng) for one, other in zip(a[1], b[1], strict=True)]
    of_a, of_b = [pair[0] for pair in same], [pair[1] for pair in same]
    try:
        error = subsampling_error(of_b, ksg.k, against=of_a, metric=ksg.metric, rng=rng)
    except TooFew as reason:
        return {**parts, "sampling": np.nan}, str(reason)
    return {**parts, "sampling": float(np.sqrt(error.constant / b[0].n_pairs))}, ""


def _same_barcodes(a: Fold, b: Fold, rng: np.random.Generator) -> tuple[HeldOut, HeldOut]:
    """The held-out pairs of both, row i being the same barcode; no more than tests look at."""
    barcodes, at_a, at_b = np.intersect1d(a.pairs.barcode, b.pairs.barcode, return_indices=True)
    kept = some_rows(len(barcodes), rng)
    return a.held_out.take(at_a[kept]), b.held_out.take(at_b[kept])
