"""Held-out pairs on fixed latent points: what every test and error of an estimate starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ._validation import as_points, check_same_length

__all__ = ["HeldOut", "Points"]

Index = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """The pairs that one fold's networks never saw, as those networks encode them; one random pairing of the barcodes.

    Parameters
    ----------
    x, y
        Pairs x latent dimensions; row i of both is one pair.
    groups
        A label for each pair. Pairs that share one are not independent of each other: cells of a clone, barcodes that
        share cells. By default each pair is its own group.
    strata
        A label for each pair (batch, well, library): a stratum's pairs are exchangeable with each other only.
    """

    x: ArrayLike
    y: ArrayLike
    groups: ArrayLike | None = None
    strata: ArrayLike | None = None


@dataclass(frozen=True)
class Points:
    """A checked fold: float64 points, and labels as integers from 0."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: Index
    strata: Index

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Index) -> "Points":
        """Some of the pairs."""
        return Points(self.x[rows], self.y[rows], self.groups[rows], self.strata[rows])

    def one_per_group(self, rng: np.random.Generator) -> Index:
        """Rows of one random pair of each group, in the order of the rows."""
        shuffled = rng.permutation(len(self))
        _, first = np.unique(self.groups[shuffled], return_index=True)
        rows: Index = np.sort(shuffled[first])
        return rows


def as_folds(folds: Sequence[HeldOut]) -> list[Points]:
    """Check every fold's pairs and labels."""
    if not folds:
        raise ValueError("`folds` is empty; pass the held-out pairs of at least one fold.")
    return [_as_points(fold, f"folds[{i}]") for i, fold in enumerate(folds)]


def _as_points(fold: HeldOut, name: str) -> Points:
    x, y = as_points(fold.x, f"{name}.x"), as_points(fold.y, f"{name}.y")
    n = check_same_length(x, y, f"{name}.x", f"{name}.y")
    groups = np.arange(n) if fold.groups is None else as_codes(fold.groups, n, f"{name}.groups")
    strata = np.zeros(n, np.int64) if fold.strata is None else as_codes(fold.strata, n, f"{name}.strata")
    return Points(x, y, groups, strata)


def as_codes(labels: Any, n: int, name: str) -> Index:
    """Labels as integers from 0; a missing label raises."""
    codes, _ = pd.factorize(np.asarray(labels))
    if codes.shape != (n,):
        raise ValueError(f"{name} has shape {np.shape(labels)}; expected one label for each of {n} pairs.")
    if (codes < 0).any():
        raise ValueError(
            f"{name} has {int((codes < 0).sum())} missing labels, the first at pair {int(np.argmin(codes))}; "
            "leave these pairs out or label them."
        )
    return codes.astype(np.int64)
