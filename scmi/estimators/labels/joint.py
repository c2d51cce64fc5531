"""A weighted table of two labels, one unit (a barcode) at a time: its bits, and those of other partners."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from scmi.estimators.inference.permutation import permutations_within
from scmi.typing import Bits, Index, Values

__all__ = ["Joint", "Permuted", "Weights", "entropy_of", "permuted"]

Weights = Literal["barcodes", "couples"]


@dataclass(frozen=True, eq=False)
class Joint:
    """Who has which labels on both sides.

    Parameters
    ----------
    a, b
        Barcodes x labels: shares of the cells of each side.
    weight
        Of each barcode.
    stratum
        A number for each barcode, in ascending order.
    """

    a: Values
    b: Values
    weight: Values
    stratum: Index

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, barcodes: Index) -> "Joint":
        """Some of the barcodes, in ascending order, and the labels that they have."""
        a, b = (side[barcodes][:, side[barcodes].any(axis=0)] for side in (self.a, self.b))
        return Joint(a, b, self.weight[barcodes], self.stratum[barcodes])

    def with_partners(self, order: Index) -> "Joint":
        """Every first side with the second one of another barcode, of the same weight as before."""
        return Joint(self.a, self.b[order], self.weight, self.stratum)

    def turned(self) -> "Joint":
        """The same, seen from the other side."""
        return Joint(self.b, self.a, self.weight, self.stratum)

    @cached_property
    def starts(self) -> Index:
        """Where each stratum begins."""
        return np.flatnonzero(np.diff(self.stratum, prepend=-1))

    @cached_property
    def margins(self) -> tuple[Values, Values, Values]:
        """Shares of the labels of each side in every stratum, and the stratum's share of the whole."""
        weight = self.weight[:, None]
        of_a, of_b, of_stratum = (np.add.reduceat(x, self.starts) for x in (weight * self.a, weight * self.b, weight))
        return of_a / of_stratum, of_b / of_stratum, of_stratum[:, 0] / of_stratum.sum()

    @cached_property
    def p(self) -> Values:
        """Labels x labels: the share of every couple."""
        share: Values = (self.weight[:, None] * self.a).T @ self.b / self.weight.sum()
        return share

    @cached_property
    def expected(self) -> Values:
        """The same if labels were independent within strata."""
        of_a, of_b, share = self.margins
        expected: Values = (share[:, None] * of_a).T @ of_b
        return expected

    @cached_property
    def log_ratio(self) -> Bits:
        """Labels x labels, in bits: log2 of the one over the other; 0 where there is no couple."""
        seen = self.p > 0
        return np.asarray(np.log2(np.where(seen, self.p, 1.0) / np.where(seen, self.expected, 1.0)))

    @cached_property
    def parts(self) -> Bits:
        """Labels x labels, in bits: what adds up to the whole."""
        return self.p * self.log_ratio

    @cached_property
    def told(self) -> tuple[Values, Bits]:
        """The share of each label of the first side, and the mean of ``log_ratio`` over its couples."""
        share = self.p.sum(axis=1)
        return share, self.parts.sum(axis=1) / share

    @cached_property
    def influence_on_labels(self) -> Bits:
        """Barcodes x labels of the first side: the derivative of what a label tells by the share of a barcode.

        A barcode weighs on the mean, and on what is expected in its stratum.
        """
        share, told = self.told
        of_a, of_b, _ = self.margins
        k = np.unique(self.stratum, return_inverse=True)[1]
        ratio = np.divide(self.p, self.expected, out=np.zeros_like(self.p), where=self.expected > 0)
        in_stratum = (of_b @ ratio.T)[k]
        expected = self.a * (1 - in_stratum) - of_a[k] * (self.b @ ratio.T - in_stratum)
        return np.asarray((self.a * (self.b @ self.log_ratio.T - told) + expected / np.log(2)) / share)

    @cached_property
    def influence(self) -> Bits:
        """The same on the bits of the whole table; the weighted mean over barcodes is 0."""
        share, told = self.told
        return np.asarray((self.a - share) @ told + self.influence_on_labels @ share)

    @cached_property
    def entropies(self) -> tuple[float, float]:
        """H of the labels of each side within strata, in bits."""
        of_a, of_b, share = self.margins
        return float(share @ entropy_of(of_a)), float(share @ entropy_of(of_b))


def entropy_of(shares: Values) -> Bits:
    """H of every row, in bits."""
    seen = np.where(shares > 0, shares, 1.0)
    return np.asarray(-(seen * np.log2(seen)).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Permuted:
    """Bits that other partners within strata give, one row for each permutation; by label of each side."""

    a: Bits
    b: Bits

    @property
    def bits(self) -> Bits:
        """Of the whole table."""
        return np.asarray(self.a.sum(axis=1))


def permuted(joint: Joint, n_permutations: int, rng: np.random.Generator) -> Permuted:
    """Permute the second sides within strata; weights stay with the first."""
    of_a, of_b = (np.empty((n_permutations, side.shape[1])) for side in (joint.a, joint.b))
    strata = np.unique(joint.stratum, return_inverse=True)[1]
    for i in range(n_permutations):
        parts = joint.with_partners(permutations_within(strata, 1, rng)[0]).parts
        of_a[i], of_b[i] = parts.sum(axis=1), parts.sum(axis=0)
    return Permuted(of_a, of_b)
