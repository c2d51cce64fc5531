"""What inputs may be, for type checkers and readers; nothing here is imported at run time but NumPy."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bits", "Index", "Matrix", "MatrixLike", "Rng", "Values"]

Index = NDArray[np.int64]
"""Row numbers, codes and counts."""

Values = NDArray[np.float64]
"""Real numbers in double precision."""

Bits = NDArray[np.float64]
"""Information in bits."""

Rng = int | np.random.Generator | None
"""A seed, a generator, or None for a seed of the system's."""


class Shaped(Protocol):
    """Whatever says how large it is: SciPy's sparse matrices, frames, tensors, Dask arrays, HDF5 datasets."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples and features."""


MatrixLike = ArrayLike | Shaped
"""Samples x features: NumPy array, SciPy sparse, pandas or polars frame, torch tensor, Dask array or HDF5 dataset."""


class Matrix(Protocol):
    """A checked input: a NumPy array, CSR, or a matrix that stays on disk or in Dask chunks."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """Samples and features."""

    @property
    def ndim(self) -> int:
        """2."""

    @property
    def dtype(self) -> Any:
        """Type of the values."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Some rows."""
