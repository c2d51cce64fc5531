"""Conditional information equals a brute force, and closed forms within its spread."""

import numpy as np
import pytest
from scipy.special import digamma

from scmi.estimators import TooFew, conditional_ksg
from scmi.estimators.neighbours.conditional import local_permutation


def conditional_by_brute_force(x, y, z, k, metric):
    def distance(a, i):
        # Squares are added column by column, so that ties stay ties to the last digit.
        gaps = np.abs(a - a[i]).T
        return gaps.max(axis=0) if metric == "chebyshev" else sum(gap**2 for gap in gaps)

    def unit(a):
        return a / np.sqrt(a.var(axis=0).mean())

    x, y, z = unit(x), unit(y), (z - z.mean(axis=0)) / z.std(axis=0)
    values = []
    for i in range(len(x)):
        d_x, d_y, d_z = (np.delete(distance(a, i), i) for a in (x, y, z))
        radius = np.sort(np.maximum(np.maximum(d_x, d_y), d_z))[k - 1]
        n_xz, n_yz = np.sum(np.maximum(d_x, d_z) < radius), np.sum(np.maximum(d_y, d_z) < radius)
        values.append(digamma(k) - digamma(n_xz + 1) - digamma(n_yz + 1) + digamma(np.sum(d_z < radius) + 1))
    return np.array(values) / np.log(2)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize(("decimals", "k"), [(9, 1), (9, 3)])
def test_conditional_equals_brute_force(decimals, k, metric):
    rng = np.random.default_rng(3)
    x, y, z = (rng.normal(size=(80, d)).round(decimals) for d in (2, 3, 2))
    expected = conditional_by_brute_force(x, y, z, k, metric)
    np.testing.assert_allclose(conditional_ksg(x, y, z, k, metric=metric), expected, atol=1e-12)


def test_conditional_invariances():
    rng = np.random.default_rng(4)
    x, y, z = (rng.normal(size=(70, d)) for d in (2, 3, 2))
    pmi, order = conditional_ksg(x, y, z), rng.permutation(70)
    np.testing.assert_allclose(conditional_ksg(x[order], y[order], z[order]), pmi[order], atol=1e-12)
    np.testing.assert_allclose(conditional_ksg(y, x, z), pmi, atol=1e-12)
    np.testing.assert_allclose(conditional_ksg(8 * x, y / 4, z * [2, 32]), pmi, atol=1e-12)


def gaussian_given_z(rng, n, partial):
    """Both follow z, and their remainders correlate by ``partial``."""
    z = rng.normal(size=n)
    x, e = rng.normal(size=(2, n))
    return z + x, z + partial * x + np.sqrt(1 - partial**2) * e, z


@pytest.mark.parametrize("partial", [0.0, 0.6, 0.9])
def test_conditional_closed_form(partial):
    truth = -0.5 * np.log2(1 - partial**2)
    rng = np.random.default_rng(0)
    estimates = [conditional_ksg(*gaussian_given_z(rng, 600, partial)).mean() for _ in range(5)]
    # At N=600 the standard deviation over samples is .03 bit; the bias towards zero reaches .1 bit at .9.
    assert np.mean(estimates) == pytest.approx(truth, abs=0.04 + 0.1 * partial)


def test_each_point_gets_one_of_its_neighbours_and_none_twice():
    near = np.array([[0, 1], [1, 0], [2, 3], [3, 2]])
    seen = {tuple(local_permutation(near, np.random.default_rng(seed))) for seed in range(50)}
    # Two couples that keep their places or change them. One of the four is missed with a chance of 4 * (3/4)^50 < 1e-5.
    assert seen == {(0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2), (1, 0, 3, 2)}


def test_covariate_must_fit():
    x, y = np.random.default_rng(0).normal(size=(2, 60, 2))
    with pytest.raises(ValueError, match="x has 60 rows, but z has 50"):
        conditional_ksg(x, y, np.zeros(50))
    with pytest.raises(TooFew, match="k=60 needs at least 61 samples, got 60"):
        conditional_ksg(x, y, np.zeros(60), 60)
    with pytest.raises(ValueError, match="metric='l1' is not known"):
        conditional_ksg(x, y, np.zeros(60), metric="l1")
