"""Moments of the kernel's values over barcodes: what canonical functions are worked out from."""

from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.pairing import Pairing
from scmi.typing import Index

from .half import MAX_FITTED, fitting_pairs

__all__ = ["Cells", "Moments", "SideValues", "cells_of"]


class Cells(NamedTuple):
    """Rows of one side, barcode by barcode.

    Parameters
    ----------
    rows
        Of the matrix.
    owner
        To which barcode each belongs, as a number from 0 on.
    """

    rows: Index
    owner: Index


class SideValues:
    """The kernel's values of one side's cells, in double precision, since they are about to be whitened.

    Parameters
    ----------
    values
        Cells x landmarks.
    owner
        Barcode of each cell.
    """

    def __init__(self, values: Tensor, owner: Index) -> None:
        values, count = values.cpu().double(), torch.from_numpy(np.bincount(owner))
        self._owner = torch.from_numpy(owner)
        # The mean of each barcode, and cells weighed so that each barcode counts as much as any other.
        self.mean = self.weighed = values
        if len(count) < len(values):
            share = 1 / count.double()[self._owner][:, None]
            zeros = torch.zeros((len(count), values.shape[1]), dtype=values.dtype)
            self.mean, self.weighed = zeros.index_add_(0, self._owner, values * share), values * share.sqrt()

    def of(self, barcodes: Tensor) -> tuple[Tensor, Tensor]:
        """Means of some barcodes, and their weighed cells."""
        return self.mean[barcodes], self.weighed[barcodes[self._owner]]


class Moments(NamedTuple):
    """Sums over barcodes of the kernel's mean values, of their squares in single cells, and of products of both sides.

    The mean product of all couples of a barcode's cells is the product of their means, so that none need be drawn.
    """

    n: int
    x: Tensor
    y: Tensor
    xx: Tensor
    yy: Tensor
    xy: Tensor

    @classmethod
    def of(cls, x: SideValues, y: SideValues, barcodes: Tensor) -> Self:
        """Those of the barcodes that a mask chooses."""
        (mean_x, cells_x), (mean_y, cells_y) = x.of(barcodes), y.of(barcodes)
        return cls(
            len(mean_x),
            mean_x.sum(dim=0),
            mean_y.sum(dim=0),
            cells_x.T @ cells_x,
            cells_y.T @ cells_y,
            mean_x.T @ mean_y,
        )

    def without(self, other: "Moments") -> Self:
        """What is left without some of the barcodes."""
        return type(self)(
            self.n - other.n,
            self.x - other.x,
            self.y - other.y,
            self.xx - other.xx,
            self.yy - other.yy,
            self.xy - other.xy,
        )


def cells_of(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> tuple[Index, Cells, Cells]:
    """Barcodes and all of their cells on both sides; of many, or of the same cells on both sides, couples are drawn.

    Returns
    -------
    The barcodes that owners number, one for each couple where these are drawn, and the cells of x and of y.
    """
    barcodes = rng.permutation(barcodes)[:MAX_FITTED]
    some = pairing.take(barcodes, barcodes)
    if pairing.same is None and max(len(some.rows_x), len(some.rows_y)) <= MAX_FITTED:
        owners = (np.repeat(np.arange(len(barcodes)), np.diff(indptr)) for indptr in (some.indptr_x, some.indptr_y))
        owner_x, owner_y = owners
        return barcodes, Cells(some.rows_x, owner_x), Cells(some.rows_y, owner_y)
    pairs = fitting_pairs(pairing, barcodes, rng)
    each = np.arange(len(pairs.barcode))
    return pairs.barcode, Cells(pairs.row_x, each), Cells(pairs.row_y, each)
