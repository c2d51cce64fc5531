"""Who is paired with whom: cells of two objects that carry the same barcode, or the same name."""

from __future__ import annotations

import difflib
import operator
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from scmi._logging import logger

if TYPE_CHECKING:
    from anndata import AnnData

Slot = Literal["obs", "obsm", "names"]
PairKey = str | tuple[str, str] | None

_PACKAGE = str(Path(__file__).parents[1]) + os.sep

# What pandas, Scanpy, scirpy and clone2vec leave behind where a cell has no barcode, once written as text.
_MISSING_TEXT = ("", "NA", "N/A", "<NA>", "nan", "NaN", "None")

_KINDS = {
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "boolean": "booleans",
    "empty": "nothing",
}

_DOMINANT_SHARE, _DOMINANT_MIN_CELLS = 0.9, 10
_IMPLAUSIBLE_SHARE, _IMPLAUSIBLE_MIN_CELLS, _IMPLAUSIBLE_MIN_BARCODES = 0.2, 50, 5


@dataclass(frozen=True, eq=False)
class ClonePairs:
    """Which rows of each side carry which shared barcode.

    Attributes
    ----------
    barcodes
        Labels of the shared barcodes, sorted; object array of shape (n_shared,).
    indptr_a, rows_a
        `rows_a[indptr_a[i]:indptr_a[i + 1]]` are the rows of the first object that carry barcode `i`, ascending.
    indptr_b, rows_b
        The same for the second object.
    groups
        Shape (n_shared,). Barcodes that share a cell, on either side and through any chain of others, carry the same
        number: what must never part across a split. `arange(n_shared)` where each cell carries one barcode.
    """

    barcodes: NDArray[Any]
    indptr_a: NDArray[np.int64]
    rows_a: NDArray[np.int64]
    indptr_b: NDArray[np.int64]
    rows_b: NDArray[np.int64]
    groups: NDArray[np.int64]

    def draw(
        self, rng: np.random.Generator, n_pairings: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Draw one cell per barcode and side, uniformly among its cells, `n_pairings` times.

        Parameters
        ----------
        rng
            Source of randomness.
        n_pairings
            How many independent pairings to draw.

        Returns
        -------
        pairing, barcode, row_a, row_b
            Four arrays of one length, ordered by pairing, then barcode. `barcode` points into `barcodes`. Where cells
            carry several barcodes, a couple of cells drawn for two of them is kept once in each pairing.

        Raises
        ------
        ValueError
            If `n_pairings` is below 1.
        """
        n_pairings = _check_n_pairings(n_pairings)
        n_shared = len(self.barcodes)
        row_a = _draw_rows(rng, self.indptr_a, self.rows_a, n_pairings)
        row_b = _draw_rows(rng, self.indptr_b, self.rows_b, n_pairings)
        pairing = np.repeat(np.arange(n_pairings, dtype=np.int64), n_shared)
        barcode = np.tile(np.arange(n_shared, dtype=np.int64), n_pairings)
        if len(np.unique(self.groups)) < n_shared:
            # Exact copies of a joint sample have distance 0 to each other, which breaks nearest-neighbour estimates.
            keep = ~pd.DataFrame({"pairing": pairing, "a": row_a, "b": row_b}).duplicated().to_numpy()
            pairing, barcode, row_a, row_b = pairing[keep], barcode[keep], row_a[keep], row_b[keep]
        return pairing, barcode, row_a, row_b


@dataclass(frozen=True, eq=False)
class _Side:
    """The barcodes of one object: cell `rows[i]` carries `labels[codes[i]]`, and every label is carried."""

    name: str
    where: str
    slot: Slot
    kind: str
    n_obs: int
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    labels: NDArray[Any]

    @property
    def n_barcoded(self) -> int:
        """How many cells carry a barcode; each is counted once."""
        return len(np.unique(self.rows)) if self.slot == "obsm" else len(self.rows)


def pair_clones(
    adata_a: AnnData,
    adata_b: AnnData,
    pair_key: PairKey = None,
    *,
    n_pairings: int = 1,
    na_values: object = None,
    rng: int | np.random.Generator | None = None,
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
        "<NA>", "nan", "NaN" and "None". 0 and -1 are ordinary barcodes unless named here. For `.obs` columns only.
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
    pairs = match_clones(adata_a, adata_b, pair_key, na_values=na_values)
    pairing, barcode, row_a, row_b = pairs.draw(np.random.default_rng(rng), n_pairings)
    logger.info("%d pairs of cells in %d pairing(s)", len(pairing), n_pairings)
    return pd.DataFrame({"pairing": pairing, "barcode": pairs.barcodes[barcode], "row_a": row_a, "row_b": row_b})


def match_clones(adata_a: AnnData, adata_b: AnnData, pair_key: PairKey, *, na_values: object = None) -> ClonePairs:
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

    Returns
    -------
    The shared barcodes, with the rows of each side that carry them.
    """
    _check_objects(adata_a, adata_b)
    a, b = _read_sides(adata_a, adata_b, pair_key, na_values)
    for side in (a, b):
        logger.info(
            "%s: %d of %d cells with a barcode (%s), %d barcodes",
            side.name,
            side.n_barcoded,
            side.n_obs,
            side.where,
            len(side.labels),
        )
    barcodes, index_a, index_b = _shared_barcodes(a, b)
    if len(barcodes) == 0:
        raise ValueError(_nothing_shared(a, b))
    logger.info("%d barcodes are shared", len(barcodes))
    indptr_a, rows_a = _rows_by_barcode(a, index_a, len(barcodes))
    indptr_b, rows_b = _rows_by_barcode(b, index_b, len(barcodes))
    _check_shares(a, barcodes, np.diff(indptr_a))
    _check_shares(b, barcodes, np.diff(indptr_b))
    groups = _linked_barcodes(indptr_a, rows_a, indptr_b, rows_b)
    return ClonePairs(barcodes, indptr_a, rows_a, indptr_b, rows_b, groups)


def _draw_rows(
    rng: np.random.Generator, indptr: NDArray[np.int64], rows: NDArray[np.int64], n_pairings: int
) -> NDArray[np.int64]:
    sizes = np.diff(indptr)
    offset = rng.integers(0, sizes, size=(n_pairings, len(sizes)))
    drawn: NDArray[np.int64] = rows[(indptr[:-1] + offset).ravel()]
    return drawn


def _check_n_pairings(n_pairings: int) -> int:
    n_pairings = operator.index(n_pairings)
    if n_pairings < 1:
        raise ValueError(f"`n_pairings` must be at least 1, got {n_pairings}.")
    return n_pairings


def _check_objects(adata_a: object, adata_b: object) -> None:
    from anndata import AnnData

    for name, adata in (("adata_a", adata_a), ("adata_b", adata_b)):
        if not isinstance(adata, AnnData):
            raise TypeError(f"`{name}` must be an AnnData, got {type(adata).__name__}.")
        if adata.n_obs == 0:
            raise ValueError(f"`{name}` has no cells: check the mask or the group it was cut out with.")
    if adata_a is adata_b:
        raise ValueError(
            "`adata_a` and `adata_b` are the same object: a population paired with itself agrees perfectly by "
            "construction. Pass two subsets, such as `adata[early]` and `adata[late]`."
        )


def _read_sides(adata_a: AnnData, adata_b: AnnData, pair_key: PairKey, na_values: object) -> tuple[_Side, _Side]:
    if pair_key is None:
        if na_values is not None:
            raise ValueError("`na_values` has no meaning with `pair_key=None`, which pairs cells by `.obs_names`.")
        return _read_names(adata_a, "adata_a"), _read_names(adata_b, "adata_b")
    key_a, key_b = _split_key(pair_key)
    slot_a, slot_b = _find_slot(adata_a, key_a, "adata_a"), _find_slot(adata_b, key_b, "adata_b")
    if slot_a != slot_b:
        raise ValueError(
            f"Barcodes are in `adata_a.{slot_a}[{key_a!r}]` but `adata_b.{slot_b}[{key_b!r}]`, a column on one side "
            "and a matrix on the other: bring both to the same form."
        )
    if slot_a == "obs":
        named = _as_list(na_values)
        return _read_column(adata_a, key_a, "adata_a", named), _read_column(adata_b, key_b, "adata_b", named)
    if na_values is not None:
        raise ValueError(
            f"`na_values` names labels of an `.obs` column, but `pair_key` is the matrix `.obsm[{key_a!r}]`, where a "
            "zero means no barcode: leave it out, and drop the columns that are no barcodes."
        )
    _check_columns(adata_a, key_a, adata_b, key_b)
    return _read_matrix(adata_a, key_a, "adata_a"), _read_matrix(adata_b, key_b, "adata_b")


def _split_key(pair_key: object) -> tuple[str, str]:
    if isinstance(pair_key, str):
        return pair_key, pair_key
    if isinstance(pair_key, tuple | list) and len(pair_key) == 2 and all(isinstance(key, str) for key in pair_key):
        return pair_key[0], pair_key[1]
    raise TypeError(f"`pair_key` must be a name, a pair of names `(key_a, key_b)`, or None, got {pair_key!r}.")


def _find_slot(adata: AnnData, key: str, name: str) -> Literal["obs", "obsm"]:
    in_obs, in_obsm = key in adata.obs.columns, key in adata.obsm
    if in_obs and in_obsm:
        raise ValueError(
            f"`pair_key` {key!r} is ambiguous: both `{name}.obs` and `{name}.obsm` have it. "
            "Rename one of them and pass an unambiguous name."
        )
    if not (in_obs or in_obsm):
        columns, matrices = [str(c) for c in adata.obs.columns], list(adata.obsm)
        near = difflib.get_close_matches(key, columns + matrices)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise KeyError(
            f"Did not find {key!r} in `{name}.obs` or `{name}.obsm`.{hint} "
            f"There are obs {_some(columns, 20)} and obsm {_some(matrices, 20)}."
        )
    return "obs" if in_obs else "obsm"


def _read_names(adata: AnnData, name: str) -> _Side:
    if not adata.obs_names.is_unique:
        raise ValueError(
            f"`{name}.obs_names` are not unique, so cells cannot be paired by name: "
            f"call `{name}.obs_names_make_unique()`, or pass `pair_key`."
        )
    rows = np.arange(adata.n_obs, dtype=np.int64)
    labels = np.asarray(adata.obs_names, dtype=object)
    return _Side(name, f"{name}.obs_names", "names", "text", adata.n_obs, rows, rows, labels)


def _read_column(adata: AnnData, key: str, name: str, na_values: list[object]) -> _Side:
    where = f"{name}.obs[{key!r}]"
    codes, uniques = pd.factorize(adata.obs[key])
    labels = np.asarray(uniques, dtype=object)
    missing = np.zeros(len(labels), dtype=bool)
    if not pd.api.types.is_numeric_dtype(uniques.dtype):
        missing |= pd.Series(labels).astype(str).str.strip().isin(_MISSING_TEXT).to_numpy(dtype=bool)
    named = pd.Index(labels, dtype=object).isin(na_values)
    missing |= named
    kind = _kind_of(labels[~missing], where)
    if not named.any():
        _check_na_values(na_values, kind, where)
    # The last entry is what factorize's -1, for NaN, points at.
    new_code = np.append(np.where(missing, -1, np.cumsum(~missing) - 1), -1)
    code = new_code[codes].astype(np.int64)
    rows = np.flatnonzero(code >= 0).astype(np.int64)
    labels = labels[~missing]
    return _Side(
        name, where, "obs", kind, adata.n_obs, rows, code[rows], _whole(labels) if kind == "numbers" else labels
    )


def _kind_of(labels: NDArray[Any], where: str) -> str:
    inferred = pd.api.types.infer_dtype(labels, skipna=True)
    if inferred not in _KINDS:
        raise ValueError(
            f"`{where}` holds labels of type {inferred!r}, which cannot be compared: convert it with `.astype(str)`."
        )
    return _KINDS[inferred]


def _whole(labels: NDArray[Any]) -> NDArray[Any]:
    """Write 5.0 as 5; equal numbers compare equal either way, but integers read better and are what was meant."""
    value = labels.astype(np.float64)
    whole = (value == np.rint(value)) & (np.abs(value) < 2.0**53)
    out = labels.copy()
    out[whole] = value[whole].astype(np.int64).astype(object)
    return out


def _as_list(na_values: object) -> list[object]:
    if na_values is None:
        return []
    if isinstance(na_values, str | bytes) or not isinstance(na_values, Iterable):
        return [na_values]
    return list(na_values)


def _check_na_values(na_values: list[object], kind: str, where: str) -> None:
    """A number never equals text, so that `na_values=0` would leave the text "0" in, silently."""
    given = np.empty(len(na_values), dtype=object)
    given[:] = na_values
    given = given[~pd.isna(given)]
    kinds = {_KINDS.get(pd.api.types.infer_dtype(given[i : i + 1])) for i in range(len(given))}
    if kinds and kind != "nothing" and kind not in kinds:
        raise ValueError(f"`na_values` {na_values} cannot match `{where}`, which holds {kind}: write them as {kind}.")


def _check_columns(adata_a: AnnData, key_a: str, adata_b: AnnData, key_b: str) -> None:
    a, b = adata_a.obsm[key_a], adata_b.obsm[key_b]
    framed = [isinstance(matrix, pd.DataFrame) for matrix in (a, b)]
    if all(framed):
        return
    where = f"`adata_a.obsm[{key_a!r}]` and `adata_b.obsm[{key_b!r}]`"
    if any(framed):
        raise ValueError(
            f"{where} cannot be aligned: one is a DataFrame with named columns, the other is not. "
            "Make both DataFrames, or both plain matrices with the same columns."
        )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{where} have {a.shape[1]} and {b.shape[1]} columns. Plain matrices are aligned by position and must "
            f"have the same columns; DataFrames are aligned by name.{_transposed(a, b)}"
        )


def _transposed(*matrices: Any) -> str:
    if any(matrix.shape[0] == matrix.shape[1] for matrix in matrices):
        return " One has as many columns as cells: is it transposed? It must be cells x clones."
    return ""


def _read_matrix(adata: AnnData, key: str, name: str) -> _Side:
    where = f"{name}.obsm[{key!r}]"
    matrix = adata.obsm[key]
    if isinstance(matrix, pd.DataFrame):
        labels = np.asarray(matrix.columns, dtype=object)
        if not matrix.columns.is_unique:
            raise ValueError(f"`{where}` has several columns of the same name: merge or rename them.")
    else:
        labels = np.arange(matrix.shape[1]).astype(object)
    rows, columns = _nonzero(matrix, where)
    present, codes = np.unique(columns, return_inverse=True)
    labels = labels[present]
    kind = _kind_of(labels, f"{where}.columns")
    return _Side(
        name,
        where,
        "obsm",
        kind,
        adata.n_obs,
        rows.astype(np.int64),
        codes.astype(np.int64),
        _whole(labels) if kind == "numbers" else labels,
    )


def _nonzero(matrix: Any, where: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Row and column of each entry that is neither 0 nor NaN, once each, by row."""
    if isinstance(matrix, pd.DataFrame):
        if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in matrix.dtypes):
            raise ValueError(f"`{where}` holds columns that are no numbers: it must be cells x clones, 0 for none.")
        sparse = [isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0 for dtype in matrix.dtypes]
        as_sparse = bool(sparse) and all(sparse)
        frame: Any = matrix
        matrix = frame.sparse.to_coo() if as_sparse else frame.to_numpy(dtype=np.float64, na_value=np.nan)
    if hasattr(matrix, "compute"):
        matrix = matrix.compute()
    if _is_sparse(matrix):
        # Copied, because summing duplicates works in place and the matrix is the user's.
        entries = sp.csr_array(matrix, copy=True)
        entries.sum_duplicates()
        coordinates = entries.tocoo()
        keep = (coordinates.data != 0) & ~np.isnan(coordinates.data)
        return coordinates.row[keep], coordinates.col[keep]
    values = np.asarray(matrix)
    if values.dtype.kind not in "buif" or values.ndim != 2:
        raise ValueError(f"`{where}` must be a matrix of numbers, cells x clones, got {type(matrix).__name__}.")
    row, column = np.nonzero((values != 0) & ~np.isnan(values))
    return row, column


def _is_sparse(matrix: Any) -> bool:
    """Scipy's own test, without its type guard, which knows neither `data` nor `indices`."""
    return bool(sp.issparse(matrix))


def _shared_barcodes(a: _Side, b: _Side) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Labels on both sides, sorted, and for each label of a side its position there, or -1."""
    index_a, index_b = np.full(len(a.labels), -1, dtype=np.int64), np.full(len(b.labels), -1, dtype=np.int64)
    if a.kind != b.kind:
        return np.empty(0, dtype=object), index_a, index_b
    found = pd.Index(b.labels, dtype=object).get_indexer(pd.Index(a.labels, dtype=object))
    hit = np.flatnonzero(found >= 0)
    hit = hit[np.argsort(a.labels[hit])]
    index_a[hit] = index_b[found[hit]] = np.arange(len(hit))
    return a.labels[hit], index_a, index_b


def _rows_by_barcode(
    side: _Side, index: NDArray[np.int64], n_shared: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    barcode = index[side.codes]
    keep = barcode >= 0
    barcode, rows = barcode[keep], side.rows[keep]
    indptr = np.zeros(n_shared + 1, dtype=np.int64)
    np.cumsum(np.bincount(barcode, minlength=n_shared), out=indptr[1:])
    return indptr, rows[np.argsort(barcode, kind="stable")]


def _linked_barcodes(
    indptr_a: NDArray[np.int64], rows_a: NDArray[np.int64], indptr_b: NDArray[np.int64], rows_b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Connected components of the graph whose edges join barcodes with the cells of either side, seen from barcodes."""
    n_shared = len(indptr_a) - 1
    barcode = np.concatenate([np.repeat(np.arange(n_shared), np.diff(indptr)) for indptr in (indptr_a, indptr_b)])
    cells_a, cell_a = np.unique(rows_a, return_inverse=True)
    cells_b, cell_b = np.unique(rows_b, return_inverse=True)
    if len(cells_a) == len(rows_a) and len(cells_b) == len(rows_b):
        return np.arange(n_shared, dtype=np.int64)
    node = n_shared + np.concatenate([cell_a, len(cells_a) + cell_b])
    n_nodes = n_shared + len(cells_a) + len(cells_b)
    graph = sp.coo_array((np.ones(len(node), dtype=np.int8), (barcode, node)), shape=(n_nodes, n_nodes))
    _, component = connected_components(graph, directed=False)
    return np.asarray(pd.factorize(component[:n_shared])[0], dtype=np.int64)


def _nothing_shared(a: _Side, b: _Side) -> str:
    message = (
        f"No barcode is shared: `{a.where}` has {len(a.labels)} barcodes ({_some(a.labels, 3)}), "
        f"`{b.where}` has {len(b.labels)} ({_some(b.labels, 3)})."
    )
    if a.kind != b.kind and "nothing" not in (a.kind, b.kind):
        return (
            f"{message} The first are {a.kind}, the second {b.kind}, and these never match: "
            "convert both with `.astype(str)`."
        )
    if "nothing" in (a.kind, b.kind):
        return f"{message} One side has no barcoded cell at all: check the column, and `na_values`."
    return f"{message} Check that both sides write their barcodes alike, or pass `pair_key=(key_a, key_b)`."


def _check_shares(side: _Side, barcodes: NDArray[Any], n_cells: NDArray[np.int64]) -> None:
    n_barcoded = side.n_barcoded
    share = n_cells / n_barcoded
    largest = int(np.argmax(share))
    text = (
        f"In `{side.where}`, barcode {barcodes[largest]!r} covers {share[largest]:.0%} of the {n_barcoded} barcoded "
        "cells"
    )
    way_out = f"pass `na_values={barcodes[largest]!r}`" if side.slot == "obs" else "drop that column"
    if n_barcoded > _DOMINANT_MIN_CELLS and share[largest] > _DOMINANT_SHARE:
        raise ValueError(f"{text}, so that nearly all cells are one clone. If it means 'no barcode', {way_out}.")
    if (
        n_barcoded >= _IMPLAUSIBLE_MIN_CELLS
        and len(side.labels) > _IMPLAUSIBLE_MIN_BARCODES
        and share[largest] > _IMPLAUSIBLE_SHARE
    ):
        warnings.warn(
            f"{text}, which is much for one clone. If it means 'no barcode', {way_out}.",
            UserWarning,
            stacklevel=_user_stacklevel(),
        )


def _user_stacklevel() -> int:
    """`stacklevel` at which a warning raised by the caller of this function points outside the package.

    Tools reach this file at different depths, so that no constant would do.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def _some(items: Sequence[object] | NDArray[Any], n: int) -> str:
    listed = ", ".join(repr(item) for item in items[:n])
    return (listed + (", ..." if len(items) > n else "")) or "none"
