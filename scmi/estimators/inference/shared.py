"""Folds that share barcodes, as several splits make them, seen barcode by barcode."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scmi.estimators.inputs.pairing import linked
from scmi.typing import Index

from .heldout import HeldOut, one_of_each

__all__ = ["Shared", "shared_folds"]


@dataclass(frozen=True)
class Shared:
    """Folds that hang together by their barcodes; a fold that shares none is by itself.

    Parameters
    ----------
    folds
        The held-out pairs of each.
    places
        For each fold, where its pairs are among the barcodes.
    groups
        A label for each barcode.
    """

    folds: list[HeldOut]
    places: list[Index]
    groups: Index

    def __len__(self) -> int:
        return len(self.groups)

    def one_per_group(self, rng: np.random.Generator) -> "Shared":
        """One random barcode of each group, in all folds."""
        return self.take(one_of_each(self.groups, rng))

    def take(self, kept: Index) -> "Shared":
        """Some of the barcodes, in all folds."""
        new = np.full(len(self), -1)
        new[kept] = np.arange(len(kept))
        rows = [np.flatnonzero(new[place] >= 0) for place in self.places]
        folds = [fold.take(of_fold) for fold, of_fold in zip(self.folds, rows, strict=True)]
        places = [new[place[of_fold]] for place, of_fold in zip(self.places, rows, strict=True)]
        return Shared(folds, places, self.groups[kept])

    @property
    def exchangeable(self) -> Index:
        """A label for each barcode: those that share one are in the same folds, and of the same stratum."""
        member = np.zeros((len(self), len(self.folds)), dtype=np.int64)
        for i, (fold, place) in enumerate(zip(self.folds, self.places, strict=True)):
            member[place, i] = 1 + fold.strata
        labels: Index = np.unique(member, axis=0, return_inverse=True)[1].ravel()
        return labels


def shared_folds(folds: Sequence[HeldOut]) -> list[Shared]:
    """Put folds together that share barcodes."""
    both = [
        (i, j)
        for i in range(len(folds))
        for j in range(i)
        if (np.intersect1d(folds[i].barcodes, folds[j].barcodes) >= 0).any()
    ]
    label = linked(len(folds), *np.array(both).T) if both else np.arange(len(folds))
    return [
        _together([fold for fold, of_fold in zip(folds, label, strict=True) if of_fold == together])
        for together in range(label.max() + 1)
    ]


def _together(folds: list[HeldOut]) -> Shared:
    if len(folds) == 1:
        return Shared(folds, [np.arange(len(folds[0]))], folds[0].groups)
    barcodes, place = np.unique(np.concatenate([fold.barcodes for fold in folds]), return_inverse=True)
    places = np.split(place, np.cumsum([len(fold) for fold in folds])[:-1])
    # Labels are those of a fold: what shares one in any of them is of one group.
    neighbours: list[Index] = []
    for fold, of_fold in zip(folds, places, strict=True):
        order = np.argsort(fold.groups, kind="stable")
        same = np.diff(fold.groups[order]) == 0
        neighbours.append(np.stack([of_fold[order][:-1][same], of_fold[order][1:][same]]))
    return Shared(folds, places, linked(len(barcodes), *np.hstack(neighbours)))
