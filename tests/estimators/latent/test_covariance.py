"""Sums that are worked out once give the cross-covariance of any part."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.estimators.latent.covariance import Covariances, CrossSums
from scmi.estimators.latent.half import Half, cross_validation_parts


@pytest.fixture
def half(rows):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 6)), rng.normal(size=(80, 4)) + 3
    everything = np.arange(80)
    return Half(rows(x), rows(y), (None, None), rowwise(80), everything, everything, None)


def direct(half, chosen):
    u, v = (side.batch(chosen).numpy().astype(float) for side in (half.x, half.y))
    return (u - u.mean(axis=0)).T @ (v - v.mean(axis=0)) / len(chosen), np.outer(u.std(axis=0), v.std(axis=0))


def test_each_part_is_left_out(half):
    parts = cross_validation_parts(half, 3, np.random.default_rng(0))
    covariances = Covariances(half, parts, np.random.default_rng(0))
    for i, (fitted, _) in enumerate(parts):
        covariance, chance = direct(half, fitted)
        sums = covariances.without(i)
        np.testing.assert_allclose(sums.covariance, covariance, atol=1e-5)
        np.testing.assert_allclose(sums.chance, chance, atol=1e-5)
    np.testing.assert_allclose(covariances.whole.covariance, direct(half, np.arange(80))[0], atol=1e-5)
    np.testing.assert_allclose(
        covariances.of(np.arange(30), np.random.default_rng(0)).covariance, direct(half, np.arange(30))[0], atol=1e-5
    )


def test_chance_is_the_spread_of_entries_without_covariance(rows):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 500, 60))
    everything = np.arange(500)
    sums = CrossSums.of(iter([(rows(x).batch(everything), rows(y).batch(everything))]))
    z = sums.covariance * np.sqrt(500) / sums.chance
    # 3,600 standard normal numbers.
    assert float(z.std()) == pytest.approx(1, abs=0.05)
    assert isinstance(z, torch.Tensor)


def test_all_couples_of_a_barcode_count_at_once(rows):
    """Against all couples, barcode by barcode, by brute force."""
    rng = np.random.default_rng(0)
    count_x, count_y = rng.integers(1, 5, size=(2, 40))
    x, y = rng.normal(size=(count_x.sum(), 5)), rng.normal(size=(count_y.sum(), 3))
    indptr_x, indptr_y = (np.concatenate([[0], np.cumsum(count)]) for count in (count_x, count_y))
    everything = np.arange(40)
    pairing = Pairing(indptr_x, rng.permutation(len(x)), indptr_y, rng.permutation(len(y)), everything)
    half = Half(rows(x), rows(y), (None, None), pairing, everything, everything, None)
    parts = cross_validation_parts(half, 3, rng)
    covariances = Covariances(half, parts, rng)
    chosen, _ = parts[0]
    u, v = (side.batch(np.arange(len(side))).numpy().astype(float) for side in (half.x, half.y))
    expected, mean_u, mean_v = np.zeros((5, 3)), np.zeros(5), np.zeros(3)
    for barcode in chosen:
        of_x = pairing.rows_x[indptr_x[barcode] : indptr_x[barcode + 1]]
        of_y = pairing.rows_y[indptr_y[barcode] : indptr_y[barcode + 1]]
        couples = [(i, j) for i in of_x for j in of_y]
        expected += np.mean([np.outer(u[i], v[j]) for i, j in couples], axis=0) / len(chosen)
        mean_u += np.mean([u[i] for i, _ in couples], axis=0) / len(chosen)
        mean_v += np.mean([v[j] for _, j in couples], axis=0) / len(chosen)
    np.testing.assert_allclose(covariances.without(0).covariance, expected - np.outer(mean_u, mean_v), atol=1e-5)
