"""What training anew would change: the error of an estimate from splits and seeds, and its null of models trained anew."""

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._progress import Tick, after

from ._sources import Matrix
from ._validation import check_counts
from .folds import FoldModel, check_enough, estimate, measure
from .inference import check_exchangeable, p_value, permutations_within
from .pairing import Draw, Index, Pairing
from .result import LMIResult
from .uncertainty import combined, interval

__all__ = ["Null", "check_retraining", "estimate_and_retrain", "n_trainings"]

Null = Literal["fixed", "retrain"]


def check_retraining(null: str, n_retrain: int, n_permutations: int) -> None:
    """Raise for a null that there isn't, or a number below 0."""
    if null not in get_args(Null):
        raise ValueError(f"null={null!r} is not known; choose one of {list(get_args(Null))}.")
    for name, number in (("n_retrain", n_retrain), ("n_permutations", n_permutations)):
        if number != 0:
            check_counts(**{name: number})


def n_trainings(null: Null, n_retrain: int, n_permutations: int) -> int:
    """How often all folds are trained at most."""
    return 1 + n_retrain + (null == "retrain" and n_permutations > 0) * (n_permutations + 1)


def estimate_and_retrain(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    *,
    n_pairings: int,
    n_permutations: int,
    null: Null,
    n_retrain: int,
    strata: Index | None,
    rng: np.random.Generator,
    progress: Tick,
    **options: Any,
) -> tuple[LMIResult, list[FoldModel]]:
    """The estimate, and what was asked of training anew.

    Parameters
    ----------
    x, y, pairing, n_pairings, n_permutations, strata, rng, progress, options
        See :func:`scmi.estimators.folds.estimate`.
    null
        ``"fixed"``: the p-value of :func:`~scmi.estimators.inference.permutation_test`. ``"retrain"``: that of
        estimates that are each trained anew, on permuted partners.
    n_retrain
        Estimates with other splits and seeds.
    """
    fixed = n_permutations if null == "fixed" else 0
    result, models = estimate(
        x,
        y,
        pairing,
        n_pairings=n_pairings,
        n_permutations=fixed,
        strata=strata,
        rng=rng,
        progress=progress,
        **options,
    )
    changes: dict[str, Any] = {
        "params": {**result.params, "n_permutations": n_permutations, "null": null, "n_retrain": n_retrain}
    }
    n_folds = options["settings"].n_folds
    if n_retrain:
        done = after(progress, n_folds)
        again = [
            _measured(x, y, pairing, result.pairs, child, after(done, n_folds * i), options)
            for i, child in enumerate(rng.spawn(n_retrain))
        ]
        parts = {**result.se_parts, "retraining": float(np.std([result.mi, *again], ddof=1))}
        se = combined(parts)
        changes |= {"se": se, "se_parts": parts, "ci": interval(result.mi, se)}
    if null == "retrain" and n_permutations:
        done = after(progress, n_folds * (1 + n_retrain))
        changes |= _retrained_test(x, y, pairing, result, n_pairings, n_permutations, strata, rng, done, options)
    return replace(result, **changes), models


def _measured(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    pairs: Draw,
    rng: np.random.Generator,
    progress: Tick,
    options: dict[str, Any],
) -> float:
    return measure(x, y, pairing, pairs, rngs=rng.spawn(4), progress=progress, **options).mi


def _retrained_test(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    result: LMIResult,
    n_pairings: int,
    n_permutations: int,
    strata: Index | None,
    rng: np.random.Generator,
    progress: Tick,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The fields ``p``, ``null`` and ``missing`` of a result."""
    choice_rng, observed_rng, shuffle_rng, null_rng = rng.spawn(4)
    missing = {name: why for name, why in result.missing.items() if name != "p"}
    tested = one_barcode_per_group(pairing, choice_rng)
    labels = np.zeros(len(tested), np.int64) if strata is None else barcode_strata(tested, strata)
    try:
        check_enough(tested, options["k"], options["settings"])
        check_exchangeable([labels])
    except ValueError as reason:
        return {"missing": {**missing, "p": str(reason)}}
    n_folds = options["settings"].n_folds
    observed = result.mi
    if len(tested) < len(pairing):
        pairs = tested.draw(observed_rng, n_pairings)
        observed = _measured(x, y, tested, pairs, observed_rng, progress, options)
    null = np.empty(n_permutations)
    permutations = permutations_within(labels, n_permutations, shuffle_rng)
    for i, (permutation, child) in enumerate(zip(permutations, null_rng.spawn(n_permutations), strict=True)):
        permuted = with_partners(tested, permutation.astype(np.int64))
        done = after(progress, n_folds * (i + 1))
        null[i] = _measured(x, y, permuted, permuted.draw(child, n_pairings), child, done, options)
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
