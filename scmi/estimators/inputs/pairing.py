"""Which rows of x may be paired with which rows of y, how pairs are drawn, and how they are split."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import hadamard
from scipy.sparse.csgraph import connected_components

from scmi.typing import Index

from .checks import TooFew

__all__ = [
    "N_BLOCKS",
    "Draw",
    "Pairing",
    "check_enough",
    "halves",
    "linked",
    "most_splits",
    "partition",
    "rowwise",
    "split",
]

# Halves of 10: 8 pairs to train on, 2 to stop by, and enough on the other side for a third neighbour.
MIN_PAIRS = 20
# A group that holds more of the pairs than this leaves no two halves.
MAX_SHARE = 0.6
# Blocks that several splits are made of.
N_BLOCKS = 8
GROUPS_PER_BLOCK = 5


class Draw(NamedTuple):
    """Drawn pairs: row ``row_x[i]`` of x with row ``row_y[i]`` of y, for barcode ``barcode[i]`` in ``pairing[i]``."""

    pairing: Index
    barcode: Index
    row_x: Index
    row_y: Index


@dataclass(frozen=True)
class Pairing:
    """The rows of each side that carry each shared barcode.

    ``rows_x[indptr_x[i]:indptr_x[i + 1]]`` carry barcode i, likewise for y. Barcodes with the same label in ``groups``
    share cells (or were declared to belong together) and never part across a split. Where both sides hold the same
    cells, ``same[row_x]`` is the row of y that is the same cell, or -1, and no row is paired with that.
    """

    indptr_x: Index
    rows_x: Index
    indptr_y: Index
    rows_y: Index
    groups: Index
    same: Index | None = None

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def has_choice(self) -> bool:
        """Whether some barcode has several rows to draw from."""
        return max(len(self.rows_x), len(self.rows_y)) > len(self)

    @cached_property
    def cells_are_shared(self) -> bool:
        """Whether some row carries several barcodes."""
        return any(len(np.unique(rows)) < len(rows) for rows in (self.rows_x, self.rows_y))

    def draw(self, rng: np.random.Generator, n_pairings: int = 1, barcodes: Index | None = None) -> Draw:
        """Draw one row per barcode and side, at random for each pairing.

        Over several pairings a barcode's rows take turns in random order, so that each of c rows is drawn within any
        c pairings, counted from a multiple of c.

        Where cells carry several barcodes, the same couple can be drawn for two of them; it is kept once, because exact
        copies of a joint sample break KSG.
        """
        barcodes = np.arange(len(self)) if barcodes is None else barcodes
        pairing = np.repeat(np.arange(n_pairings), len(barcodes))
        barcode = np.tile(barcodes, n_pairings)
        row_x = _draw_rows(self.indptr_x, self.rows_x, barcodes, n_pairings, rng)
        row_y = _draw_rows(self.indptr_y, self.rows_y, barcodes, n_pairings, rng)
        if self.same is not None:
            row_y = self._apart(barcode, row_x, row_y, rng)
        drawn = Draw(pairing, barcode, row_x, row_y)
        if not self.cells_are_shared:
            return drawn
        couple = pairing * (self.rows_x.max() + 1) + row_x
        _, couple = np.unique(couple, return_inverse=True)
        _, first = np.unique(couple * (self.rows_y.max() + 1) + row_y, return_index=True)
        first.sort()
        return Draw(*(part[first] for part in drawn))

    def take(self, barcodes: Index, groups: Index) -> "Pairing":
        """Some of the barcodes, in the order given, with groups of their own."""
        sides = []
        for indptr, rows in ((self.indptr_x, self.rows_x), (self.indptr_y, self.rows_y)):
            count = np.diff(indptr)[barcodes]
            starts = np.concatenate([[0], np.cumsum(count)])
            # Of each barcode, its first entry and the ones after it.
            sides += [starts, rows[np.repeat(indptr[:-1][barcodes] - starts[:-1], count) + np.arange(starts[-1])]]
        return Pairing(sides[0], sides[1], sides[2], sides[3], groups, self.same)

    def apart(self) -> tuple["Pairing", Index]:
        """Without rows that could only be paired with themselves; also the barcodes that are left, by their numbers."""
        if self.same is None:
            return self, np.arange(len(self))
        barcode_x = np.repeat(np.arange(len(self)), np.diff(self.indptr_x))
        barcode_y = np.repeat(np.arange(len(self)), np.diff(self.indptr_y))
        # A row's only possible partner is itself where its barcode has no other row on that side.
        of_x, of_y = self.same[self.rows_x], self.rows_y
        only_y, only_x = of_y[self.indptr_y[:-1]], self.rows_x[self.indptr_x[:-1]]
        alone_y, alone_x = np.diff(self.indptr_y) == 1, np.diff(self.indptr_x) == 1
        keep_x = ~(alone_y[barcode_x] & (of_x == only_y[barcode_x]))
        keep_y = ~(alone_x[barcode_y] & (self.same[only_x][barcode_y] == self.rows_y))
        count_x = np.bincount(barcode_x[keep_x], minlength=len(self))
        count_y = np.bincount(barcode_y[keep_y], minlength=len(self))
        left = np.flatnonzero((count_x > 0) & (count_y > 0))
        whole = Pairing(
            np.concatenate([[0], np.cumsum(count_x)]),
            self.rows_x[keep_x],
            np.concatenate([[0], np.cumsum(count_y)]),
            self.rows_y[keep_y],
            self.groups,
            self.same,
        )
        return whole.take(left, self.groups[left]), left

    def _apart(self, barcode: Index, row_x: Index, row_y: Index, rng: np.random.Generator) -> Index:
        """Another row of y, any of the barcode's others, for rows that were drawn with themselves."""
        assert self.same is not None
        itself = np.flatnonzero(self.same[row_x] == row_y)
        if not len(itself):
            return row_y
        start, count = self.indptr_y[barcode[itself]], np.diff(self.indptr_y)[barcode[itself]]
        row_y = row_y.copy()
        for at, first, n in zip(itself, start, count, strict=True):
            others = self.rows_y[first : first + n]
            others = others[others != row_y[at]]
            if len(others):  # permuted partners may leave none
                row_y[at] = others[rng.integers(len(others))]
        return row_y

    def rows_of(self, barcodes: Index) -> tuple[Index, Index]:
        """All rows of x and all rows of y that carry any of these barcodes, each once."""
        chosen = np.zeros(len(self), dtype=bool)
        chosen[barcodes] = True
        in_x = np.repeat(chosen, np.diff(self.indptr_x))
        in_y = np.repeat(chosen, np.diff(self.indptr_y))
        return np.unique(self.rows_x[in_x]), np.unique(self.rows_y[in_y])


def rowwise(n: int, groups: NDArray[np.generic] | None = None) -> Pairing:
    """Row i of x with row i of y; rows with the same label in ``groups`` belong together."""
    rows = np.arange(n)
    labels = rows if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return Pairing(np.arange(n + 1), rows, np.arange(n + 1), rows, labels)


def split(groups: Index, share: float, rng: np.random.Generator) -> tuple[Index, Index]:
    """Split barcodes at random, whole groups only; the second part holds about ``share`` of them."""
    labels, sizes = np.unique(groups, return_counts=True)
    order = rng.permutation(len(labels))
    filled = np.concatenate([[0], np.cumsum(sizes[order])])
    cut = int(np.argmin(np.abs(filled - share * sizes.sum())))
    cut = min(max(cut, 1), len(labels) - 1)  # two groups or more leave neither part empty
    second = np.zeros(len(labels), dtype=bool)
    second[order[:cut]] = True
    in_second = second[np.searchsorted(labels, groups)]
    return np.flatnonzero(~in_second), np.flatnonzero(in_second)


def partition(groups: Index, n_parts: int, rng: np.random.Generator) -> Index:
    """A part for each barcode: at random, of about equal size, whole groups only."""
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    part = np.empty(len(sizes), np.int64)
    part[order] = (middle * n_parts / len(groups)).astype(np.int64)
    placed: Index = part[codes]
    return placed


def halves(groups: Index, n_splits: int, rng: np.random.Generator) -> list[tuple[Index, Index]]:
    """Split the barcodes in halves, several times, whole groups only.

    Several splits are made of the same eight blocks, four to a half, such that any two of them have two blocks of each
    half in common (rows of a Hadamard matrix). All are then as different as can be, and barcodes of a block are
    exchangeable in every one of them.
    """
    if n_splits == 1:
        return [split(groups, 0.5, rng)]
    block = partition(groups, N_BLOCKS, rng)
    signs = hadamard(N_BLOCKS)[1 : n_splits + 1]
    return [(np.flatnonzero(row[block] > 0), np.flatnonzero(row[block] < 0)) for row in signs]


def most_splits(groups: Index) -> int:
    """How many splits of eight blocks there can be: one where groups are too few, or one too large, for even blocks."""
    sizes = np.unique(groups, return_counts=True)[1]
    enough = len(sizes) >= GROUPS_PER_BLOCK * N_BLOCKS and sizes.max() * N_BLOCKS <= len(groups)
    return N_BLOCKS - 1 if enough else 1


def linked(n: int, a: Index, b: Index) -> Index:
    """Which of n things hang together if ``a[i]`` and ``b[i]`` do: codes from 0, in the order of appearance."""
    graph = sp.coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def check_enough(pairing: Pairing, k: int, more: str = "more samples") -> None:
    """Raise if the barcodes are too few, or too tied together, to be split in halves; ``more`` is what to use then."""
    n = len(pairing)
    needed = max(MIN_PAIRS, 2 * (k + 1))
    if n < needed:
        raise TooFew(
            f"Only {n} pairs to estimate from; at least {needed} are needed, since half of them train the models and "
            f"the other half is estimated. Use {more}{' or a smaller k' if needed > MIN_PAIRS else ''}."
        )
    sizes = np.unique(pairing.groups, return_counts=True)[1]
    if sizes.max() > MAX_SHARE * n:
        way_out = (
            "Give each cell one barcode: cells that carry several tie their barcodes together."
            if pairing.cells_are_shared
            else "Pass finer groups."
        )
        raise TooFew(
            f"{sizes.max()} of {n} pairs belong to one group and may not part, so there are no two halves to split "
            f"into. {way_out}"
        )


def _draw_rows(indptr: Index, rows: Index, barcodes: Index, n_pairings: int, rng: np.random.Generator) -> Index:
    start, count = indptr[:-1][barcodes], np.diff(indptr)[barcodes]
    drawn = np.tile(start, (n_pairings, 1))
    several = np.flatnonzero(count > 1)
    if len(several):
        drawn[:, several] += _turns(count[several], n_pairings, rng)
    picked: Index = rows[drawn.ravel()]
    return picked


def _turns(count: Index, n_pairings: int, rng: np.random.Generator) -> Index:
    """For each pairing and barcode a number below the barcode's count, in rounds that take every number once."""
    if n_pairings == 1:
        return (rng.random((1, len(count))) * count).astype(np.int64)
    barcode = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    key = rng.random(len(barcode))
    turns = np.empty((n_pairings, len(count)), dtype=np.int64)
    for pairing in range(n_pairings):
        turn = pairing % count
        if pairing:
            anew = (turn == 0)[barcode]
            key[anew] = rng.random(int(anew.sum()))
        # Within a barcode, its entries in the order of their random keys.
        order = np.lexsort((key, barcode))
        turns[pairing] = order[start + turn] - start
    return turns
