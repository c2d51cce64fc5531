"""The barcodes of one object, read from whatever slot holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi._words import did_you_mean
from scmi.estimators.inputs.missing import means_missing
from scmi.estimators.inputs.stored import is_sparse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Barcodes", "PairKey", "of_each_side", "read_side", "read_sides", "some", "within"]

Slot = Literal["obs", "obsm", "names"]
PairKey = str | tuple[str, str] | None

# Entries of a matrix that are looked at together, 8 MB as doubles.
BLOCK = 2**20

_KINDS = {
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "boolean": "booleans",
    "empty": "nothing",
}


@dataclass(frozen=True, eq=False)
class Barcodes:
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


def read_sides(
    adata_a: AnnData, adata_b: AnnData, pair_key: PairKey, na_values: object, names: tuple[str, str]
) -> tuple[Barcodes, Barcodes]:
    """The barcodes of both objects; ``names`` is what messages call them."""
    name_a, name_b = names
    if pair_key is None:
        if na_values is not None:
            raise ValueError("`na_values` has no meaning with `pair_key=None`, which pairs cells by `.obs_names`.")
        return _read_names(adata_a, name_a), _read_names(adata_b, name_b)
    key_a, key_b = of_each_side("pair_key", pair_key, ", or None")
    slot_a, slot_b = _find_slot(adata_a, key_a, name_a), _find_slot(adata_b, key_b, name_b)
    if slot_a != slot_b:
        raise ValueError(
            f"Barcodes are in `{name_a}.{slot_a}[{key_a!r}]` but `{name_b}.{slot_b}[{key_b!r}]`, a column on one side "
            "and a matrix on the other: bring both to the same form."
        )
    if slot_a == "obs":
        named = _as_list(na_values)
        return _read_column(adata_a, key_a, name_a, named), _read_column(adata_b, key_b, name_b, named)
    if na_values is not None:
        raise ValueError(
            f"`na_values` names labels of an `.obs` column, but `pair_key` is the matrix `.obsm[{key_a!r}]`, where a "
            "zero means no barcode: leave it out, and drop the columns that are no barcodes."
        )
    where = f"`{name_a}.obsm[{key_a!r}]` and `{name_b}.obsm[{key_b!r}]`"
    _check_columns(adata_a.obsm[key_a], adata_b.obsm[key_b], where)
    return _read_matrix(adata_a, key_a, name_a), _read_matrix(adata_b, key_b, name_b)


def within(side: Barcodes, strata: NDArray[Any]) -> Barcodes:
    """The barcodes of each stratum as barcodes of their own; cells without a stratum have none.

    Parameters
    ----------
    side
        The barcodes of a population.
    strata
        A label for each of its cells.
    """
    stratum = strata[side.rows]
    known = ~pd.isna(stratum)
    rows, codes = side.rows[known], side.codes[known]
    pairs = pd.MultiIndex.from_arrays([side.labels[codes], stratum[known].astype(str)])
    joined, labels = pd.factorize(pairs)
    tuples = np.empty(len(labels), dtype=object)
    tuples[:] = list(labels)
    return replace(side, rows=rows, codes=joined.astype(np.int64), labels=tuples)


def read_side(adata: AnnData, key: str, name: str) -> Barcodes:
    """The barcodes of one object, in a column or a matrix; ``name`` is what messages call it."""
    slot = _find_slot(adata, key, name)
    return _read_column(adata, key, name, []) if slot == "obs" else _read_matrix(adata, key, name)


def of_each_side(argument: str, key: object, otherwise: str = "") -> tuple[str, str]:
    """The name of each side; ``otherwise`` is what else the argument may be, for the message."""
    if isinstance(key, str):
        return key, key
    if isinstance(key, tuple | list) and len(key) == 2 and all(isinstance(name, str) for name in key):
        return key[0], key[1]
    raise TypeError(f"`{argument}` must be a name, a pair of names `(key_a, key_b)`{otherwise}, got {key!r}.")


def _find_slot(adata: AnnData, key: str, name: str) -> Literal["obs", "obsm"]:
    in_obs, in_obsm = key in adata.obs.columns, key in adata.obsm
    if in_obs and in_obsm:
        raise ValueError(
            f"`pair_key` {key!r} is ambiguous: both `{name}.obs` and `{name}.obsm` have it. "
            "Rename one of them and pass an unambiguous name."
        )
    if not (in_obs or in_obsm):
        columns, matrices = [str(c) for c in adata.obs.columns], list(adata.obsm)
        hint = did_you_mean(key, columns + matrices)
        raise KeyError(
            f"Did not find {key!r} in `{name}.obs` or `{name}.obsm`.{hint} "
            f"There are obs {some(columns, 20)} and obsm {some(matrices, 20)}."
        )
    return "obs" if in_obs else "obsm"


def _read_names(adata: AnnData, name: str) -> Barcodes:
    if not adata.obs_names.is_unique:
        raise ValueError(
            f"`{name}.obs_names` are not unique, so cells cannot be paired by name: "
            f"call `{name}.obs_names_make_unique()`, or pass `pair_key`."
        )
    rows = np.arange(adata.n_obs, dtype=np.int64)
    labels = np.asarray(adata.obs_names, dtype=object)
    return Barcodes(name, f"{name}.obs_names", "names", "text", adata.n_obs, rows, rows, labels)


def _read_column(adata: AnnData, key: str, name: str, na_values: list[object]) -> Barcodes:
    where = f"{name}.obs[{key!r}]"
    codes, uniques = pd.factorize(adata.obs[key])
    labels = np.asarray(uniques, dtype=object)
    missing = np.zeros(len(labels), dtype=bool)
    missing |= np.array([means_missing(label) for label in labels], dtype=bool)
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
    return Barcodes(
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


def _check_columns(a: Any, b: Any, where: str) -> None:
    framed = [isinstance(matrix, pd.DataFrame) for matrix in (a, b)]
    if all(framed):
        return
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


def _read_matrix(adata: AnnData, key: str, name: str) -> Barcodes:
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
    return Barcodes(
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
        if not sparse or not all(sparse):
            return _nonzero_of_blocks(_frame_blocks(matrix), where)
        frame: Any = matrix
        matrix = frame.sparse.to_coo()
    if hasattr(matrix, "compute"):
        matrix = matrix.compute()
    if is_sparse(matrix):
        # Copied, because summing duplicates works in place and the matrix is the user's.
        entries = sp.csr_array(matrix, copy=True)
        entries.sum_duplicates()
        coordinates = entries.tocoo()
        _check_not_negative(int((coordinates.data < 0).sum()), where)
        keep = (coordinates.data != 0) & ~np.isnan(coordinates.data)
        return coordinates.row[keep], coordinates.col[keep]
    values = np.asarray(matrix)
    if values.dtype.kind not in "buif" or values.ndim != 2:
        raise ValueError(f"`{where}` must be a matrix of numbers, cells x clones, got {type(matrix).__name__}.")
    return _nonzero_of_blocks((values[:, columns] for columns in _blocks(values.shape)), where)


def _frame_blocks(frame: pd.DataFrame) -> Iterator[NDArray[Any]]:
    """Some columns at a time as doubles: all of them would take eight times the memory of a frame of bytes."""
    for columns in _blocks(frame.shape):
        yield frame.iloc[:, columns].to_numpy(dtype=np.float64, na_value=np.nan)


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Columns of which so many values are looked at together as take little memory; one slice even if there is none."""
    n_rows, n_columns = shape
    size = max(1, BLOCK // max(1, n_rows))
    return (slice(start, start + size) for start in range(0, max(1, n_columns), size))


def _nonzero_of_blocks(blocks: Iterable[NDArray[Any]], where: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same for the columns of a matrix, some at a time."""
    rows, columns = [], []
    n_before = n_negative = 0
    for values in blocks:
        n_negative += int((values < 0).sum())
        row, column = np.nonzero((values != 0) & ~np.isnan(values))
        # Half the width: no matrix has so many rows or columns that a dense one would fit in memory.
        rows.append(row.astype(np.int32))
        columns.append((column + n_before).astype(np.int32))
        n_before += values.shape[1]
    _check_not_negative(n_negative, where)
    row, column = np.concatenate(rows), np.concatenate(columns)
    by_row = np.argsort(row, kind="stable")
    return row[by_row], column[by_row]


def _check_not_negative(n: int, where: str) -> None:
    if n:
        raise ValueError(
            f"`{where}` has {n} negative entries; its entries count barcodes, 0 for none. If they stand for missing "
            "ones, set them to 0."
        )


def some(items: Sequence[object] | NDArray[Any], n: int) -> str:
    """The first n of some items, for a message."""
    listed = ", ".join(repr(item) for item in items[:n])
    return (listed + (", ..." if len(items) > n else "")) or "none"
