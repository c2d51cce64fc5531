"""Mean KSG of one sample under many permutations of its partners, exact, in a fraction of the time of as many calls.

What does not change under a permutation is computed once for all of them: each point's neighbours in x, sorted by
distance, and its sorted distances in y. A permutation then asks only for the few neighbours in x that can still be
among the k nearest in both. At independence these are about sqrt(kN) of N.
"""

from collections.abc import Iterator
from functools import reduce

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from scmi.typing import Index, Values

from ._nearest import insert
from .ksg import KSG, count_copies_of, of_common_size, parted
from .parallel import Kernel
from .windows import Metric

__all__ = ["permuted_sums", "sorted_blocks"]

# Entries of the matrices that are held at a time (16 MiB each), and of the radii (256 MiB).
BLOCK_ENTRIES = 2**21
RADIUS_ENTRIES = 2**25


def permuted_sums(x: Values, y: Values, permutations: NDArray[np.int32], ksg: KSG) -> Values:
    """Sum over the points of ``ksg.pointwise(x, y[permutation])`` in bits, for each permutation.

    Parameters
    ----------
    x, y
        N x features.
    permutations
        Permutations x N: point i of x is paired with point ``permutation[i]`` of y.
    ksg
        Which joint neighbour sets the distance, and the metric within x and within y.
    """
    n, k = len(x), ksg.k
    x, y = of_common_size(x, y)
    # Once, before any permutation: a point keeps its noise, whoever its partner is, so that the test stays exact.
    u, v = parted(x, y, ksg.metric)
    if min(count_copies_of(x).max(), count_copies_of(y).max()) > k:
        # Both sides are discrete: partners may meet again and again, and copies are counted, not measured.
        return np.array([ksg.of_parted(x, y[p], u, v[p]).sum() for p in permutations])
    x, y = u, v
    euclidean = ksg.metric == "euclidean"
    chunk = max(1, RADIUS_ENTRIES // n)
    psi = digamma(np.arange(1, n + 1, dtype=np.float64))
    sums = np.empty(len(permutations))
    for first in range(0, len(permutations), chunk):
        part = permutations[first : first + chunk]
        # Under each permutation, the distance of each point of y to its k-th joint neighbour.
        radius = np.empty((len(part), n))
        total = np.zeros(len(part))
        for start, order, distance in sorted_blocks(x, metric=ksg.metric):
            _walk(order, distance, start, y, part, k, euclidean, psi, radius, total)
        radius = np.ascontiguousarray(radius.T)
        for start, _, distance in sorted_blocks(y, metric=ksg.metric):
            _count_nearer(distance, radius[start : start + len(distance)], psi, total)
        sums[first : first + chunk] = (n * (psi[k - 1] + psi[n - 1]) - total) / np.log(2)
    return sums


def sorted_blocks(*spaces: Values, metric: Metric) -> Iterator[tuple[int, Index, Values]]:
    """Other points of each row in the order of their distance, the largest over the spaces, some rows at a time.

    Euclidean distances are squared, and added up over the features in the order in which permutations add them up:
    where the k-th neighbour is itself compared with the radius, the last digit counts.

    Yields the first row of the block, the order and the distances, both rows x (N - 1).
    """
    n = len(spaces[0])
    points = [np.ascontiguousarray(space.T) for space in spaces]
    rows = max(1, BLOCK_ENTRIES // n)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        distance = reduce(np.maximum, [_distances(space, start, stop, metric == "euclidean") for space in points])
        # The point itself is set at infinity, so it comes last.
        order = np.argsort(distance, axis=1)[:, :-1]
        yield start, order, np.take_along_axis(distance, order, axis=1)


@Kernel
def _distances(points: Values, start: int, stop: int, euclidean: bool) -> Values:
    n = points.shape[1]
    distance = np.zeros((stop - start, n))
    for b in numba.prange(stop - start):
        i = start + b
        for f in range(points.shape[0]):
            q = points[f, i]
            if euclidean:
                for j in range(n):
                    u = points[f, j] - q
                    distance[b, j] += u * u
            else:
                for j in range(n):
                    v = abs(points[f, j] - q)
                    w = distance[b, j]
                    distance[b, j] = v if v > w else w
        distance[b, i] = np.inf
    return distance


@Kernel
def _walk(
    order: Index,
    distance: Values,
    start: int,
    y: Values,
    permutations: NDArray[np.int32],
    k: int,
    euclidean: bool,
    psi: Values,
    radius: Values,
    total: Values,
) -> None:
    """For each row of a block, the distance to the k-th joint neighbour, and digamma of its count in x."""
    n_others, n_features = order.shape[1], y.shape[1]
    for p in numba.prange(len(permutations)):
        partner = permutations[p]
        nearest = np.empty(k)
        subtotal = 0.0
        for b in range(order.shape[0]):
            # Unsigned: numba would ask of every signed index whether it counts from the end.
            j = np.uintp(partner[start + b])
            nearest[:] = np.inf
            kth = np.inf
            t = 0
            while t < n_others and distance[b, t] < kth:
                d = distance[b, t]
                other = np.uintp(partner[np.uintp(order[b, t])])
                # To leave the loops early would cost more in mispredicted branches.
                if euclidean:
                    square = 0.0
                    for f in range(n_features):
                        u = y[j, f] - y[other, f]
                        square += u * u
                    d = square if square > d else d
                else:
                    for f in range(n_features):
                        v = abs(y[j, f] - y[other, f])
                        d = v if v > d else d
                if d < kth:
                    kth = insert(nearest, d)
                t += 1
            while t > 0 and distance[b, t - 1] >= kth:
                t -= 1
            subtotal += psi[t]
            radius[p, j] = kth
        total[p] += subtotal


@Kernel
def _count_nearer(distance: Values, radius: Values, psi: Values, total: Values) -> None:
    """Add digamma of each row's count in y, the distances being sorted."""
    n_permutations = radius.shape[1]
    # A row's distances stay in the cache for several permutations.
    width = 32
    for part in numba.prange(-(-n_permutations // width)):
        first = part * width
        last = min(first + width, n_permutations)
        for b in range(distance.shape[0]):
            row = distance[b]
            for p in range(first, last):
                total[p] += psi[np.searchsorted(row, radius[b, p])]
