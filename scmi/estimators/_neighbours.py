"""The neighbour counts behind KSG, exact, in one pass over windows of sorted points."""

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["marginal_counts"]

Points = NDArray[np.float64]
Counts = tuple[NDArray[np.int64], NDArray[np.int64]]

# Points looked at together: few enough to stay in the first-level cache, many enough to fill the vector registers.
BLOCK = 256


def marginal_counts(
    query_x: Points, query_y: Points, reference_x: Points, reference_y: Points, k: int, *, same: bool
) -> Counts:
    """Count, per query, the reference points strictly nearer in x (and in y) than the k-th joint neighbour.

    A point can only be near in all columns if it is near in one. So the references are sorted by the widest column of
    x, and again by that of y, and only windows of these orders are looked at, block by block. Where points fill many
    dimensions the windows are wide, and what is left is vectorised brute force; where they lie near a manifold of few
    dimensions the windows are narrow. Against k-d trees see ``tests/benchmarks/test_ksg_speed.py``.

    Parameters
    ----------
    query_x, query_y
        Queries x features.
    reference_x, reference_y
        Points x features.
    k
        Which joint neighbour sets the distance.
    same
        Query i is reference i, which is then left out.
    """
    column_x, column_y = int(np.argmax(np.ptp(reference_x, axis=0))), int(np.argmax(np.ptp(reference_y, axis=0)))
    order_x, order_y = np.argsort(reference_x[:, column_x]), np.argsort(reference_y[:, column_y])
    # Neighbouring queries share their windows, which are then still in the cache.
    order = order_x if same else np.argsort(query_x[:, column_x])
    counts = _count(
        _features_first(query_x[order]),
        _features_first(query_y[order]),
        _features_first(reference_x[order_x]),
        _features_first(reference_y[order_x]),
        _features_first(reference_y[order_y]),
        column_x,
        column_y,
        k,
        same,
    )
    back = np.argsort(order)
    return counts[0][back], counts[1][back]


def _features_first(points: Points) -> Points:
    """Features x points, so that the inner loops run over contiguous memory and vectorise."""
    return np.ascontiguousarray(points.T)


@numba.njit(cache=True, parallel=True)
def _count(
    query_x: Points,
    query_y: Points,
    x_by_x: Points,
    y_by_x: Points,
    y_by_y: Points,
    column_x: int,
    column_y: int,
    k: int,
    same: bool,
) -> Counts:
    n_query = query_x.shape[1]
    count_x = np.empty(n_query, np.int64)
    count_y = np.empty(n_query, np.int64)
    for i in numba.prange(n_query):
        # A query that is among the points is the nearest of all, at distance 0.
        radius = _kth_distance(query_x, query_y, i, x_by_x, y_by_x, column_x, k + same)
        itself = 1 if same and radius > 0 else 0
        count_x[i] = _count_within(query_x, i, x_by_x, column_x, radius) - itself
        count_y[i] = _count_within(query_y, i, y_by_y, column_y, radius) - itself
    return count_x, count_y


@numba.njit(cache=True)
def _kth_distance(
    query_x: Points, query_y: Points, i: int, x_by_x: Points, y_by_x: Points, column: int, k: int
) -> float:
    """Distance to the k-th joint neighbour: search outwards from the query until the gap in one column is too wide."""
    key = x_by_x[column]
    n = len(key)
    q = query_x[column, i]
    distance_x, distance_y = np.empty(BLOCK), np.empty(BLOCK)
    nearest = np.full(k, np.inf)
    kth = np.inf
    start = max(0, np.searchsorted(key, q) - BLOCK // 2)
    stop = min(n, start + BLOCK)
    low, high = start, stop
    while True:
        _chebyshev(x_by_x, query_x, i, start, stop, distance_x)
        _chebyshev(y_by_x, query_y, i, start, stop, distance_y)
        closer = 0
        for j in range(stop - start):
            closer += (distance_x[j] < kth) & (distance_y[j] < kth)
        if closer:  # seldom, once a few blocks are done
            for j in range(stop - start):
                u, v = distance_x[j], distance_y[j]
                d = u if u > v else v
                if d < kth:
                    p = k - 1
                    while p > 0 and nearest[p - 1] > d:
                        nearest[p] = nearest[p - 1]
                        p -= 1
                    nearest[p] = d
                    kth = nearest[k - 1]
        gap_below = q - key[low - 1] if low > 0 else np.inf
        gap_above = key[high] - q if high < n else np.inf
        if (gap_below >= kth and gap_above >= kth) or (low == 0 and high == n):
            return kth
        if gap_below <= gap_above:
            start, stop = max(0, low - BLOCK), low
            low = start
        else:
            start, stop = high, min(n, high + BLOCK)
            high = stop


@numba.njit(cache=True)
def _count_within(query: Points, i: int, points: Points, column: int, radius: float) -> int:
    """How many points lie strictly within the radius; they are sorted by one column."""
    key = points[column]
    q = query[column, i]
    # Wider by rounding errors; each point in the window is then compared exactly.
    reach = radius + 4e-16 * (abs(q) + radius)
    first, last = np.searchsorted(key, q - reach), np.searchsorted(key, q + reach, side="right")
    distance = np.empty(BLOCK)
    count = 0
    for start in range(first, last, BLOCK):
        stop = min(start + BLOCK, last)
        _chebyshev(points, query, i, start, stop, distance)
        for j in range(stop - start):
            count += distance[j] < radius
    return count


@numba.njit(cache=True)
def _chebyshev(points: Points, query: Points, i: int, start: int, stop: int, out: Points) -> None:
    """Distances of query i to the points of a block."""
    for j in range(stop - start):
        out[j] = 0.0
    for f in range(points.shape[0]):
        row, q = points[f, start:stop], query[f, i]
        for j in range(stop - start):
            v = abs(row[j] - q)
            w = out[j]
            out[j] = v if v > w else w  # max() would keep the loop from vectorising
