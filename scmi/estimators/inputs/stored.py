"""Matrices that are kept in a file or in Dask chunks, and read some rows at a time."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi.typing import Index, Matrix

__all__ = ["Kept", "Piece", "Stored", "as_stored", "is_of", "is_sparse", "pieces", "take_rows"]

# A matrix whose chosen columns take no more than this, as they are stored, is read once and kept in memory.
KEPT_BYTES = 2**31
# What one request to a file may return, sparse matrices counted as if every value were stored.
PIECE_BYTES = 2**26

# Dense or CSR, in memory; the stubs of SciPy and NumPy agree on too little of what both share to spell it out.
Piece = Any
# Sorted rows in; their values out, in order and in one or several parts.
Read = Callable[[Index], Iterator[Piece]]


class _Store(Protocol):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sparse: bool

    def open(self, columns: Index | None) -> Read: ...


class Stored:
    """Samples x features that are somewhere else; indexing with rows reads them, as an array or as CSR.

    Rows and columns can be chosen without reading anything.
    """

    def __init__(self, store: _Store, rows: Index | None = None, columns: Index | None = None) -> None:
        self._store, self._rows, self._columns = store, rows, columns

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the chosen rows and columns."""
        shape = list(self._store.shape)
        for axis, chosen in enumerate((self._rows, self._columns)):
            if chosen is not None:
                shape[axis] = len(chosen)
        return tuple(shape)

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self._store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, as they are stored."""
        return self._store.dtype

    @property
    def sparse(self) -> bool:
        """Whether what is read is CSR."""
        return self._store.sparse

    def take(self, rows: Index) -> Self:
        """Only these rows."""
        return type(self)(self._store, rows if self._rows is None else self._rows[rows], self._columns)

    def with_columns(self, mask: NDArray[np.bool_]) -> Self:
        """Only the columns where the mask is true."""
        columns = np.flatnonzero(mask)
        return type(self)(self._store, self._rows, columns if self._columns is None else self._columns[columns])

    def __getitem__(self, rows: Index) -> Piece:
        return self._gather(self._store.open(self._columns), rows)

    def pieces(self, rows: Index | None = None, size: int | None = None) -> Iterator[Piece]:
        """Read rows in the order given, so many at a time (by default as many as one request to a file may return)."""
        rows = np.arange(self.shape[0]) if rows is None else rows
        size = _rows_per_piece(self.shape[1], self.dtype, sparse=self.sparse) if size is None else size
        read = self._store.open(self._columns)
        for start in range(0, len(rows), size):
            yield self._gather(read, rows[start : start + size])

    def _gather(self, read: Read, rows: Index) -> Piece:
        rows = rows if self._rows is None else self._rows[rows]
        if len(rows) < 2 or (np.diff(rows) > 0).all():
            return _stack(list(read(rows)))
        rows, back = np.unique(rows, return_inverse=True)
        return _stack(list(read(rows)))[back]


class Kept:
    """Keeps the pieces of a stored matrix that pass through it, as long as they fit in ``KEPT_BYTES``."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._parts: list[Piece] = []
        self._dense: NDArray[Any] | None = None
        n, n_columns = stored.shape
        self._fits = stored.sparse or n * n_columns * stored.dtype.itemsize <= KEPT_BYTES
        if self._fits and not stored.sparse:
            self._dense = np.empty(stored.shape, stored.dtype)

    def passing(self) -> Iterator[Piece]:
        """All pieces, in order."""
        at = n_bytes = 0
        for piece in self._stored.pieces():
            if self._dense is not None:
                self._dense[at : at + len(piece)] = piece
                at += len(piece)
            elif self._fits:
                n_bytes += piece.data.nbytes + piece.indices.nbytes + piece.indptr.nbytes
                self._parts.append(piece)
                if n_bytes > KEPT_BYTES:
                    self._fits = False
                    self._parts.clear()
            yield piece

    @property
    def matrix(self) -> Matrix:
        """The whole in memory if it fitted, and the stored matrix otherwise."""
        if not self._fits:
            return self._stored
        return _stack(self._parts) if self._dense is None else self._dense


def as_stored(values: Any, name: str) -> Stored | None:
    """A Dask array, an HDF5 dataset or anndata's backed CSR as what it is, and None for all that is in memory."""
    if isinstance(values, Stored):
        return values
    # Whoever has such an array has imported its package.
    if is_of(values, "dask.array", "Array"):
        if np.isnan(values.shape).any():
            raise ValueError(f"{name} is a Dask array with chunks of unknown size; `.compute_chunk_sizes()` first.")
        return None if values.ndim == 1 else Stored(_Chunks(values))
    if is_of(values, "h5py", "Dataset"):
        return None if values.ndim == 1 else Stored(_File(values, sparse=False))
    if hasattr(values, "to_memory") and getattr(values, "format", None) in ("csr", "csc"):
        if values.format == "csc":
            raise ValueError(
                f"{name} is stored by columns (CSC), so that any row needs the whole file read. "
                "Write it as CSR, or load it with `.to_memory()`."
            )
        return Stored(_File(values, sparse=True))
    return None


def is_of(values: Any, package: str, *names: str) -> bool:
    """Whether an object is of one of these classes of a package, which is not imported for that.

    Whoever has such an object has imported its package, and waited until all of its classes were there; another thread
    may be halfway through.
    """
    module = sys.modules.get(package)
    return isinstance(values, tuple(found for name in names if (found := getattr(module, name, None)) is not None))


def is_sparse(matrix: Any) -> bool:
    """Whether rows of it come as CSR (or another of scipy's sparse formats)."""
    return matrix.sparse if isinstance(matrix, Stored) else bool(sp.issparse(matrix))


def take_rows(matrix: Matrix, rows: Index) -> Matrix:
    """Some rows, without reading them if they are stored."""
    if isinstance(matrix, Stored):
        return matrix.take(rows)
    chosen: Matrix = matrix[rows]
    return chosen


def pieces(matrix: Matrix, rows: Index, size: int) -> Iterator[Piece]:
    """Some rows of any matrix, so many at a time. Sorted rows are read fastest."""
    if isinstance(matrix, Stored):
        yield from matrix.pieces(rows, size)
        return
    for start in range(0, len(rows), size):
        yield matrix[rows[start : start + size]]


class _File:
    """An HDF5 dataset, or anndata's CSR in a file; both read row ranges and sorted rows."""

    def __init__(self, data: Any, *, sparse: bool) -> None:
        self._data, self.sparse = data, sparse
        self.shape: tuple[int, ...] = tuple(data.shape)
        self.dtype: np.dtype[Any] = np.dtype(data.dtype)

    def open(self, columns: Index | None) -> Read:
        # Half, so that a range with as many rows between as are wanted is one request still.
        size = max(1, _rows_per_piece(self.shape[1], self.dtype, sparse=self.sparse) // 2)

        def read(rows: Index) -> Iterator[Piece]:
            for start in range(0, len(rows), size):
                yield _columns_of(self._rows(rows[start : start + size]), columns, sparse=self.sparse)

        return read

    def _rows(self, rows: Index) -> Piece:
        first, n = int(rows[0]), int(rows[-1] - rows[0]) + 1
        if n > 2 * len(rows):
            return self._data[rows]
        # Reading what lies between costs less than asking for rows one by one.
        values = self._data[first : first + n]
        return values if n == len(rows) else values[rows - first]


class _Chunks:
    """A Dask array, computed one chunk of rows at a time; the last one is held for whoever reads on."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape: tuple[int, ...] = tuple(map(int, array.shape))
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.sparse = bool(sp.issparse(array._meta))

    def open(self, columns: Index | None) -> Read:
        edges = np.concatenate([[0], np.cumsum(self._array.chunks[0])])
        held: tuple[int, Piece] = (-1, None)

        def read(rows: Index) -> Iterator[Piece]:
            nonlocal held
            chunk_of = np.searchsorted(edges, rows, side="right") - 1
            for chunk in np.unique(chunk_of):
                if held[0] != chunk:
                    held = (-1, None)  # not two at once
                    held = (chunk, _columns_of(self._compute(int(chunk)), columns, sparse=self.sparse))
                yield held[1][rows[chunk_of == chunk] - edges[chunk]]

        return read

    def _compute(self, chunk: int) -> Piece:
        dask: Any = sys.modules["dask"]
        parts: tuple[Any, ...] = dask.compute(*(self._array.blocks[chunk, j] for j in range(self._array.numblocks[1])))
        if self.sparse:
            return sp.hstack([sp.csr_matrix(part) for part in parts], format="csr")
        return np.hstack([part.toarray() if is_sparse(part) else part for part in parts])


def _rows_per_piece(n_columns: int, dtype: np.dtype[Any], *, sparse: bool) -> int:
    value_bytes = dtype.itemsize + 8 * sparse
    return max(1, PIECE_BYTES // (n_columns * value_bytes))


def _columns_of(part: Piece, columns: Index | None, *, sparse: bool) -> Piece:
    part = part if columns is None else part[:, columns]
    if not sparse:
        return np.asarray(part)
    # One index type, whatever the parts hold: equal rows are told by their bytes.
    indices = part.indices.astype(np.int32 if part.shape[1] < 2**31 else np.int64, copy=False)
    whole = sp.csr_matrix((part.data, indices, part.indptr), shape=part.shape)
    if not whole.has_canonical_format:
        whole = whole.copy()  # a chunk may be the user's
        whole.sum_duplicates()
    return whole


def _stack(parts: list[Piece]) -> Piece:
    if sp.issparse(parts[0]):
        return parts[0] if len(parts) == 1 else sp.vstack(parts, format="csr")
    # In C order also where columns were chosen: sums depend on the order in their last bit.
    return np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.ascontiguousarray(np.concatenate(parts))
