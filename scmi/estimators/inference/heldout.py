"""Held-out pairs on fixed latent points: what every test and error of an estimate starts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scmi.estimators.inputs.checks import as_codes, check_same_length
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.matrices import as_points
from scmi.typing import Index, MatrixLike, Values

__all__ = ["MAX_TESTED", "HeldOut", "one_of_each", "some_rows"]

# Pairs per fold that tests and errors look at. On one core they take 1.5 s for 2,000 samples of 200 features, whose
# training takes 2.1 s; with more pairs they would outgrow the training.
MAX_TESTED = 700


@dataclass(frozen=True, eq=False, init=False)
class HeldOut:
    """The pairs that one fold's models never saw, as those models encode them; one random pairing of the barcodes.

    Checked when it is made: points in double precision, labels as integers from 0.

    Parameters
    ----------
    x, y
        Pairs x latent dimensions; row i of both is one pair.
    groups
        A label for each pair. Pairs that share one are not independent of each other: cells of a clone, barcodes that
        share cells. By default each pair is its own group.
    strata
        A label for each pair (batch, well, library): a stratum's pairs are exchangeable with each other only.
    barcodes
        The number of each pair's barcode, none twice. Pairs of one barcode in several folds, as several splits make
        them, are permuted and drawn together. By default no pair is in another fold.

    Raises
    ------
    ValueError
        If rows don't match, or a value or label is missing.
    """

    x: Values
    y: Values
    groups: Index
    strata: Index
    barcodes: Index

    def __init__(
        self,
        x: MatrixLike,
        y: MatrixLike,
        groups: ArrayLike | None = None,
        strata: ArrayLike | None = None,
        barcodes: ArrayLike | None = None,
    ) -> None:
        check_aligned(x=x, y=y, groups=groups, strata=strata)
        points_x, points_y = as_points(x, "`x`"), as_points(y, "`y`")
        n = check_same_length(points_x, points_y, "`x`", "`y`")
        numbers = np.full(n, -1) if barcodes is None else np.asarray(barcodes, dtype=np.int64)
        if numbers.shape != (n,) or (numbers >= 0).all() and len(np.unique(numbers)) < n:
            raise ValueError(f"`barcodes` must be {n} different numbers from 0, one for each pair.")
        checked: dict[str, Values | Index] = {
            "x": points_x,
            "y": points_y,
            "groups": np.arange(n) if groups is None else as_codes(groups, n, "`groups`"),
            "strata": np.zeros(n, np.int64) if strata is None else as_codes(strata, n, "`strata`"),
            "barcodes": numbers,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Index) -> "HeldOut":
        """Some of the pairs."""
        return HeldOut(*(part[rows] for part in (self.x, self.y, self.groups, self.strata, self.barcodes)))

    def one_per_group(self, rng: np.random.Generator) -> Index:
        """Rows of one random pair of each group, in the order of the rows."""
        return one_of_each(self.groups, rng)


def one_of_each(groups: Index, rng: np.random.Generator) -> Index:
    """One random member of each group, in their order."""
    shuffled = rng.permutation(len(groups))
    _, first = np.unique(groups[shuffled], return_index=True)
    members: Index = np.sort(shuffled[first])
    return members


def some_rows(n: int, rng: np.random.Generator) -> Index:
    """Rows of at most ``MAX_TESTED`` of n pairs, drawn at random, in order."""
    rows: Index = np.sort(rng.permutation(n)[:MAX_TESTED])
    return rows
