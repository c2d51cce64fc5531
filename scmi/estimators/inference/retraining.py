"""What training anew would change: the error from splits and seeds, and the null of models trained anew."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from scmi._progress import Tick, after
from scmi.estimators.inputs.pairing import Draw, Pairing, check_enough
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Bits, Index

from .permutation import check_exchangeable, p_value, permutations_within

__all__ = ["Again", "retrained_null", "retraining_error"]

Again = Callable[[Pairing, Draw, np.random.Generator, Tick], float]
"""Splits, trains and estimates some pairs anew: the mean of their pMI in bits. Progress is in whole estimates."""


def retraining_error(
    again: Again, pairing: Pairing, pairs: Draw, mi_ksg: float, n_retrain: int, rng: np.random.Generator, progress: Tick
) -> float:
    """Standard deviation of the estimate over trainings of the same pairs with other splits and seeds, in bits."""
    values = [mi_ksg]
    for i, child in enumerate(rng.spawn(n_retrain)):
        values.append(again(pairing, pairs, child, after(progress, i)))
    return float(np.std(values, ddof=1))


def retrained_null(
    again: Again,
    pairing: Pairing,
    mi_ksg: float,
    *,
    ksg: KSG,
    n_permutations: int,
    n_pairings: int,
    strata: Index | None,
    rng: np.random.Generator,
    progress: Tick,
) -> tuple[float, Bits]:
    """p-value and null of estimates that are each trained anew, on permuted partners.

    One barcode of each group is tested, for the reasons given in
    :func:`~scmi.estimators.permutation_test`.

    Raises
    ------
    TooFew
        If too few barcodes are left, or no partners can be exchanged.
    """
    choice_rng, observed_rng, shuffle_rng, null_rng = rng.spawn(4)
    tested = one_barcode_per_group(pairing, choice_rng)
    labels = np.zeros(len(tested), np.int64) if strata is None else barcode_strata(tested, strata)
    check_enough(tested, ksg.k)
    check_exchangeable([labels])
    if len(tested) < len(pairing):
        mi_ksg = again(tested, tested.draw(observed_rng, n_pairings), observed_rng, progress)
    null = np.empty(n_permutations)
    permutations = permutations_within(labels, n_permutations, shuffle_rng)
    for i, (permutation, child) in enumerate(zip(permutations, null_rng.spawn(n_permutations), strict=True)):
        permuted = with_partners(tested, permutation.astype(np.int64))
        null[i] = again(permuted, permuted.draw(child, n_pairings), child, after(progress, i + 1))
    return p_value(mi_ksg, null), null


def one_barcode_per_group(pairing: Pairing, rng: np.random.Generator) -> Pairing:
    """One barcode of each group at random; these are independent of each other."""
    shuffled = rng.permutation(len(pairing))
    _, first = np.unique(pairing.groups[shuffled], return_index=True)
    chosen = np.sort(shuffled[first])
    return pairing.take(chosen, np.arange(len(chosen)))


def with_partners(pairing: Pairing, permutation: Index) -> Pairing:
    """Barcode i keeps its rows of x, all of them, and gets all rows of y of barcode ``permutation[i]``."""
    given = pairing.take(permutation, pairing.groups)
    return Pairing(pairing.indptr_x, pairing.rows_x, given.indptr_y, given.rows_y, pairing.groups, pairing.same)


def barcode_strata(pairing: Pairing, strata: Index) -> Index:
    """A label for each barcode: barcodes whose rows of x lie in the same strata share one."""
    rows = np.split(strata[pairing.rows_x], pairing.indptr_x[1:-1])
    codes, _ = pd.factorize(np.array([str(np.unique(labels).tolist()) for labels in rows]))
    return codes.astype(np.int64)
