"""Ties parted: noise far below what the data resolve, where many distances from a point are equal."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from scmi.typing import Values

from .windows import Metric

__all__ = ["Ties", "TiesOfSides", "find_ties", "find_ties_of_sides", "part_new", "part_ties"]

# Distances are looked at from a few points to at most so many others: enough to tell a share of 1 %.
N_FROM, N_TO = 32, 4096
# Of the distances from a point, the share that equals the next smaller one. Rounding to float32, as latents are, makes
# .0001 equal in samples of thousands; copies, counts, labels and rounded values make .05 to 1.
SHARE = 0.01
# Distances that would be equal but for rounding differ by a few units in the last place of the values.
ROUNDING = 16 * np.finfo(np.float64).eps
# The sd of the noise, in units of the largest deviation of a column: 2**20 units in the last place, so that the order
# is random, and a four-billionth, so that no values that differ change places.
NOISE = 2.0**-32
# And no less than so many units in the last place of the values themselves, which may lie far from 0.
FAR_FROM_ZERO = 2**10 * np.finfo(np.float64).eps


class Ties(NamedTuple):
    """What is to be known of a side on which many distances are equal.

    Parameters
    ----------
    center
        Median of each column: values far from 0 would swallow the noise.
    sd
        Standard deviation of the noise that parts its ties, per column.
    spacing
        The distance of all points that differ, where it is one and the same, as with one-hot labels; else None.
    """

    center: Values
    sd: Values
    spacing: float | None


class TiesOfSides(NamedTuple):
    """The ties of both sides of joint samples, found once for any number of draws of the noise that parts them.

    Parameters
    ----------
    x, y
        Those of either side; None where it has none.
    factor_x, factor_y
        What each side is multiplied by: 1, but for labels beside a side that is none.
    """

    x: Ties | None
    y: Ties | None
    factor_x: float
    factor_y: float

    def part(self, x: Values, y: Values, rng: np.random.Generator) -> tuple[Values, Values]:
        """Both sides with their ties parted, each by noise of its own; sides without ties as they are.

        What happens to a side depends on its own rows and on the extent of the other, but not on who is paired with
        whom: a permutation test of the parted sides stays exact.
        """
        of_x, of_y = rng.spawn(2)
        return part_ties(x, self.x, of_x, self.factor_x), part_ties(y, self.y, of_y, self.factor_y)


def find_ties_of_sides(x: Values, y: Values, metric: Metric) -> TiesOfSides:
    """Look for ties on both sides, and whether one of them is made of labels.

    Where points of one side are either equal or all equally far from each other, its distances say no more than
    whether two points differ, and their size next to those of the other side is arbitrary. They are then made larger
    than any distance of the other side, so that the neighbours of a point are sought among those of its own label as
    long as there are enough, as Ross (2014) does.
    """
    ties_x, ties_y = find_ties(x, metric), find_ties(y, metric)
    apart_x, apart_y = (None if ties is None else ties.spacing for ties in (ties_x, ties_y))
    factor_x = factor_y = 1.0
    if apart_x is not None and apart_y is None:
        factor_x = _beyond(y, metric) / apart_x
    elif apart_y is not None and apart_x is None:
        factor_y = _beyond(x, metric) / apart_y
    return TiesOfSides(ties_x, ties_y, factor_x, factor_y)


def part_new(
    x: Values, y: Values, reference_x: Values, reference_y: Values, rng: np.random.Generator, metric: Metric
) -> tuple[Values, Values, Values, Values]:
    """New points and the reference pairs that they are compared with, parted as the reference needs it."""
    ties = find_ties_of_sides(reference_x, reference_y, metric)
    of_new, of_reference = rng.spawn(2)
    return *ties.part(x, y, of_new), *ties.part(reference_x, reference_y, of_reference)


def part_ties(points: Values, ties: Ties | None, rng: np.random.Generator, factor: float = 1.0) -> Values:
    """Points about the center, with noise, times a factor; the very same array where ``ties`` is None.

    Every row gets noise of its own, copies too. The two sides of a joint sample, and new points and the reference that
    they are compared with, need different noise: shared noise would itself be dependence.
    """
    if ties is None:
        return points
    parted: Values = points - ties.center
    parted += ties.sd * rng.standard_normal(points.shape)
    return parted * factor


def find_ties(points: Values, metric: Metric) -> Ties | None:
    """How to part the ties of one side; None where no more than 1 % of the distances from a point are equal.

    Nearest-neighbour estimators take distances to be all different. Counts, labels, rounded values and rows that recur
    have many points at one and the same distance, where strict comparison counts none of them and the others all.
    """
    # Shuffled, always alike, since rows may recur in the order in which they are kept.
    chosen = points[np.random.default_rng(0).permutation(len(points))[:N_TO]]
    # The nearest of all is the point itself.
    distance = np.sort(cdist(chosen[:N_FROM], chosen, metric), axis=1)[:, 1:]
    largest = np.abs(points).max(axis=0)
    rounding = ROUNDING * largest.max()
    equal = np.diff(distance, axis=1) <= rounding
    if equal.size == 0 or equal.mean() <= SHARE:
        return None
    center = np.median(points, axis=0)
    deviation = np.abs(points - center).max(axis=0)
    # A constant column parts nothing and stays as it is.
    sd = np.where(deviation > 0, np.maximum(NOISE * deviation, FAR_FROM_ZERO * largest), 0.0)
    apart = distance[distance > rounding]
    one_distance = len(apart) > 0 and np.ptp(apart) <= rounding
    return Ties(center, sd, float(apart[0]) if one_distance else None)


def _beyond(points: Values, metric: Metric) -> float:
    """A distance that exceeds all those between the points."""
    extent = np.ptp(points, axis=0)
    largest = float(extent.max() if metric == "chebyshev" else np.linalg.norm(extent))
    return 2 * largest if largest > 0 else 1.0
