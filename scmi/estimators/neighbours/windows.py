"""The neighbour counts behind KSG, exact, in one pass over windows of sorted points."""

from typing import Literal

import numba
import numpy as np

from scmi.typing import Index, Values

from ._nearest import insert
from .parallel import Kernel, compiled

__all__ = ["Counts", "Metric", "distances", "features_first", "marginal_counts"]

Metric = Literal["chebyshev", "euclidean"]
Counts = tuple[Index, Index]

# Values looked at together: few enough to stay in the first-level cache, many enough to fill the vector registers.
BLOCK = 256
# Fewer points than this, each with each, gain less from a second thread than it takes to wake it.
SERIAL = 512


def marginal_counts(
    query_x: Values,
    query_y: Values,
    reference_x: Values,
    reference_y: Values,
    k: int,
    *,
    same: bool,
    metric: Metric,
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
        Values x features.
    k
        Which joint neighbour sets the distance.
    same
        Query i is reference i, which is then left out.
    metric
        Distance within x and within y; the joint distance is the larger of the two.
    """
    column_x, column_y = int(np.argmax(np.ptp(reference_x, axis=0))), int(np.argmax(np.ptp(reference_y, axis=0)))
    order_x, order_y = np.argsort(reference_x[:, column_x]), np.argsort(reference_y[:, column_y])
    # Neighbouring queries share their windows, which are then still in the cache.
    order = order_x if same else np.argsort(query_x[:, column_x])
    count = _count if len(query_x) * len(reference_x) > SERIAL**2 else _count.serial
    counts = count(
        features_first(query_x[order]),
        features_first(query_y[order]),
        features_first(reference_x[order_x]),
        features_first(reference_y[order_x]),
        features_first(reference_y[order_y]),
        column_x,
        column_y,
        k,
        same,
        metric == "euclidean",
    )
    back = np.argsort(order)
    return counts[0][back], counts[1][back]


def features_first(points: Values) -> Values:
    """Features x points, so that the inner loops run over contiguous memory and vectorise."""
    return np.ascontiguousarray(points.T)


@Kernel
def _count(
    query_x: Values,
    query_y: Values,
    x_by_x: Values,
    y_by_x: Values,
    y_by_y: Values,
    column_x: int,
    column_y: int,
    k: int,
    same: bool,
    euclidean: bool,
) -> Counts:
    n_query, n = query_x.shape[1], x_by_x.shape[1]
    count_x = np.empty(n_query, np.int64)
    count_y = np.empty(n_query, np.int64)
    # Queries share what they are worked out in by the chunk.
    for chunk in numba.prange(-(-n_query // BLOCK)):
        distance_x, distance_y = np.empty(n), np.empty(BLOCK)
        for i in range(chunk * BLOCK, min((chunk + 1) * BLOCK, n_query)):
            # A query that is among the points is the nearest of all, at distance 0.
            radius, low, high = _kth_distance(
                query_x, query_y, i, x_by_x, y_by_x, column_x, k + same, euclidean, distance_x, distance_y
            )
            itself = 1 if same and radius > 0 else 0
            # All points nearer than the radius in x were among those looked at.
            count_x[i] = np.sum(distance_x[low:high] < radius) - itself
            count_y[i] = _count_within(query_y, i, y_by_y, column_y, radius, euclidean, distance_y) - itself
    return count_x, count_y


@compiled
def _kth_distance(
    query_x: Values,
    query_y: Values,
    i: int,
    x_by_x: Values,
    y_by_x: Values,
    column: int,
    k: int,
    euclidean: bool,
    distance_x: Values,
    distance_y: Values,
) -> tuple[float, int, int]:
    """Distance to the k-th joint neighbour: search outwards from the query until the gap in one column is too wide.

    Squared, if Euclidean. Also the window that was looked at, whose distances in x are left in ``distance_x``.
    """
    key = x_by_x[column]
    n = len(key)
    q = query_x[column, i]
    nearest = np.full(k, np.inf)
    kth = np.inf
    start = max(0, np.searchsorted(key, q) - BLOCK // 2)
    stop = min(n, start + BLOCK)
    low, high = start, stop
    while True:
        in_block = distance_x[start:stop]
        distances(x_by_x, query_x, i, start, stop, euclidean, in_block)
        distances(y_by_x, query_y, i, start, stop, euclidean, distance_y)
        closer = 0
        for j in range(stop - start):
            closer += (in_block[j] < kth) & (distance_y[j] < kth)
        if closer:  # seldom, once a few blocks are done
            for j in range(stop - start):
                u, v = in_block[j], distance_y[j]
                d = u if u > v else v
                if d < kth:
                    kth = insert(nearest, d)
        # A hair wider, for the rounding of squares: a gap that is wide enough ends the search.
        reach = np.sqrt(kth) * (1 + 1e-15) if euclidean else kth
        gap_below = q - key[low - 1] if low > 0 else np.inf
        gap_above = key[high] - q if high < n else np.inf
        if (gap_below >= reach and gap_above >= reach) or (low == 0 and high == n):
            return kth, low, high
        if gap_below <= gap_above:
            start, stop = max(0, low - BLOCK), low
            low = start
        else:
            start, stop = high, min(n, high + BLOCK)
            high = stop


@compiled
def _count_within(
    query: Values, i: int, points: Values, column: int, radius: float, euclidean: bool, distance: Values
) -> int:
    """How many points lie strictly within the radius (squared, if Euclidean); they are sorted by one column."""
    key = points[column]
    q = query[column, i]
    reach = np.sqrt(radius) if euclidean else radius
    # Wider by rounding errors; each point in the window is then compared exactly.
    reach += 4e-16 * (abs(q) + reach)
    first, last = np.searchsorted(key, q - reach), np.searchsorted(key, q + reach, side="right")
    count = 0
    for start in range(first, last, BLOCK):
        stop = min(start + BLOCK, last)
        distances(points, query, i, start, stop, euclidean, distance)
        for j in range(stop - start):
            count += distance[j] < radius
    return count


@compiled
def distances(points: Values, query: Values, i: int, start: int, stop: int, euclidean: bool, out: Values) -> None:
    """Distances of query i to the points of a block; squared, if Euclidean."""
    n_features = points.shape[0]
    for j in range(stop - start):
        out[j] = 0.0
    # Two features at a time: reading and writing `out` costs as much as the arithmetic.
    for f in range(0, n_features - 1, 2):
        a, b = points[f, start:stop], points[f + 1, start:stop]
        p, q = query[f, i], query[f + 1, i]
        if euclidean:
            for j in range(stop - start):
                u, v = a[j] - p, b[j] - q
                out[j] += u * u + v * v
        else:
            for j in range(stop - start):
                u, v, w = abs(a[j] - p), abs(b[j] - q), out[j]
                u = u if u > v else v  # max() would keep the loop from vectorising
                out[j] = u if u > w else w
    if n_features % 2:
        a, p = points[n_features - 1, start:stop], query[n_features - 1, i]
        for j in range(stop - start):
            u, w = abs(a[j] - p), out[j]
            out[j] = w + u * u if euclidean else (u if u > w else w)
