"""Do two variables tell equally much about a third? Two estimates of the same barcodes, and the error of their difference."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from scmi._progress import Tick, after

from .folds import FoldModel, estimate
from .heldout import HeldOut
from .pairing import Pairing
from .plan import Plan
from .result import LMIResult
from .subsampling import subsampling_error
from .uncertainty import MAX_PAIRS, combined, interval, pairing_error

__all__ = ["Arm", "Comparison", "compare"]

Index = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One of the estimates: the two matrices and which of their rows carry each barcode."""

    x: Any
    y: Any
    pairing: Pairing


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two estimates and their difference.

    Parameters
    ----------
    first, second
        The two estimates.
    difference
        ``second.mi - first.mi`` in bits.
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
    first: Arm, second: Arm, *, plan: Plan, paired: bool, rng: np.random.Generator, progress: Tick
) -> Comparison:
    """Estimate both with the same splits and the same budget, and the error of their difference.

    The plain estimates are compared: a bias correction may be applied to one and withheld from the other, which would
    look like a difference.

    Parameters
    ----------
    first, second
        The two estimates to make, of equally many barcodes.
    plan
        How both are made.
    paired
        Whether barcode i is the same in both, with the same groups. The error then comes from subsets of the same
        barcodes in both; otherwise the errors of both are added as independent.
    rng
        Both get the same stream of their own.
    progress
        Called with the number of trainings done, of all folds of both.
    """
    seed, error_seed = (int(number) for number in rng.integers(2**63, size=2))
    a, models_a = _run(first, plan, seed, progress)
    b, models_b = _run(second, plan, seed, after(progress, plan.settings.n_folds))
    difference = b.mi - a.mi
    if paired:
        parts, missing = _paired_parts(
            (a, models_a), (b, models_b), first.pairing.groups, plan, np.random.default_rng(error_seed)
        )
    else:
        parts, missing = {"first": a.se, "second": b.se}, a.missing.get("se", b.missing.get("se", ""))
    se = combined(parts)
    p = float(norm.sf(difference / se)) if se > 0 else np.nan
    return Comparison(
        first=a, second=b, difference=difference, se=se, ci=interval(difference, se), p=p, missing=missing
    )


def _run(arm: Arm, plan: Plan, seed: int, progress: Tick) -> tuple[LMIResult, list[FoldModel]]:
    return estimate(arm.x, arm.y, arm.pairing, plan, rng=np.random.default_rng(seed), progress=progress)


def _paired_parts(
    a: tuple[LMIResult, list[FoldModel]],
    b: tuple[LMIResult, list[FoldModel]],
    groups: Index,
    plan: Plan,
    rng: np.random.Generator,
) -> tuple[dict[str, float], str]:
    """Errors of the difference, by source; and why the sampling error can't be told."""
    parts = {}
    if a[0].params["n_pairings"] > 1:
        parts["pairing"] = pairing_error(b[0].mi_by_pairing - a[0].mi_by_pairing)
    folds_a, folds_b = _same_barcodes(a, b, groups, rng)
    try:
        error = subsampling_error(folds_b, plan.k, against=folds_a, metric=plan.settings.metric, rng=rng)
    except ValueError as reason:
        return {**parts, "sampling": np.nan}, str(reason)
    return {**parts, "sampling": float(np.sqrt(error.constant / b[0].n_pairs))}, ""


def _same_barcodes(
    a: tuple[LMIResult, list[FoldModel]],
    b: tuple[LMIResult, list[FoldModel]],
    groups: Index,
    rng: np.random.Generator,
) -> tuple[Sequence[HeldOut], Sequence[HeldOut]]:
    """The first pairing of each fold, row i of both being the same barcode; at most 700 of them."""
    folds_a: list[HeldOut] = []
    folds_b: list[HeldOut] = []
    for fold, (model_a, model_b) in enumerate(zip(a[1], b[1], strict=True)):
        barcodes_a, barcodes_b = (_held_out(result, fold) for result, _ in (a, b))
        barcodes, at_a, at_b = np.intersect1d(barcodes_a, barcodes_b, return_indices=True)
        kept = np.sort(rng.permutation(len(barcodes))[:MAX_PAIRS])
        label = groups[barcodes[kept]]
        for folds, model, at in ((folds_a, model_a, at_a[kept]), (folds_b, model_b, at_b[kept])):
            folds.append(HeldOut(model.reference_x[at], model.reference_y[at], groups=label))
    return folds_a, folds_b


def _held_out(result: LMIResult, fold: int) -> Index:
    """Barcodes of the reference pairs of a fold, in their order."""
    barcodes: Index = result.pairs.barcode[(result.fold == fold) & (result.pairs.pairing == 0)]
    return barcodes
