"""Counts of equal depth: every cell down to the same total."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi.estimators.inputs.stored import is_sparse

__all__ = ["downsample"]


def downsample(counts: Any, where: str, rng: np.random.Generator) -> tuple[sp.csr_matrix[Any], int]:
    """Draw as many counts of each cell as the poorest has, without replacement.

    Parameters
    ----------
    counts
        Cells x genes, whole numbers.
    where
        What messages call the matrix.
    rng
        Draws.

    Returns
    -------
    The matrix, float32, and the common total.
    """
    matrix: sp.csr_matrix[Any] = sp.csr_matrix(counts if is_sparse(counts) else np.asarray(counts), copy=True)
    matrix.sum_duplicates()
    values = matrix.data
    if not np.isfinite(values).all() or (values < 0).any() or (values != np.rint(values)).any():
        raise ValueError(f"`{where}` must hold counts: whole numbers, none negative or missing.")
    whole = values.astype(np.int64)
    ends = np.cumsum(np.concatenate([[0], whole]))[matrix.indptr]
    total = int(np.diff(ends).min())
    if total == 0:
        cell = int(np.argmin(np.diff(ends)))
        raise ValueError(
            f"`{where}` has no counts in {int((np.diff(ends) == 0).sum())} cells, the first {cell}: drop them."
        )
    drawn = [
        _draw(whole[start:stop], total, rng) for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    ]
    lower = sp.csr_matrix((np.concatenate(drawn).astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    lower.eliminate_zeros()
    return lower, total


def _draw(counts: NDArray[np.int64], total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    drawn: NDArray[np.int64] = rng.multivariate_hypergeometric(counts, total, method="count")
    return drawn
