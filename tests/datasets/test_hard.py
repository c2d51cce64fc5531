"""The promises of the hard families: maps are injective, clusters and scales as said; truths agree with a second way.

That way is adaptive quadrature for the dependence in scale, and every single count in place of bins for counts.
"""

import numpy as np
import pytest
from scipy import integrate, stats

from scmi import datasets
from scmi.datasets._hard import embed
from scmi.datasets._numeric_truth import (
    bin_probabilities,
    count_information,
    log_size_density,
    programs_grid,
    scale_information,
    scale_pmi,
    scale_slope,
)
from tests.datasets.conftest import assert_mean

N = 20_000


def test_curved_embedding_is_injective_and_curved():
    latent = np.random.default_rng(0).standard_normal((3000, 2))
    image = embed(latent, 30, np.random.default_rng(1))
    gap, near = (np.linalg.norm(a[:1500] - a[1500:], axis=1) for a in (latent, image))
    # Nothing that is apart comes together (over 8 seeds the least ratio is 1.4 to 1.8), and nothing tears.
    assert (near / gap).min() > 1
    step = np.linalg.norm(embed(latent + 1e-6, 30, np.random.default_rng(1)) - image, axis=1)
    assert step.max() < 1e-4
    forward = np.linalg.lstsq(np.column_stack([latent, np.ones(3000)]), image, rcond=None)[0]
    residual = image - np.column_stack([latent, np.ones(3000)]) @ forward
    assert 0.5 < residual.var() / image.var() < 0.8


def test_curved_noise_makes_the_truth_a_bound():
    clean, noisy = (datasets.curved(300, 20, noise=noise) for noise in (0.0, 0.1))
    assert noisy.truth_is_bound
    assert (noisy.x - clean.x).std() == pytest.approx(0.1, rel=0.05)
    np.testing.assert_array_equal(noisy.pmi, clean.pmi)


@pytest.mark.parametrize("n_features", [1, 3, 200])
def test_clusters_can_be_told_apart(n_features):
    sample = datasets.clusters(2000, n_features, 3)
    for side, labels in ((sample.x, sample.labels_x), (sample.y, sample.labels_y)):
        centres = np.stack([side[labels == label].mean(axis=0) for label in range(3)])
        nearest = np.argmin(np.linalg.norm(side[:, None] - centres, axis=2), axis=1)
        np.testing.assert_array_equal(nearest, labels)
    # Standard error .009.
    assert np.mean(sample.labels_x == sample.labels_y) == pytest.approx(0.8, abs=0.036)


def test_scale_truth_agrees_with_adaptive_quadrature():
    slope = 0.8

    def density(y):
        return integrate.quad(lambda x: stats.norm.pdf(x) * stats.norm.pdf(y, scale=np.exp(slope * x)), -9, 9)[0]

    at = np.array([-2.0, 0.0, 1.0])
    # Of log|y|: twice the density of y, times |y|.
    np.testing.assert_allclose(
        np.exp(log_size_density(at, slope)), [2 * np.exp(w) * density(np.exp(w)) for w in at], rtol=1e-7
    )
    assert scale_information(scale_slope(0.5)) == pytest.approx(0.5, abs=1e-9)
    assert scale_information(0.0) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_scale_shows_in_no_mean():
    sample = datasets.scale_only(N, 1, bits=0.5)
    x, y = sample.x[:, 0], sample.y[:, 0]
    for low in (-3.0, -1.0, 0.0, 1.0):
        assert_mean(y[(x > low) & (x < low + 1)], 0)
    assert y[x > 1].std() > 2 * y[x < -1].std()
    x, y = x[:100], y[:100]
    slope = scale_slope(0.5)
    direct = stats.norm.logpdf(y, scale=np.exp(slope * x)) - np.log(
        [
            integrate.quad(lambda t, v=v: stats.norm.pdf(t) * stats.norm.pdf(v, scale=np.exp(slope * t)), -9, 9)[0]
            for v in y
        ]
    )
    np.testing.assert_allclose(scale_pmi(x, y, slope), direct / np.log(2), atol=1e-6)


def test_counts_are_overdispersed_and_follow_their_programs():
    sample = datasets.overdispersed_counts(5000, 60, 20, bits=2.0)
    x, y = sample.x, sample.y
    assert x.dtype.kind == "i"
    assert x.min() == 0
    # Without a program variance is twice the mean; with one it is more.
    silent = x[:, 40:]
    np.testing.assert_allclose(silent.var(axis=0) / silent.mean(axis=0), 2, rtol=0.2)
    driven = x[:, :20]
    assert (driven.var(axis=0) / driven.mean(axis=0)).min() > 2.2
    sums = [side[:, part].sum(axis=1) for part in (slice(20), slice(20, 40)) for side in (x, y)]
    correlation = np.corrcoef(sums)
    assert correlation[0, 1] > 0.5
    assert abs(correlation[2, 3]) < 5 / np.sqrt(5000)
    assert abs(correlation[0, 2]) < 5 / np.sqrt(5000)


def test_count_truth_is_below_that_of_the_programs_and_nears_it():
    truths = [count_information(size, size, np.sqrt(1 - 2**-2)) for size in (5.0, 50.0, 1000.0)]
    assert 0.05 < truths[0] < truths[1] < truths[2] < 1.0
    assert truths[2] > 0.95


def test_count_truth_by_brute_force():
    """Every single count, in place of bins, for a sum small enough."""
    correlation = 0.8
    at, weights = programs_grid(6.0, 9.0, correlation)
    success = 1 / (1 + np.exp(0.5 * at))
    given_x, given_y = (stats.nbinom.pmf(np.arange(2500)[:, None], size, success) for size in (6.0, 9.0))
    joint = given_x @ weights @ given_y.T
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 1e-300
    expected = np.sum(joint[seen] * np.log2(joint[seen] / apart[seen]))
    assert joint.sum() == pytest.approx(1, abs=1e-9)
    assert count_information(6.0, 9.0, correlation) == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(bin_probabilities(at, 6.0).sum(axis=0), 1)
