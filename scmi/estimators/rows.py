"""Rows of one side, standardised, clipped, and cut into float32 batches on the device."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.sparsefuncs import mean_variance_axis
from torch import Tensor

from ._validation import Matrix, is_sparse

__all__ = ["Rows", "Scale", "fit_scale"]

CLIP = 10.0
# A sparse matrix that fits here as dense float32 is densified once; a larger one row by row as batches are cut.
RESIDENT_BYTES = 2**31
CHUNK = 4096


@dataclass(frozen=True)
class Scale:
    """Column means, and the factors that bring columns to unit variance (0 for constant columns)."""

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    def undo(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Standardised values in the units of the data; constant columns come back as their constant."""
        sd = np.divide(1.0, self.factor, out=np.zeros_like(self.factor), where=self.factor > 0)
        original: NDArray[np.float64] = values * sd + self.mean
        return original


def fit_scale(matrix: Matrix, rows: NDArray[np.int64]) -> Scale:
    """The scale of some rows (those of the training half)."""
    if is_sparse(matrix):
        mean, variance = mean_variance_axis(matrix[rows].astype(np.float64), axis=0)
        return _as_scale(mean, variance)
    mean = np.zeros(matrix.shape[1])
    for chunk in _chunks(matrix, rows):
        mean += chunk.sum(axis=0)
    mean /= len(rows)
    variance = np.zeros(matrix.shape[1])
    for chunk in _chunks(matrix, rows):
        variance += ((chunk - mean) ** 2).sum(axis=0)
    return _as_scale(mean, variance / len(rows))


def _as_scale(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> Scale:
    sd = np.sqrt(variance)
    # A constant column may come out with the rounding error of its mean as its sd.
    varies = sd > 1e-7 * np.abs(mean)
    return Scale(mean, np.divide(1.0, sd, out=np.zeros_like(sd), where=varies))


def _chunks(matrix: Matrix, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(rows), CHUNK):
        yield _dense(matrix[rows[start : start + CHUNK]])


def _dense(chunk: Matrix) -> NDArray[np.float64]:
    values = chunk.toarray() if is_sparse(chunk) else chunk
    return np.asarray(values, dtype=np.float64)


class Rows:
    """Standardised rows of one matrix.

    Parameters
    ----------
    matrix
        Samples x features, dense or CSR.
    scale
        Means and factors to standardise with.
    device
        Where batches are wanted.
    resident
        Whether rows are wanted many times, so that standardising them once and keeping them on the device pays.
    """

    def __init__(self, matrix: Matrix, scale: Scale, device: torch.device, *, resident: bool = True) -> None:
        self._matrix = matrix
        self._scale = scale
        self._device = device
        self._resident: Tensor | None = None
        if resident and (not is_sparse(matrix) or matrix.shape[0] * matrix.shape[1] * 4 <= RESIDENT_BYTES):
            self._resident = torch.cat(
                [self._cut(np.arange(s, min(s + CHUNK, len(self)))) for s in range(0, len(self), CHUNK)]
            )

    def __len__(self) -> int:
        return int(self._matrix.shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self._matrix.shape[1])

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Some rows as a float32 tensor on the device."""
        if self._resident is None:
            return self._cut(rows)
        return self._resident[torch.from_numpy(rows).to(self._device)]

    def _cut(self, rows: NDArray[np.int64]) -> Tensor:
        values = (_dense(self._matrix[rows]) - self._scale.mean) * self._scale.factor
        np.clip(values, -CLIP, CLIP, out=values)
        return torch.from_numpy(values.astype(np.float32)).to(self._device)
