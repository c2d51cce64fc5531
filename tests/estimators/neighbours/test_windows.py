"""Sorted windows miss no neighbour: their counts are those of brute force and of k-d trees."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import KDTree

from scmi.estimators.neighbours._nearest import insert
from scmi.estimators.neighbours.windows import marginal_counts


def test_a_nearer_distance_takes_its_place():
    nearest = np.array([1.0, 2.0, 4.0])
    assert insert(nearest, 1.5) == 2.0
    assert nearest.tolist() == [1.0, 1.5, 2.0]
    assert insert(nearest, 0.5) == 1.5
    assert nearest.tolist() == [0.5, 1.0, 1.5]


def by_trees(x, y, k):
    """The same counts through scikit-learn's k-d trees."""
    distance = KDTree(np.hstack([x, y]), metric="chebyshev").query(np.hstack([x, y]), k=k + 1)[0][:, -1]
    within = np.nextafter(distance, 0)
    n_x, n_y = (KDTree(side, metric="chebyshev").query_radius(side, within, count_only=True) - 1 for side in (x, y))
    return n_x, n_y


@pytest.mark.parametrize("intrinsic", [1, 2, 8])
@pytest.mark.parametrize("n", [255, 256, 257, 3000])
def test_windows_miss_nothing(n, intrinsic):
    rng = np.random.default_rng(n)
    z = rng.normal(size=(n, intrinsic))
    # float32, as latents are, on a manifold: equal coordinates and ties among the distances.
    x = np.tanh(z @ rng.normal(size=(intrinsic, 8))).astype(np.float32).round(4)
    y = np.tanh((z + rng.normal(size=z.shape)) @ rng.normal(size=(intrinsic, 8))).astype(np.float32).round(4)
    x, y = x.astype(float), y.astype(float)
    np.testing.assert_array_equal(marginal_counts(x, y, x, y, 3, same=True, metric="chebyshev"), by_trees(x, y, 3))


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
def test_windows_count_as_brute_force_does(metric):
    x, y = np.random.default_rng(1).normal(size=(2, 700, 5))
    distances = [cdist(side, side, metric) for side in (x, y)]
    radius = np.sort(np.maximum(*distances), axis=1)[:, 3]
    expected = [(distance < radius[:, None]).sum(axis=1) - 1 for distance in distances]
    np.testing.assert_array_equal(marginal_counts(x, y, x, y, 3, same=True, metric=metric), expected)
