"""The cross-covariance of a training half and of its parts, from sums that are worked out once."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index

from .half import Half, Part, batches, fitting_pairs

__all__ = ["Covariances", "CrossSums"]

# Entries of a cross-covariance that may be at hand at once: 2,800 x 2,800 columns.
MAX_ENTRIES = 2**23


class CrossSums(NamedTuple):
    """Sums over pairs of both sides, of their squares, and of their products."""

    n: int
    x: Tensor
    y: Tensor
    xx: Tensor
    yy: Tensor
    xy: Tensor

    @classmethod
    def of(cls, x: Rows, y: Rows, pairs: Draw) -> Self:
        """Those of some pairs."""
        n = 0
        sums: list[Tensor] = []
        for u, v in zip(batches(x, pairs.row_x), batches(y, pairs.row_y), strict=True):
            n += len(u)
            added = [u.sum(dim=0), v.sum(dim=0), u.square().sum(dim=0), v.square().sum(dim=0), u.T @ v]
            sums = [total + more for total, more in zip(sums, added, strict=True)] if sums else added
        return cls(n, *sums)

    def combined(self, other: "CrossSums", sign: int) -> Self:
        """With those of other pairs, or without them."""
        return type(self)(
            self.n + sign * other.n,
            *(mine + sign * theirs for mine, theirs in zip(self[1:], other[1:], strict=True)),
        )

    @property
    def covariance(self) -> Tensor:
        """Features of x by features of y."""
        return self.xy / self.n - torch.outer(self.x, self.y) / self.n**2

    @property
    def chance(self) -> Tensor:
        """The standard deviation that each entry has by chance, times the root of the number of samples."""
        sd_x, sd_y = (
            (square / self.n - (total / self.n).square()).clamp(min=0).sqrt()
            for square, total in ((self.xx, self.x), (self.yy, self.y))
        )
        return torch.outer(sd_x, sd_y)


class Covariances:
    """What linear families learn from, where it fits in memory.

    Parameters
    ----------
    half
        The training half.
    parts
        Those of its cross-validation.
    rng
        Draws the pairs.
    """

    def __init__(self, half: Half, parts: Sequence[Part], rng: np.random.Generator) -> None:
        self._half = half
        pairs = fitting_pairs(half.pairing, half.training, rng)
        sums = []
        for fitted, _ in parts:
            left_out = ~np.isin(pairs.barcode, fitted)
            sums.append(CrossSums.of(half.x, half.y, Draw(*(part[left_out] for part in pairs))))
        self.whole = sums[0] if sums else CrossSums.of(half.x, half.y, pairs)
        for more in sums[1:]:
            self.whole = self.whole.combined(more, 1)
        self._left_out = sums

    @staticmethod
    def fit_in_memory(half: Half) -> bool:
        """Whether there are not too many columns."""
        return half.x.n_features * half.y.n_features <= MAX_ENTRIES

    def without(self, part: int) -> CrossSums:
        """Those of the barcodes that one part is fitted to."""
        return self.whole.combined(self._left_out[part], -1)

    def of(self, barcodes: Index, rng: np.random.Generator) -> CrossSums:
        """Those of some barcodes of the half."""
        if len(barcodes) == len(self._half.training):
            return self.whole
        return CrossSums.of(self._half.x, self._half.y, fitting_pairs(self._half.pairing, barcodes, rng))
