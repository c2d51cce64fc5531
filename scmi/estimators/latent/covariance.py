"""The cross-covariance of a training half and of its parts, from sums that are worked out once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.pairing import Pairing
from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index

from .half import CHUNK, MAX_FITTED, Half, Part, batches, fitting_pairs

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
    def of(cls, batches_of_both: Iterator[tuple[Tensor, Tensor]]) -> Self:
        """Those of matching batches."""
        n = 0
        sums: list[Tensor] = []
        for u, v in batches_of_both:
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
        barcodes = rng.permutation(half.training)[:MAX_FITTED]
        sums = [self._sums(barcodes[~np.isin(barcodes, fitted)], rng) for fitted, _ in parts]
        self.whole = sums[0] if sums else self._sums(barcodes, rng)
        for more in sums[1:]:
            self.whole = self.whole.combined(more, 1)
        self._left_out = sums

    def _sums(self, barcodes: Index, rng: np.random.Generator) -> CrossSums:
        """Over all couples of cells of each barcode at once: their mean product is the product of their means.

        Where both sides hold the same cells, which are no couple of themselves, couples are drawn.
        """
        half = self._half
        if half.pairing.same is None:
            return CrossSums.of(_barcode_means(half.x, half.y, half.pairing, barcodes))
        pairs = fitting_pairs(half.pairing, barcodes, rng)
        return CrossSums.of(zip(batches(half.x, pairs.row_x), batches(half.y, pairs.row_y), strict=True))

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
        return self._sums(rng.permutation(barcodes)[:MAX_FITTED], rng)


def _barcode_means(x: Rows, y: Rows, pairing: Pairing, barcodes: Index) -> Iterator[tuple[Tensor, Tensor]]:
    """The mean of each barcode's rows, on both sides, some thousand barcodes at a time."""
    for start in range(0, len(barcodes), CHUNK):
        some = pairing.take(barcodes[start : start + CHUNK], barcodes[start : start + CHUNK])
        yield (
            _means(x, some.indptr_x, some.rows_x),
            _means(y, some.indptr_y, some.rows_y),
        )


def _means(side: Rows, indptr: Index, rows: Index) -> Tensor:
    """The mean of each run of rows."""
    count = np.diff(indptr)
    if len(rows) == len(count):
        return side.batch(rows)
    owner = torch.from_numpy(np.repeat(np.arange(len(count)), count))
    total = torch.zeros((len(count), side.n_features))
    for i, batch in enumerate(batches(side, rows)):
        of_batch = owner[i * CHUNK : (i + 1) * CHUNK].to(batch.device)
        total = total.to(batch.device).index_add_(0, of_batch, batch)
    return total / torch.from_numpy(count).to(total)[:, None]
