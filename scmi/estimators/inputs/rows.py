"""Rows of one side, standardised, clipped, and cut into float32 batches on the device."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scmi.typing import Index, Matrix, Values

from .stored import Piece, Stored, is_sparse, pieces

__all__ = ["Rows", "Scale", "fit_scale"]

CLIP = 10.0
# Rows of a sparse or stored matrix that fit here as dense float32 are densified once; of a larger one as batches are
# cut.
RESIDENT_BYTES = 2**30
CHUNK = 4096


@dataclass(frozen=True)
class Scale:
    """Column means, factors that bring columns to unit variance (0 for constant ones), and where to clip then."""

    mean: Values
    factor: Values
    limit: Values | float = CLIP

    def undo(self, values: NDArray[np.float32]) -> Values:
        """Standardised values in the units of the data; constant columns come back as their constant."""
        sd = np.divide(1.0, self.factor, out=np.zeros_like(self.factor), where=self.factor > 0)
        original: Values = values * sd + self.mean
        return original


def fit_scale(matrix: Matrix, rows: Index, *, common: bool = False) -> Scale:
    """The scale of some rows (those of the training half).

    With ``common``, columns keep their relative size and have unit variance on average: those of a principal component
    analysis say by it what is signal and what noise.
    """
    scale = _scale_of_columns(matrix, rows)
    varies = scale.factor > 0
    if not common or not varies.any():
        return scale
    sd = 1 / scale.factor[varies]
    factor = np.where(varies, 1 / np.sqrt(np.mean(sd**2)), 0.0)
    limit = np.zeros_like(factor)
    limit[varies] = CLIP * sd * factor[varies]
    return Scale(scale.mean, factor, limit)


def _scale_of_columns(matrix: Matrix, rows: Index) -> Scale:
    if is_sparse(matrix):
        return _as_scale(*_sparse_moments(matrix, rows))
    mean = np.zeros(matrix.shape[1])
    for chunk in _chunks(matrix, rows):
        mean += chunk.sum(axis=0)
    mean /= len(rows)
    variance = np.zeros(matrix.shape[1])
    for chunk in _chunks(matrix, rows):
        variance += ((chunk - mean) ** 2).sum(axis=0)
    return _as_scale(mean, variance / len(rows))


def _as_scale(mean: Values, variance: Values) -> Scale:
    sd = np.sqrt(variance)
    # A constant column may come out with the rounding error of its mean as its sd.
    varies = sd > 1e-7 * np.abs(mean)
    return Scale(mean, np.divide(1.0, sd, out=np.zeros_like(sd), where=varies))


def _sparse_moments(matrix: Matrix, rows: Index) -> tuple[Values, Values]:
    """Mean and variance of the columns, with the correction for what rounding leaves of the sum of deviations."""
    total, deviations, squares = np.zeros((3, matrix.shape[1]))
    n_stored = np.zeros(matrix.shape[1], dtype=np.int64)
    for chunk in pieces(matrix, rows, CHUNK):
        np.add.at(total, chunk.indices, chunk.data.astype(np.float64))
        n_stored += np.bincount(chunk.indices, minlength=len(total))
    mean = total / len(rows)
    for chunk in pieces(matrix, rows, CHUNK):
        deviation = chunk.data - mean[chunk.indices]
        np.add.at(deviations, chunk.indices, deviation)
        np.add.at(squares, chunk.indices, deviation**2)
    n_zero = len(rows) - n_stored
    deviations -= n_zero * mean
    squares += n_zero * mean**2
    return mean, (squares - deviations**2 / len(rows)) / len(rows)


def _chunks(matrix: Matrix, rows: Index) -> Iterator[Values]:
    return map(_dense, pieces(matrix, rows, CHUNK))


def _dense(chunk: Piece) -> Values:
    values = chunk.toarray() if is_sparse(chunk) else chunk
    return np.asarray(values, dtype=np.float64)


class Rows:
    """Standardised rows of one matrix.

    Parameters
    ----------
    matrix
        Samples x features: dense, CSR or stored.
    scale
        Means and factors to standardise with.
    device
        Where batches are wanted.
    keep
        Rows that are wanted many times: where they fit they are standardised once and kept on the device, and batches
        are taken from these rows only.
    """

    def __init__(self, matrix: Matrix, scale: Scale, device: torch.device, *, keep: Index | None = None) -> None:
        self._matrix = matrix
        self._scale = scale
        self._device = device
        self.n_features = int(matrix.shape[1])
        self._resident: Tensor | None = None
        if keep is None:
            return
        in_memory = not (is_sparse(matrix) or isinstance(matrix, Stored))
        if in_memory or len(keep) * self.n_features * 4 <= RESIDENT_BYTES:
            # A row that was not kept has a place past the end.
            self._place = np.full(len(self), len(keep))
            self._place[keep] = np.arange(len(keep))
            self._resident = torch.empty((len(keep), self.n_features), device=device)
            for start, batch in zip(range(0, len(keep), CHUNK), self.batches(keep, CHUNK), strict=True):
                self._resident[start : start + len(batch)] = batch

    def __len__(self) -> int:
        return int(self._matrix.shape[0])

    def batch(self, rows: Index) -> Tensor:
        """Some rows as a float32 tensor on the device."""
        if self._resident is None:
            return self._standardised(self._matrix[rows])
        return self._resident[self._at(rows)]

    def through(self, layer: Callable[[Tensor], Tensor], rows: Index) -> Self:
        """What a layer makes of some rows, kept on the device."""
        mapped = copy(self)
        batches = [self._resident[self._at(rows)]] if self._resident is not None else self.batches(rows, CHUNK)
        with torch.no_grad():
            mapped._resident = torch.cat([layer(batch) for batch in batches])
        mapped._place = np.full(len(self), len(rows))
        mapped._place[rows] = np.arange(len(rows))
        mapped.n_features = int(mapped._resident.shape[1])
        return mapped

    def batches(self, rows: Index, size: int) -> Iterator[Tensor]:
        """Rows that are wanted once, so many at a time."""
        return map(self._standardised, pieces(self._matrix, rows, size))

    def _at(self, rows: Index) -> Tensor:
        return torch.from_numpy(self._place[rows]).to(self._device)

    def _standardised(self, values: Piece) -> Tensor:
        standardised = _dense(values) - self._scale.mean
        standardised *= self._scale.factor
        np.clip(standardised, -self._scale.limit, self._scale.limit, out=standardised)
        return torch.from_numpy(standardised.astype(np.float32)).to(self._device)
