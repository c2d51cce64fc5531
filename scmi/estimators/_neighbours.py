"""Brute-force neighbour counts behind KSG, as one numba kernel."""

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, parallel=True, fastmath=False)
def marginal_counts(
    query_x: NDArray[np.float64],
    query_y: NDArray[np.float64],
    reference_x: NDArray[np.float64],
    reference_y: NDArray[np.float64],
    k: int,
    same: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, per query, the reference points strictly nearer in x (and in y) than the k-th joint neighbour.

    Points come as features x points, so that the inner loops run over contiguous memory and vectorise. With ``same``,
    query i is reference i, which is then left out.
    """
    n_query, n = query_x.shape[1], reference_x.shape[1]
    count_x = np.empty(n_query, np.int64)
    count_y = np.empty(n_query, np.int64)
    for i in numba.prange(n_query):
        distance_x = np.zeros(n)
        distance_y = np.zeros(n)
        for f in range(reference_x.shape[0]):
            row, q = reference_x[f], query_x[f, i]
            for j in range(n):
                v = abs(row[j] - q)
                w = distance_x[j]
                distance_x[j] = v if v > w else w  # max() would keep the loop from vectorising
        for f in range(reference_y.shape[0]):
            row, q = reference_y[f], query_y[f, i]
            for j in range(n):
                v = abs(row[j] - q)
                w = distance_y[j]
                distance_y[j] = v if v > w else w
        if same:
            distance_x[i] = np.inf
            distance_y[i] = np.inf
        # The k smallest joint distances, kept sorted: almost every point fails the first comparison.
        nearest = np.full(k, np.inf)
        kth = np.inf
        for j in range(n):
            u, v = distance_x[j], distance_y[j]
            d = u if u > v else v
            if d < kth:
                p = k - 1
                while p > 0 and nearest[p - 1] > d:
                    nearest[p] = nearest[p - 1]
                    p -= 1
                nearest[p] = d
                kth = nearest[k - 1]
        a = 0
        b = 0
        for j in range(n):
            a += distance_x[j] < kth
            b += distance_y[j] < kth
        count_x[i] = a
        count_y[i] = b
    return count_x, count_y
