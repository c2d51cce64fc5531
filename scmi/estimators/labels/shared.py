"""How much the labels of cells tell of the labels of others with the same barcode: plug-in, less what chance gives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scmi._docs import with_shared_docs
from scmi.estimators.inputs.checks import as_generator, check_choice, check_counts
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.missing import means_missing
from scmi.estimators.inputs.pairing import Pairing
from scmi.typing import Index, MatrixLike, Rng

from .couples import Strata, shared_labels
from .joint import Weights
from .result import SharedLabelResult
from .targets import Targets, as_targets

__all__ = ["shared_label_information", "strata_of_barcodes"]


@with_shared_docs
def shared_label_information(
    labels_a: MatrixLike | ArrayLike,
    labels_b: MatrixLike | ArrayLike,
    barcodes_a: ArrayLike,
    barcodes_b: ArrayLike,
    *,
    weights: Weights = "barcodes",
    strata: ArrayLike | None = None,
    n_permutations: int = 999,
    rng: Rng = 0,
) -> SharedLabelResult:
    """How much the label of a cell tells of the labels of cells elsewhere with its barcode, in bits.

    Where is a clonotype's cluster in blood, and where in tumour? Cells of both sides that share a barcode are couples;
    the table of their labels has a mutual information. Of it is taken off what other partners give, and what is left
    is stretched so that labels which settle each other keep their whole entropy H: of a plug-in of I bits and E bits
    of permuted partners, H (I - E) / (H - E) remain.

    Parameters
    ----------
    labels_a, labels_b
        One for each cell of a side: text, categories, integers or booleans. NaN, None, -1 and texts such as "nan",
        "NA", "none" and "" are no labels, and these cells are left out. Or cells x labels, counts.
    barcodes_a, barcodes_b
        One for each cell of a side; missing as labels are.
    {weights}
    strata
        A label for each cell of the first side (its donor), the same for all cells of a barcode. The number is then
        what labels tell of each other within strata, and partners are permuted within them.
    n_permutations
        Of the partners within strata; 0 for no test.
    {rng}

    Returns
    -------
    The estimate, per cell and per label.

    Raises
    ------
    ValueError
        If lengths differ, or cells are named alike in another order; if a side has fewer than two labels in shared
        barcodes, or a barcode is in two strata.
    TooFew
        If fewer than 20 barcodes are shared, or labels are so many that other partners show nine tenths of their
        entropy.
    TypeError
        If labels are numbers that are not whole.

    References
    ----------
    Vinh, Epps and Bailey (2010), Information theoretic measures for clusterings comparison, JMLR 11, 2837, for the
    correction: their adjusted mutual information, in bits.

    Examples
    --------
    >>> import numpy as np
    >>> from scmi.estimators import shared_label_information
    >>> rng = np.random.default_rng(0)
    >>> clone = np.repeat(np.arange(100), 3)
    >>> blood = rng.choice(["naive", "effector"], 100)[clone]
    >>> tumour = np.where(rng.random(300) < 0.1, "naive", blood)
    >>> result = shared_label_information(blood, tumour, clone, clone)
    >>> 0.6 < result.mi < 0.9, result.p
    (True, 0.001)
    """
    check_choice("weights", weights, Weights)
    check_counts(least=0, n_permutations=n_permutations)
    generator = as_generator(rng)
    check_aligned(labels_a=labels_a, barcodes_a=barcodes_a, strata=strata)
    check_aligned(labels_b=labels_b, barcodes_b=barcodes_b)
    targets = as_targets(labels_a), as_targets(labels_b)
    codes, names = _barcodes(barcodes_a, barcodes_b, targets)
    rows = [np.flatnonzero(side >= 0) for side in codes]
    rows = [row[np.argsort(side[row], kind="stable")] for row, side in zip(rows, codes, strict=True)]
    indptr = [
        np.concatenate([[0], np.cumsum(np.bincount(side[row], minlength=len(names)))])
        for row, side in zip(rows, codes, strict=True)
    ]
    pairing = Pairing(indptr[0], rows[0], indptr[1], rows[1], np.arange(len(names)))
    stratum = None if strata is None else _strata(strata, pairing, len(targets[0].shares), names)
    return shared_labels(*targets, pairing, weights, stratum, n_permutations, generator)


def _barcodes(a: ArrayLike, b: ArrayLike, targets: tuple[Targets, Targets]) -> tuple[list[Index], list[object]]:
    """A number for each cell of both sides, -1 for those without label or shared barcode; barcodes' names."""
    sides = [pd.Series(np.asarray(side, dtype=object)) for side in (a, b)]
    for side, of_side, name in zip(sides, targets, ("a", "b"), strict=True):
        if len(side) != len(of_side.shares):
            raise ValueError(
                f"`labels_{name}` has {len(of_side.shares)} cells, but `barcodes_{name}` has {len(side)}; both must "
                "have one for each."
            )
    together, found = pd.factorize(pd.concat(sides, ignore_index=True))
    there = np.append([not means_missing(value) for value in found], False)
    labelled = np.concatenate([of_side.shares.sum(axis=1) > 0 for of_side in targets])
    codes = np.where(there[together] & labelled, together, -1)
    of_a, of_b = codes[: len(sides[0])], codes[len(sides[0]) :]
    shared = np.intersect1d(of_a[of_a >= 0], of_b[of_b >= 0])
    number = np.full(len(found) + 1, -1)
    number[shared] = np.arange(len(shared))
    return [number[of_a], number[of_b]], found[shared].tolist()


def _strata(strata: ArrayLike, pairing: Pairing, n: int, names: list[object]) -> Strata:
    """The stratum of each barcode, from those of the cells of the first side."""
    labels = np.asarray(strata, dtype=object)
    if labels.shape != (n,):
        raise ValueError(f"`strata` has shape {labels.shape}; expected one label for each of {n} cells.")
    barcode = np.repeat(np.arange(len(pairing)), np.diff(pairing.indptr_x))
    return strata_of_barcodes(labels[pairing.rows_x], barcode, names, "`strata`")


def strata_of_barcodes(labels: ArrayLike, barcode: Index, names: Sequence[object], where: str) -> Strata:
    """The stratum of each barcode, which all of its cells must have in common.

    Parameters
    ----------
    labels
        Of each cell.
    barcode
        The number of its barcode.
    names
        What the barcodes are called, for messages.
    where
        What holds the strata, for messages.
    """
    codes, found = pd.factorize(np.asarray(labels, dtype=object), sort=True)
    missing = int((codes < 0).sum())
    if missing:
        raise ValueError(
            f"{where} is missing in {missing} cells with a shared barcode; fill it, or drop their barcodes."
        )
    of_barcode = np.zeros(len(names), np.int64)
    of_barcode[barcode] = codes
    apart = np.flatnonzero(of_barcode[barcode] != codes)
    if len(apart):
        in_two = np.unique(barcode[apart])
        of_first = found[np.unique(codes[barcode == in_two[0]])].tolist()
        raise ValueError(
            f"{len(in_two)} shared barcodes have cells in several strata of {where}, such as "
            f"{names[in_two[0]]!r} in {of_first}. If the same barcode in two strata is two clones, give "
            "each a name of its own (stratum and barcode joined)."
        )
    return Strata(of_barcode, list(map(str, found)))
