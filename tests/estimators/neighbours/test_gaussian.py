"""The Gaussian bound is below the truth and knows no side; what KSG misses of a Gaussian is that of the closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scmi as sm
from scmi.estimators import gaussian_bound
from scmi.estimators.neighbours.gaussian import gaussian_shortfall
from scmi.estimators.neighbours.ksg import KSG


def gaussian_pair(n, k, bits, seed):
    rng = np.random.default_rng(seed)
    r = np.sqrt(1 - 2 ** (-2 * bits / k))
    x = rng.normal(size=(n, k))
    return x, r * x + np.sqrt(1 - r**2) * rng.normal(size=(n, k))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_the_bound_knows_no_side(seed, p, q):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, p))
    y = rng.normal(size=(80, q)) + x[:, :1]
    swapped = gaussian_bound(y, x, np.random.default_rng(seed))
    assert gaussian_bound(x, y, np.random.default_rng(seed)) == pytest.approx(swapped, abs=1e-9)


def test_the_bound_is_the_closed_form_of_a_large_sample():
    x, y = gaussian_pair(4000, 1, 1.0, 0)
    # Its standard deviation at this size is .02 bits.
    assert gaussian_bound(x, y, np.random.default_rng(0)) == pytest.approx(1, abs=0.08)


def test_the_bound_does_not_exceed_the_truth_on_clusters():
    sample = sm.datasets.clusters(1000, rng=0)
    pca = np.linalg.svd(sample.x - sample.x.mean(0))[2][:4], np.linalg.svd(sample.y - sample.y.mean(0))[2][:4]
    bound = gaussian_bound(sample.x @ pca[0].T, sample.y @ pca[1].T, np.random.default_rng(0))
    assert bound < sample.truth


@pytest.mark.parametrize("k", [1, 8])
def test_the_shortfall_is_the_closed_form_minus_ksg(k):
    ksg = KSG(3, "euclidean")
    x, y = gaussian_pair(1000, k, 1.0, 0)
    missed = gaussian_shortfall(x, y, ksg, np.random.default_rng(0))
    expected = 1 - np.mean([ksg.pointwise(*gaussian_pair(1000, k, 1.0, seed)).mean() for seed in range(1, 6)])
    # Of one sample the standard deviation is .04 bit, and the covariance it fits to is of one sample.
    assert missed.bits == pytest.approx(expected, abs=0.1)


def test_the_shortfall_of_independent_sides_is_little():
    x, y = np.random.default_rng(0).normal(size=(2, 1000, 4))
    assert gaussian_shortfall(x, y, KSG(3, "euclidean"), np.random.default_rng(0)).bits == pytest.approx(0, abs=0.06)
