"""Whatever holds samples x features, as one checked matrix."""

import itertools
import numbers
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from scmi.typing import Matrix, Values

from .stored import Kept, Piece, Stored, as_stored, is_of, is_sparse

__all__ = ["as_array", "as_matrix", "as_points", "count_common", "count_copies", "with_unpaired"]


# Larger numbers overflow when they are squared and added, smaller ones can't be told from 0 then.
LARGEST = 1e300


def as_matrix(values: Any, name: str, names: tuple[Sequence[str], Sequence[str] | None] | None = None) -> Matrix:
    """Samples x features, dense or CSR, in its own dtype; a vector becomes one column.

    Other sparse formats become CSR, because batches are cut by rows, and entries in several parts are added up. Files
    and Dask arrays are read once, and stay where they are if they are too large to keep. What is missing, masked,
    infinite, complex or not a number raises; the error says where, by the names of rows and columns if they are given.
    """
    matrix: Any = as_stored(values, name)
    if matrix is None:
        matrix = _as_csr(values) if is_sparse(values) else as_array(values, name)
    if matrix.dtype == object:
        matrix = _numbers(matrix, name)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} has shape {matrix.shape}; expected samples x features with at least one of each.")
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{name} holds values of type {matrix.dtype}; expected real numbers.")
    row_names, column_names = names or (None, None)
    if not isinstance(matrix, Stored):
        _check_finite([matrix], name, row_names, column_names)
        checked: Matrix = matrix
        return checked
    kept = Kept(matrix)
    _check_finite(kept.passing(), name, row_names, column_names)
    return kept.matrix


def as_array(values: Any, name: str) -> NDArray[Any]:
    """Frames, tensors and lists as an array, in its own dtype."""
    if hasattr(values, "obsm"):
        raise TypeError(f"{name} is an object of type {type(values).__name__}; pass its matrix, such as `adata.X`.")
    # Whoever has a tensor or a frame has imported its package.
    if is_of(values, "torch", "Tensor"):
        torch: Any = sys.modules["torch"]
        values = values.detach().cpu()
        if values.layout != torch.strided:
            values = values.to_dense()
        return np.asarray(values.float() if values.dtype == torch.bfloat16 else values)
    if is_of(values, "pandas", "DataFrame", "Series"):
        pandas: Any = sys.modules["pandas"]
        types = values.dtypes if isinstance(values, pandas.DataFrame) else [values.dtype]
        array = values.to_numpy()
        # Columns that know of missing values come out as objects.
        numbers = array.dtype == object and all(map(pandas.api.types.is_numeric_dtype, types))
        values = values.to_numpy(dtype=np.float64, na_value=np.nan) if numbers else array
    if isinstance(values, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in values):
        values = np.ma.stack(values)
    if isinstance(values, np.ma.MaskedArray):
        n_masked = int(np.ma.getmaskarray(values).sum())
        if n_masked:
            raise ValueError(f"{name} is a masked array with {n_masked} masked values; fill them or drop their rows.")
        values = values.data
    # In C order, since sums depend on the order in their last bit, and batches are cut by rows. Frames come by columns.
    try:
        array = np.asarray(values, order="C")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is not an array: its rows differ in length, or are not rows of numbers ({type(values).__name__})."
        ) from error
    if array.ndim == 0 and not hasattr(values, "shape"):
        raise TypeError(
            f"{name} is a {type(values).__name__}, not samples x features; pass an array, a frame or a sparse matrix "
            "(what is lazy has to be collected first)."
        )
    return array


def _as_csr(values: Any) -> Piece:
    """CSR of two dimensions in a type that SciPy can work with, each entry once and in order."""
    if values.ndim == 1:
        values = values.reshape((-1, 1))
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    elif values.dtype == np.longdouble:
        values = values.astype(np.float64)
    matrix = values.tocsr()
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # it may be the user's
        matrix.sum_duplicates()
    return matrix


def _numbers(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Objects that are all numbers, as numbers."""
    flat = [value for value in array.ravel().tolist() if value is not None]
    odd = next((value for value in flat if not isinstance(value, numbers.Real | Decimal)), None)
    if odd is not None:
        raise TypeError(f"{name} holds objects that are not real numbers, the first {odd!r}; expected numbers.")
    return np.array([np.nan if value is None else float(value) for value in array.ravel()]).reshape(array.shape)


def _check_finite(
    pieces: Iterable[Piece], name: str, row_names: Sequence[str] | None, column_names: Sequence[str] | None
) -> None:
    start = n_bad = row = column = 0
    for piece in pieces:
        data = piece.data if is_sparse(piece) else piece
        bad = ~np.isfinite(data)
        if data.dtype.kind == "f" and data.size and not bad.any() and float(np.abs(data).max()) > LARGEST:
            raise ValueError(f"{name} has values beyond {LARGEST:g}, whose squares overflow; divide it by a constant.")
        if bad.any():
            if not n_bad:
                row, column = _first_position(piece, bad)
                row += start
            n_bad += int(bad.sum())
        start += piece.shape[0]
    if not n_bad:
        return
    row_name = row if row_names is None else repr(row_names[row])
    column_name = column if column_names is None else repr(column_names[column])
    raise ValueError(
        f"{name} has {n_bad} NaN or infinite values, the first in row {row_name}, column {column_name}; "
        "fill or drop them first."
    )


def _first_position(piece: Piece, bad: NDArray[np.bool_]) -> tuple[int, int]:
    if is_sparse(piece):
        entries = piece.tocoo()
        return int(entries.row[bad][0]), int(entries.col[bad][0])
    row, column = np.argwhere(bad)[0]
    return int(row), int(column)


def as_points(values: Any, name: str) -> Values:
    """Samples x features, dense in float64, for the nearest-neighbour estimators."""
    return np.asarray(_dense(as_matrix(values, name)), dtype=np.float64)


def with_unpaired(matrix: Matrix, unpaired: Any, name: str) -> Matrix:
    """A side with its unpaired rows below the paired ones."""
    if unpaired is None:
        return matrix
    if isinstance(matrix, Stored):
        raise ValueError(f"{name}_unpaired can't be added to data that stay on disk. Read {name} into memory first.")
    rows = as_matrix(unpaired, f"{name}_unpaired")
    if rows.shape[1] != matrix.shape[1]:
        raise ValueError(f"{name}_unpaired has {rows.shape[1]} columns, but {name} has {matrix.shape[1]}.")
    whole: Piece = rows[np.arange(rows.shape[0])] if isinstance(rows, Stored) else rows
    above: Piece = matrix
    below: Matrix = (
        sparse.vstack([above, sparse.csr_matrix(whole)], format="csr")
        if is_sparse(above)
        else np.vstack([above, _dense(whole)])
    )
    return below


def _dense(matrix: Piece) -> NDArray[Any]:
    if isinstance(matrix, Stored):
        matrix = matrix[np.arange(matrix.shape[0])]
    dense: NDArray[Any] = matrix.toarray() if is_sparse(matrix) else matrix
    return dense


def count_copies(*matrices: Matrix) -> int:
    """How many rows (taken across all matrices together) are exact copies of an earlier row."""
    n = matrices[0].shape[0]
    # Hashes, not rows, are kept: a copy of a large matrix would cost as much as the data.
    seen = {hash(tuple(key)) for key in zip(*map(_row_keys, matrices), strict=True)}
    return int(n - len(seen))


def count_common(a: Piece, b: Piece) -> tuple[int, int]:
    """How many different rows two matrices have in common, and how many rows of either are copies of others there."""
    keys_a, keys_b = set(_row_keys(a)), set(_row_keys(b))
    return len(keys_a & keys_b), a.shape[0] - len(keys_a) + b.shape[0] - len(keys_b)


def _row_keys(matrix: Piece) -> Iterator[int]:
    if isinstance(matrix, Stored):
        for piece in matrix.pieces():
            yield from _row_keys(piece)
        return
    if not is_sparse(matrix):
        for row in matrix:
            yield hash(row.tobytes())
        return
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    for start, stop in itertools.pairwise(matrix.indptr):
        yield hash((matrix.indices[start:stop].tobytes(), matrix.data[start:stop].tobytes()))
