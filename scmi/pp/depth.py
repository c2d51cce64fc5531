"""Counts of less depth: every cell down to the same total, or to a share of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scmi._slots import layer_names
from scmi.estimators.inputs.stored import as_stored, is_sparse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Counts", "counts_of", "downsample"]

# What `recipe_lmi` brings the totals to.
TARGET_SUM = 1e4


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
    matrix = _whole(counts, where)
    whole = matrix.data
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


def counts_of(adata: AnnData, name: str, counts_layer: str | None) -> tuple[Any, str]:
    """The matrix of raw counts, and what messages call it."""
    if counts_layer is not None and counts_layer not in adata.layers:
        raise KeyError(
            f"Did not find `counts_layer={counts_layer!r}` in `{name}.layers`, which has {layer_names(adata)}."
        )
    where = f"{name}.X" if counts_layer is None else f"{name}.layers[{counts_layer!r}]"
    matrix = adata.X if counts_layer is None else adata.layers[counts_layer]
    if matrix is None:
        raise ValueError(f"`{where}` is None; pass `counts_layer=`, one of {layer_names(adata)}.")
    if as_stored(matrix, where) is not None:
        raise ValueError(f"`{where}` is on disk or lazy: load it with `{name} = {name}.to_memory()` first.")
    return matrix, where


class Counts(NamedTuple):
    """The counts of the genes in use, and of all other genes together, which cells are normalised by.

    Parameters
    ----------
    used
        Cells x genes.
    rest
        What each cell has in all other genes.
    """

    used: sp.csr_matrix[Any]
    rest: NDArray[np.int64]

    @classmethod
    def of(cls, counts: Any, mask: NDArray[np.bool_] | None, where: str) -> Counts:
        """Those of a matrix of whole numbers, of which ``mask`` (None: all) are in use."""
        matrix = _whole(counts, where)
        if mask is None:
            return cls(matrix, np.zeros(matrix.shape[0], dtype=np.int64))
        used = matrix[:, np.flatnonzero(mask)]
        return cls(used, _totals(matrix) - _totals(used))

    @property
    def totals(self) -> NDArray[np.int64]:
        """All counts of each cell."""
        return _totals(self.used) + self.rest

    def take(self, rows: NDArray[np.int64]) -> Counts:
        """Those of some cells."""
        return Counts(self.used[rows], self.rest[rows])

    def thinned(self, share: float, rng: np.random.Generator) -> Counts:
        """What would have been counted at a share of the depth: each molecule is seen again with that probability."""
        if share == 1:
            return self
        seen = _binomial(self.used.data, share, rng)
        used = sp.csr_matrix((seen, self.used.indices.copy(), self.used.indptr.copy()), shape=self.used.shape)
        used.eliminate_zeros()
        return Counts(used, rng.binomial(self.rest, share))

    def logged(self) -> sp.csr_matrix[Any]:
        """Normalised to 10,000 a cell and logged, as :func:`scmi.pp.recipe_lmi` does it; a cell without counts is 0."""
        factor = TARGET_SUM / np.maximum(self.totals, 1)
        values = np.log1p(self.used.data * np.repeat(factor, np.diff(self.used.indptr))).astype(np.float32)
        return sp.csr_matrix((values, self.used.indices, self.used.indptr), shape=self.used.shape)


def _binomial(counts: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Of each count, how many are seen again; most are 1, for which a uniform number is the fastest draw."""
    seen = (rng.random(len(counts)) < share).astype(counts.dtype)
    several = np.flatnonzero(counts != 1)
    seen[several] = rng.binomial(counts[several], share)
    return seen


def _totals(matrix: sp.csr_matrix[Any]) -> NDArray[np.int64]:
    totals: NDArray[np.int64] = np.asarray(matrix.sum(axis=1, dtype=np.int64)).ravel()
    return totals


def _whole(counts: Any, where: str) -> sp.csr_matrix[Any]:
    """Whole numbers, int64, as a matrix of our own."""
    matrix: sp.csr_matrix[Any] = sp.csr_matrix(counts if is_sparse(counts) else np.asarray(counts), copy=True)
    matrix.sum_duplicates()
    values = matrix.data
    if values.dtype.kind not in "buif":
        raise TypeError(f"`{where}` must hold counts, got {values.dtype}.")
    if not np.isfinite(values).all() or (values < 0).any() or (values != np.rint(values)).any():
        raise ValueError(
            f"`{where}` must hold counts: whole numbers, none negative or missing. Raw ones may be in a layer."
        )
    return sp.csr_matrix((values.astype(np.int64), matrix.indices, matrix.indptr), shape=matrix.shape)
