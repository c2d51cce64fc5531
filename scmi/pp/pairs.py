"""Who is paired with whom: cells of two objects that carry the same barcode, or the same name."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._logging import logger
from scmi._slots import check_is_anndata
from scmi._warnings import warn
from scmi.estimators.inputs.checks import TooFew, as_generator, check_counts
from scmi.estimators.inputs.pairing import Pairing, linked
from scmi.pp.barcodes import Barcodes, PairKey, read_sides, within
from scmi.pp.plausible import check_shares, may_hold_barcodes, nothing_shared, warn_of_recurring, warn_of_unmatched
from scmi.typing import Index, Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ClonePairs", "hold_same_cells", "match_clones", "pair_clones"]

# Fewer cells that share name and barcode may do so by chance.
MIN_ITSELF = 10


@dataclass(frozen=True, eq=False)
class ClonePairs:
    """The barcodes that two objects share, sorted, and which rows of each side carry them.

    Parameters
    ----------
    barcodes
        Their labels; with strata, pairs of label and stratum.
    pairing
        The rows.
    same_cells
        Whether cells of one name were taken as one cell, which is not paired with itself.
    within_strata
        Whether cells were paired within strata only.
    """

    barcodes: NDArray[Any]
    pairing: Pairing
    same_cells: bool = False
    within_strata: bool = False


def pair_clones(
    adata_a: AnnData,
    adata_b: AnnData,
    pair_key: PairKey = None,
    *,
    n_pairings: int = 1,
    na_values: object = None,
    same_cells: bool | None = None,
    rng: Rng = 0,
) -> pd.DataFrame:
    """Pair the cells of two objects that carry the same barcode.

    For every barcode that occurs on both sides, one cell of each side is drawn, uniformly among the cells that carry
    it. Barcodes with several cells have many possible pairings; `n_pairings` draws that many, independently.

    Parameters
    ----------
    adata_a, adata_b
        The two populations, two objects. Neither is changed, so views are fine.
    pair_key
        What holds the barcodes, in both objects:

        - the name of an `.obs` column: category, text, integer, float or bool. Labels are compared by value, so that
          5 equals 5.0 and a category equals its text, while a number never equals text;
        - the name of an `.obsm` entry of shape cells x clones, dense or sparse, where nonzero means "carries the
          barcode" and a cell may carry several. DataFrames are aligned by column name, other matrices by position;
        - a pair of such names, `(key_a, key_b)`, where the two objects name it differently;
        - `None` pairs cells by their names (`.obs_names`), as for two modalities of the same cells.
    n_pairings
        How many pairings to draw.
    na_values
        Labels that mean "no barcode", a scalar or several, on top of NaN, None, pd.NA and the texts "", "NA", "N/A",
        "<NA>", "nan", "NaN" and "None". 0 is an ordinary barcode unless named here. For `.obs` columns only.
    same_cells
        Whether cells of one name in both objects are the same cell, which is then not paired with itself; None decides
        by what they carry. See :func:`scmi.tl.lmi`.
    rng
        Seed or generator. The same seed draws the same table.

    Returns
    -------
    Table with a row per drawn pair, ordered by pairing and barcode: `pairing` (int64, from 0), `barcode` (label),
    `row_a` and `row_b` (int64, positions in `adata_a` and `adata_b`). Where cells carry several barcodes, a couple of
    cells that is drawn for two barcodes of one pairing is listed once.

    Raises
    ------
    TypeError
        If an input is no AnnData, or `pair_key` neither a name nor a pair of names.
    KeyError
        If `pair_key` is in neither `.obs` nor `.obsm`.
    ValueError
        If no barcode is shared; if an object is empty, or both are the same one; if `pair_key` is ambiguous; if one
        barcode covers more than 90 % of the barcoded cells of a side, which is how a missing barcode that is not
        recognised as such looks; if `n_pairings` is below 1.

    Warns
    -----
    UserWarning
        If one barcode covers more than 20 % of the barcoded cells of a side.

    References
    ----------
    Appendix A.4.2 of Gowri et al., "Approximating mutual information of high-dimensional variables using learned
    representations", NeurIPS 2024.

    Examples
    --------
    >>> import anndata as ad
    >>> import pandas as pd
    >>> import scmi as sm
    >>> day2 = ad.AnnData(obs=pd.DataFrame({"clone": ["c1", "c2", "NA"]}, index=["x", "y", "z"]))
    >>> day6 = ad.AnnData(obs=pd.DataFrame({"clone": ["c2", "c3", "c1"]}, index=["u", "v", "w"]))
    >>> sm.pp.pair_clones(day2, day6, "clone", rng=0)
       pairing barcode  row_a  row_b
    0        0      c1      0      2
    1        0      c2      1      0
    """
    n_pairings = _check_n_pairings(n_pairings)
    pairs = match_clones(adata_a, adata_b, pair_key, na_values=na_values, same_cells=same_cells)
    drawn = pairs.pairing.draw(as_generator(rng), n_pairings)
    logger.info(
        "%d barcodes are shared: %d pairs of cells in %d random pairings",
        len(pairs.barcodes),
        len(drawn.pairing),
        n_pairings,
    )
    return pd.DataFrame(
        {
            "pairing": drawn.pairing,
            "barcode": pairs.barcodes[drawn.barcode],
            "row_a": drawn.row_x,
            "row_b": drawn.row_y,
        }
    )


def match_clones(
    adata_a: AnnData,
    adata_b: AnnData,
    pair_key: PairKey,
    *,
    na_values: object = None,
    names: tuple[str, str] = ("adata_a", "adata_b"),
    same_cells: bool | None = None,
    strata: tuple[str, NDArray[Any], NDArray[Any]] | None = None,
) -> ClonePairs:
    """Find the barcodes that two objects share, and the cells that carry them.

    The parameters, errors and warnings are those of `pair_clones`.

    Parameters
    ----------
    adata_a, adata_b
        The two populations.
    pair_key
        `.obs` column, `.obsm` key, a pair of either, or None for cell names.
    na_values
        Further labels that mean "no barcode".
    names
        What messages call the two populations.
    same_cells
        Whether cells of one name are one cell, which is then not paired with itself; None decides by what they carry.
    strata
        Name of a column, and its labels of the cells of both; cells are then paired within each stratum, if both
        populations have one in common.

    Returns
    -------
    The shared barcodes, with the rows of each side that carry them.
    """
    _check_objects(adata_a, adata_b)
    a, b = read_sides(adata_a, adata_b, pair_key, na_values, names)
    if not (same_cells is None or isinstance(same_cells, bool | np.bool_)):
        raise TypeError(f"`same_cells` must be True, False or None, got {same_cells!r}.")
    in_strata = strata is not None and not set(strata[1][~pd.isna(strata[1])]).isdisjoint(
        strata[2][~pd.isna(strata[2])]
    )
    if strata is not None and in_strata:
        shared = pd.Index(a.labels, dtype=object).intersection(pd.Index(b.labels, dtype=object), sort=False)
        a, b = within(a, strata[1]), within(b, strata[2])
        warn_of_recurring(a, b, shared, strata[0])
    for side in (a, b):
        logger.debug(
            "%s: %d of %d cells with a barcode (%s), %d barcodes",
            side.name,
            side.n_barcoded,
            side.n_obs,
            side.where,
            len(side.labels),
        )
    barcodes, index_a, index_b = _shared_barcodes(a, b)
    if len(barcodes) == 0:
        raise TooFew(nothing_shared(a, b, may_hold_barcodes(adata_a, adata_b) if a.slot == "names" else []))
    logger.debug("%d barcodes are shared", len(barcodes))
    warn_of_unmatched(a, b, len(barcodes))
    indptr_a, rows_a = _rows_by_barcode(a, index_a, len(barcodes))
    indptr_b, rows_b = _rows_by_barcode(b, index_b, len(barcodes))
    check_shares(a, barcodes, np.diff(indptr_a))
    check_shares(b, barcodes, np.diff(indptr_b))
    groups = _linked_barcodes(indptr_a, rows_a, indptr_b, rows_b)
    pairing = Pairing(indptr_a, rows_a, indptr_b, rows_b, groups)
    found = ClonePairs(barcodes, pairing, within_strata=in_strata)
    return found if a.slot == "names" else _apart(found, adata_a, adata_b, same_cells, names)


def _apart(
    found: ClonePairs, adata_a: AnnData, adata_b: AnnData, same_cells: bool | None, names: tuple[str, str]
) -> ClonePairs:
    """Pair no cell with itself, where both objects hold the same cells."""
    row_b = _rows_of_same_name(adata_a, adata_b)
    if row_b is None:
        if same_cells:
            raise ValueError(
                f"`same_cells=True`, but `{names[0]}` and `{names[1]}` have no cell name in common, or names that are "
                "not unique: name the cells alike in both."
            )
        return found
    pairing = found.pairing
    itself = _with_themselves(pairing, row_b)
    decided = same_cells is not None
    if same_cells is None:
        same_cells = _most_are_the_same(pairing, itself, row_b, adata_a.obs_names)
        logger.info(
            "%d cells have a name that occurs in both objects: taken as %s; `same_cells=` decides otherwise",
            int((row_b >= 0).sum()),
            "the same cells" if same_cells else "different cells",
        )
    if not same_cells or not itself:
        return found
    apart, left = replace(pairing, same=row_b).apart()
    text = (
        f"`{names[0]}` and `{names[1]}` hold the same cells: {len(itself)} cells share a barcode with themselves, and "
        "are not paired with themselves"
    )
    if len(left) == 0:
        raise TooFew(
            f"{text}, which leaves no pair. To pair two modalities of each cell, pass `pair_key=None`; if equal names "
            "are different cells, pass `same_cells=False`."
        )
    dropped = len(found.barcodes) - len(left)
    if not decided or dropped:
        text = f"{text}; {dropped} barcodes with no other cell are left out."
        warn("same cells", f"{text} `same_cells=` decides otherwise.")
    return replace(found, barcodes=found.barcodes[left], pairing=apart, same_cells=True)


def hold_same_cells(pairing: Pairing, adata_a: AnnData, adata_b: AnnData) -> bool:
    """Whether the cells that a pairing of two objects has by one name in both are the same cells, by their barcodes."""
    row_b = _rows_of_same_name(adata_a, adata_b)
    if row_b is None:
        return False
    return _most_are_the_same(pairing, _with_themselves(pairing, row_b), row_b, adata_a.obs_names)


def _rows_of_same_name(adata_a: AnnData, adata_b: AnnData) -> Index | None:
    """For each row of the first object the row of that name in the second, or -1; None if that says nothing."""
    if not (adata_a.obs_names.is_unique and adata_b.obs_names.is_unique):
        return None
    row_b: Index = adata_b.obs_names.get_indexer(adata_a.obs_names).astype(np.int64)
    return None if (row_b < 0).all() else row_b


def _with_themselves(pairing: Pairing, row_b: Index) -> list[tuple[int, int]]:
    """Rows of the first object, each with a barcode that the cell of its name carries too."""
    carries_x, carries_y = (
        set(zip(rows.tolist(), np.repeat(np.arange(len(pairing)), np.diff(indptr)).tolist(), strict=True))
        for rows, indptr in ((pairing.rows_x, pairing.indptr_x), (pairing.rows_y, pairing.indptr_y))
    )
    return [(row, barcode) for row, barcode in carries_x if (row_b[row], barcode) in carries_y]


def _most_are_the_same(pairing: Pairing, itself: list[tuple[int, int]], row_b: Index, names: pd.Index[str]) -> bool:
    """By chance, cells of one name seldom carry one barcode; and names that are numbers say nothing."""
    numbered = all(name.isdigit() for name in names[row_b >= 0])
    named_alike = np.unique(pairing.rows_x[row_b[pairing.rows_x] >= 0])
    n_itself = len({row for row, _ in itself})
    return not numbered and n_itself >= MIN_ITSELF and 2 * n_itself > len(named_alike)


def _check_n_pairings(n_pairings: int) -> int:
    check_counts(n_pairings=n_pairings)
    return operator.index(n_pairings)


def _check_objects(adata_a: AnnData, adata_b: AnnData) -> None:
    for name, adata in (("adata_a", adata_a), ("adata_b", adata_b)):
        check_is_anndata(adata, name)
        if adata.n_obs == 0:
            raise ValueError(f"`{name}` has no cells: check the mask or the group it was cut out with.")
    if adata_a is adata_b:
        raise ValueError(
            "`adata_a` and `adata_b` are the same object: a population paired with itself agrees perfectly by "
            "construction. Pass two subsets, such as `adata[early]` and `adata[late]`."
        )


def _shared_barcodes(a: Barcodes, b: Barcodes) -> tuple[NDArray[Any], Index, Index]:
    """Labels on both sides, sorted, and for each label of a side its position there, or -1."""
    index_a, index_b = np.full(len(a.labels), -1, dtype=np.int64), np.full(len(b.labels), -1, dtype=np.int64)
    if a.kind != b.kind:
        return np.empty(0, dtype=object), index_a, index_b
    found = pd.Index(b.labels, dtype=object).get_indexer(pd.Index(a.labels, dtype=object))
    hit = np.flatnonzero(found >= 0)
    hit = hit[np.argsort(a.labels[hit])]
    index_a[hit] = index_b[found[hit]] = np.arange(len(hit))
    return a.labels[hit], index_a, index_b


def _rows_by_barcode(side: Barcodes, index: Index, n_shared: int) -> tuple[Index, Index]:
    barcode = index[side.codes]
    keep = barcode >= 0
    barcode, rows = barcode[keep], side.rows[keep]
    indptr = np.zeros(n_shared + 1, dtype=np.int64)
    np.cumsum(np.bincount(barcode, minlength=n_shared), out=indptr[1:])
    return indptr, rows[np.argsort(barcode, kind="stable")]


def _linked_barcodes(indptr_a: Index, rows_a: Index, indptr_b: Index, rows_b: Index) -> Index:
    """Connected components of the graph whose edges join barcodes with the cells of either side, seen from barcodes."""
    n_shared = len(indptr_a) - 1
    barcode = np.concatenate([np.repeat(np.arange(n_shared), np.diff(indptr)) for indptr in (indptr_a, indptr_b)])
    cells_a, cell_a = np.unique(rows_a, return_inverse=True)
    cells_b, cell_b = np.unique(rows_b, return_inverse=True)
    if len(cells_a) == len(rows_a) and len(cells_b) == len(rows_b):
        return np.arange(n_shared, dtype=np.int64)
    node = n_shared + np.concatenate([cell_a, len(cells_a) + cell_b])
    n_nodes = n_shared + len(cells_a) + len(cells_b)
    return linked(n_nodes, barcode, node)[:n_shared]
