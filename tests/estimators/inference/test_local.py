"""Neighbourhoods are the nearest points; their mean is by hand; its error is the spread over draws of the groups."""

import numpy as np
import pytest

from scmi.estimators.inference import local
from scmi.estimators.inference.local import local_mean, neighbourhoods


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(600, 4))


def nearest(points, k):
    return np.argsort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, :k]


def test_neighbours_are_the_nearest_points(points):
    found = neighbourhoods(points, 30)
    assert found.shape == (600, 30)
    np.testing.assert_array_equal(np.sort(found), np.sort(nearest(points, 30)))
    assert neighbourhoods(points[:7], 30).shape == (7, 7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning")
def test_many_are_searched_for(points, monkeypatch):
    monkeypatch.setattr(local, "EXACT", 100)
    monkeypatch.setattr(local, "threads_are_safe", lambda: True)
    found, exact = neighbourhoods(points, 30), nearest(points, 30)
    shared = np.mean([len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True)])
    assert shared > 0.97 * 30  # 29.9 in 600 points
    assert (found == np.arange(600)[:, None]).any(axis=1).all()
    check_points_that_coincide()  # here, for pynndescent compiles for half a minute


def test_points_that_coincide_are_in_their_own_neighbourhoods():
    check_points_that_coincide()


def check_points_that_coincide():
    found = neighbourhoods(np.zeros((300, 2)), 10)
    assert (found == np.arange(300)[:, None]).any(axis=1).all()
    assert 0 <= found.min() and found.max() < 300


def test_mean_and_error_by_hand():
    values, groups = np.array([0.0, 2.0, 4.0, 6.0]), np.array([0, 0, 1, 2])
    neighbours = np.array([[0, 1, 2], [1, 2, 3], [0, 1, 1]])
    mean, error = local_mean(values, neighbours, groups)
    np.testing.assert_allclose(mean, [2, 4, 4 / 3])
    # About its mean the first neighbourhood has -2 and 0 in one group and 2 in another: sums -2 and 2, squares 8, over
    # 3 squared, times 2 / (2 - 1). The second has -2, 0 and 2 in three. The third is of one group.
    np.testing.assert_allclose(error, [np.sqrt(8 / 9 * 2), np.sqrt(8 / 9 * 3 / 2), np.nan])


def test_error_is_the_spread_over_draws():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(15), 2)
    everything = np.arange(30)[None]
    found = []
    for _ in range(2000):
        values = rng.normal(size=15)[groups] + rng.normal(size=30)
        found.append(np.ravel(local_mean(values, everything, groups)))
    mean, error = np.transpose(found)
    # From 15 groups the variance is known to a third each time; of its mean over 2,000, to a hundredth.
    assert np.mean(error**2) == pytest.approx(mean.var(), rel=0.1)
