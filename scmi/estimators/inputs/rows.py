"""Rows of one side, standardised, clipped, and cut into float32 batches on the device."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scmi._warnings import warn
from scmi.typing import Index, Matrix, Values

from .stored import Piece, Stored, is_sparse, pieces

__all__ = ["Rows", "Scale", "fit_scale"]

CLIP = 10.0
# Columns whose largest value is beyond this, or below its inverse, are scaled before they are squared.
EXTREME = 1e100
# Values are wild if they lie beyond so many median deviations (five standard deviations of a Gaussian) and are no more
# than a hundredth of the column, and yet make its standard deviation as large as that. Markers of rare cells do not.
WILD, FEW = 7.4, 0.01
# Where they are many, as in a Cauchy distribution, they are let be, but for what would leave the others no digits.
EXTREMELY_WILD = 1e3
# Rows that tell the median deviation.
N_SAMPLED = 256
# A smaller standard deviation has no inverse in double precision.
SMALLEST = 1e-300
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


def fit_scale(matrix: Matrix, rows: Index, *, common: bool = False, name: str = "The matrix") -> Scale:
    """The scale of some rows (those of the training half).

    With ``common``, columns keep their relative size and have unit variance on average: those of a principal component
    analysis say by it what is signal and what noise. A few values far beyond all others are told of, by ``name``.
    """
    scale = _scale_of_columns(matrix, rows, name)
    varies = scale.factor > 0
    if not common or not varies.any():
        return scale
    sd = 1 / scale.factor[varies]
    unit = float(_power_of_two(np.array([sd.max()]))[0])
    factor = np.where(varies, 1 / (unit * np.sqrt(np.mean((sd / unit) ** 2))), 0.0)
    limit = np.zeros_like(factor)
    limit[varies] = np.broadcast_to(scale.limit, factor.shape)[varies] * sd * factor[varies]
    return Scale(scale.mean, factor, limit)


def _scale_of_columns(matrix: Matrix, rows: Index, name: str) -> Scale:
    """Mean and standard deviation; a column is constant if its least value is its largest, whatever rounding leaves."""
    moments = _sparse_moments if is_sparse(matrix) else _dense_moments
    mean, sd, low, high = moments(matrix, rows)
    limit, n_wild = _tame(matrix, rows, mean, sd)
    if n_wild:
        warn(
            f"wild values of {name}",
            f"{name} has {n_wild} of {matrix.shape[1]} columns with a few values far beyond all others, which make up "
            "most of their standard deviation. They are clipped: drop or mend the rows that have them by mistake.",
        )
    varies = (high > low) & (sd > SMALLEST)
    return Scale(mean, np.divide(1.0, sd, out=np.zeros_like(sd), where=varies), limit if n_wild else CLIP)


def _tame(matrix: Matrix, rows: Index, mean: Values, sd: Values) -> tuple[Values, int]:
    """Mean and deviation of columns whose few wild values would hide all others, as if they lay where they are clipped.

    One row of a million deviations would leave the others no room in the latent space, and in single precision no
    digits.

    Returns
    -------
    Where each column is clipped, in the standard deviations that it has then, and how many columns are wild.
    """
    limit = np.full_like(sd, CLIP)
    sample = _dense(matrix[np.sort(rows)[:: -(-len(rows) // N_SAMPLED)]])
    middle = np.median(sample, axis=0)
    typical = np.median(np.abs(sample - middle), axis=0)
    wild = np.flatnonzero((typical > 0) & (sd > WILD * typical))
    if not len(wild):
        return limit, 0
    n_beyond = np.zeros(len(wild))
    for chunk in _chunks(matrix, rows):
        n_beyond += (np.abs(chunk[:, wild] - middle[wild]) > WILD * typical[wild]).sum(axis=0)
    few = n_beyond <= max(FEW * len(rows), 1)
    tamed = few | (sd[wild] > EXTREMELY_WILD * typical[wild])
    wild, within = wild[tamed], np.where(few, WILD, EXTREMELY_WILD)[tamed] * typical[wild[tamed]]
    total, squares = np.zeros((2, len(wild)))
    for chunk in _chunks(matrix, rows):
        clipped = np.clip(chunk[:, wild] - middle[wild], -within, within)
        total += clipped.sum(axis=0)
        squares += (clipped**2).sum(axis=0)
    shift = total / len(rows)
    mean[wild] = middle[wild] + shift
    sd[wild] = np.sqrt(squares / len(rows) - shift**2)
    limit[wild] = np.minimum(CLIP, within / sd[wild])
    return limit, len(wild)


def _power_of_two(largest: Values) -> Values:
    """What to divide columns by so that their squares neither overflow nor vanish: 1 but for extreme ones.

    Division by a power of two changes no digit.
    """
    extreme = (largest > EXTREME) | ((largest > 0) & (largest < 1 / EXTREME))
    return np.where(extreme, np.exp2(np.floor(np.log2(np.where(extreme, largest, 1.0)))), 1.0)


def _dense_moments(matrix: Matrix, rows: Index) -> tuple[Values, Values, Values, Values]:
    """Mean, standard deviation, least and largest of the columns."""
    total = np.zeros(matrix.shape[1])
    low, high = np.full_like(total, np.inf), np.full_like(total, -np.inf)
    for chunk in _chunks(matrix, rows):
        total += chunk.sum(axis=0)
        low, high = np.minimum(low, chunk.min(axis=0)), np.maximum(high, chunk.max(axis=0))
    mean = total / len(rows)
    unit = _power_of_two(np.maximum(np.abs(low), np.abs(high)))
    squares = np.zeros_like(total)
    for chunk in _chunks(matrix, rows):
        squares += (((chunk - mean) / unit) ** 2).sum(axis=0)
    return mean, np.sqrt(squares / len(rows)) * unit, low, high


def _sparse_moments(matrix: Matrix, rows: Index) -> tuple[Values, Values, Values, Values]:
    """The same, with the correction for what rounding leaves of the sum of deviations."""
    total, deviations, squares = np.zeros((3, matrix.shape[1]))
    low, high = np.full_like(total, np.inf), np.full_like(total, -np.inf)
    n_stored = np.zeros(matrix.shape[1], dtype=np.int64)
    for chunk in pieces(matrix, rows, CHUNK):
        data = chunk.data.astype(np.float64)
        np.add.at(total, chunk.indices, data)
        np.minimum.at(low, chunk.indices, data)
        np.maximum.at(high, chunk.indices, data)
        n_stored += np.bincount(chunk.indices, minlength=len(total))
    mean = total / len(rows)
    n_zero = len(rows) - n_stored
    low, high = np.where(n_zero > 0, np.minimum(low, 0), low), np.where(n_zero > 0, np.maximum(high, 0), high)
    unit = _power_of_two(np.maximum(np.abs(low), np.abs(high)))
    for chunk in pieces(matrix, rows, CHUNK):
        deviation = (chunk.data - mean[chunk.indices]) / unit[chunk.indices]
        np.add.at(deviations, chunk.indices, deviation)
        np.add.at(squares, chunk.indices, deviation**2)
    deviations -= n_zero * (mean / unit)
    squares += n_zero * (mean / unit) ** 2
    variance = np.maximum(squares - deviations**2 / len(rows), 0) / len(rows)
    return mean, np.sqrt(variance) * unit, low, high


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
    """

    def __init__(self, matrix: Matrix, scale: Scale, device: torch.device) -> None:
        self._matrix = matrix
        self._scale = scale
        self._device = device
        self.n_features = int(matrix.shape[1])
        self._resident: Tensor | None = None
        self._place: Index = np.empty(0, np.int64)

    def keeping(self, rows: Index) -> Self:
        """The same, with rows that are wanted many times standardised once and kept on the device, where they fit.

        Batches are then taken from these rows only.
        """
        in_memory = not (is_sparse(self._matrix) or isinstance(self._matrix, Stored))
        if not in_memory and len(rows) * self.n_features * 4 > RESIDENT_BYTES:
            return self
        kept = copy(self)
        # A row that was not kept has a place past the end.
        kept._place = np.full(len(self), len(rows))
        kept._place[rows] = np.arange(len(rows))
        kept._resident = torch.empty((len(rows), self.n_features), device=self._device)
        for start, batch in zip(range(0, len(rows), CHUNK), self.batches(rows, CHUNK), strict=True):
            kept._resident[start : start + len(batch)] = batch
        return kept

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
