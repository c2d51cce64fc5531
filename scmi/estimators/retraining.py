"""What training anew would change: the error of an estimate from splits and seeds, and its null of models trained anew."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._progress import Tick, after

from ._sources import Matrix
from .folds import FoldModel, check_enough, estimate, measure
from .inference import check_exchangeable, p_value, permutations_within
from .pairing import Draw, Index, Pairing
from .plan import Plan
from .result import LMIResult
from .uncertainty import combined, interval

__all__ = ["estimate_and_retrain"]


def estimate_and_retrain(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    plan: Plan,
    *,
    strata: Index | None,
    rng: np.random.Generator,
    progress: Tick,
) -> tuple[LMIResult, list[FoldModel]]:
    """The estimate of :func:`scmi.estimators.folds.estimate`, and what the plan asks of training anew.

    With ``null="fixed"`` the p-value is that of :func:`~scmi.estimators.inference.permutation_test`; with ``"retrain"``
    that of estimates that are each trained anew, on permuted partners. ``n_retrain`` estimates have other splits and seeds.
    """
    fixed = plan if plan.null == "fixed" else replace(plan, n_permutations=0)
    result, models = estimate(x, y, pairing, fixed, strata=strata, rng=rng, progress=progress)
    asked = {name: getattr(plan, name) for name in ("n_permutations", "null", "n_retrain")}
    changes: dict[str, Any] = {"params": {**result.params, **asked}}
    n_folds = plan.settings.n_folds
    if plan.n_retrain:
        done = after(progress, n_folds)
        again = [
            _measured(x, y, pairing, result.pairs, plan, child, after(done, n_folds * i))
            for i, child in enumerate(rng.spawn(plan.n_retrain))
        ]
        parts = {**result.se_parts, "retraining": float(np.std([result.mi, *again], ddof=1))}
        se = combined(parts)
        changes |= {"se": se, "se_parts": parts, "ci": interval(result.mi, se)}
    if plan.null == "retrain" and plan.n_permutations:
        done = after(progress, n_folds * (1 + plan.n_retrain))
        changes |= _retrained_test(x, y, pairing, result, plan, strata, rng, done)
    return replace(result, **changes), models


def _measured(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    pairs: Draw,
    plan: Plan,
    rng: np.random.Generator,
    progress: Tick,
) -> float:
    return measure(x, y, pairing, pairs, plan, rngs=rng.spawn(4), progress=progress).mi


def _retrained_test(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    result: LMIResult,
    plan: Plan,
    strata: Index | None,
    rng: np.random.Generator,
    progress: Tick,
) -> dict[str, Any]:
    """The fields ``p``, ``null`` and ``missing`` of a result."""
    choice_rng, observed_rng, shuffle_rng, null_rng = rng.spawn(4)
    missing = {name: why for name, why in result.missing.items() if name != "p"}
    tested = one_barcode_per_group(pairing, choice_rng)
    labels = np.zeros(len(tested), np.int64) if strata is None else barcode_strata(tested, strata)
    try:
        check_enough(tested, plan.k)
        check_exchangeable([labels])
    except ValueError as reason:
        return {"missing": {**missing, "p": str(reason)}}
    n_folds = plan.settings.n_folds
    observed = result.mi
    if len(tested) < len(pairing):
        pairs = tested.draw(observed_rng, plan.n_pairings)
        observed = _measured(x, y, tested, pairs, plan, observed_rng, progress)
    null = np.empty(plan.n_permutations)
    permutations = permutations_within(labels, plan.n_permutations, shuffle_rng)
    for i, (permutation, child) in enumerate(zip(permutations, null_rng.spawn(plan.n_permutations), strict=True)):
        permuted = with_partners(tested, permutation.astype(np.int64))
        done = after(progress, n_folds * (i + 1))
        null[i] = _measured(x, y, permuted, permuted.draw(child, plan.n_pairings), plan, child, done)
    return {"p": p_value(observed, null), "null": null, "missing": missing}


def one_barcode_per_group(pairing: Pairing, rng: np.random.Generator) -> Pairing:
    """One barcode of each group at random; these are independent of each other."""
    shuffled = rng.permutation(len(pairing))
    _, first = np.unique(pairing.groups[shuffled], return_index=True)
    chosen = np.sort(shuffled[first])
    return pairing.take(chosen, np.arange(len(chosen)))


def with_partners(pairing: Pairing, permutation: Index) -> Pairing:
    """Barcode i keeps its rows of x, all of them, and gets all rows of y of barcode ``permutation[i]``."""
    given = pairing.take(permutation, pairing.groups)
    return Pairing(pairing.indptr_x, pairing.rows_x, given.indptr_y, given.rows_y, pairing.groups)


def barcode_strata(pairing: Pairing, strata: Index) -> NDArray[np.int64]:
    """A label for each barcode: barcodes whose rows of x lie in the same strata share one."""
    rows = np.split(strata[pairing.rows_x], pairing.indptr_x[1:-1])
    codes, _ = pd.factorize(np.array([str(np.unique(labels).tolist()) for labels in rows]))
    return codes.astype(np.int64)
