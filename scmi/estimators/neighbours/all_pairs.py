"""The log density ratio of every x with every y, exact, from the distances of each side to the reference."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from scmi.typing import Values

from ._nearest import insert
from .ksg import KSG
from .parallel import Kernel
from .windows import distances, features_first

__all__ = ["all_pairs", "rows_at_once"]

# What the distances of some rows to the reference, and their scores, may take each.
BLOCK_BYTES = 2**27


def rows_at_once(n_others: int) -> int:
    """How many rows of a side are compared with so many others together."""
    return max(1, BLOCK_BYTES // (16 * n_others))


def all_pairs(x: Values, y: Values, reference_x: Values, reference_y: Values, ksg: KSG) -> Values:
    """The log density ratio of each row of x (some ``rows_at_once``) with each row of y.

    The reference is sorted by its distance to each x once, and to each y once. A pair then walks outwards from x only
    until no farther reference can be among the k nearest, which is about sqrt(k N) steps where x and y are independent;
    how many are nearer in x and in y are ranks in the sorted distances.

    Parameters
    ----------
    x, y
        Queries x features.
    reference_x, reference_y
        Reference pairs x features.
    ksg
        Which joint neighbour sets the distance, and the metric within x and within y; the joint distance is the larger
        of the two.
    """
    euclidean, n = ksg.metric == "euclidean", len(reference_x)
    psi = digamma(np.arange(1, n + 2, dtype=np.float64))
    distance_x = _to_reference(features_first(x), features_first(reference_x), euclidean)
    order = np.argsort(distance_x, axis=1).astype(np.int32)
    sorted_x = np.take_along_axis(distance_x, order, axis=1)
    features_y, size = features_first(reference_y), rows_at_once(n)
    scores = np.empty((len(x), len(y)))
    for start in range(0, len(y), size):
        distance_y = _to_reference(features_first(y[start : start + size]), features_y, euclidean)
        sorted_y = np.sort(distance_y, axis=1)
        _score(sorted_x, order, distance_y, sorted_y, ksg.k, psi, scores[:, start : start + size])
    return scores


@Kernel
def _to_reference(query: Values, reference: Values, euclidean: bool) -> Values:
    distance = np.empty((query.shape[1], reference.shape[1]))
    for i in numba.prange(query.shape[1]):
        distances(reference, query, i, 0, reference.shape[1], euclidean, distance[i])
    return distance


@Kernel
def _score(
    sorted_x: Values,
    order: NDArray[np.int32],
    distance_y: Values,
    sorted_y: Values,
    k: int,
    psi: Values,
    out: Values,
) -> None:
    n = order.shape[1]
    head = psi[k - 1] + psi[n]
    for i in numba.prange(len(order)):
        nearest = np.empty(k)
        for j in range(len(distance_y)):
            nearest[:] = np.inf
            kth = np.inf
            for step in range(n):
                u = sorted_x[i, step]
                if u >= kth:
                    break
                v = distance_y[j, order[i, step]]
                d = u if u > v else v
                if d < kth:
                    kth = insert(nearest, d)
            near_x, near_y = np.searchsorted(sorted_x[i], kth), np.searchsorted(sorted_y[j], kth)
            out[i, j] = (head - (psi[near_x] + psi[near_y])) / np.log(2)
