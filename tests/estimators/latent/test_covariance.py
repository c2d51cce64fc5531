"""Sums that are worked out once give the cross-covariance of any part."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import rowwise
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
    sums = CrossSums.of(rows(x), rows(y), rowwise(500).draw(rng))
    z = sums.covariance * np.sqrt(500) / sums.chance
    # 3,600 standard normal numbers.
    assert float(z.std()) == pytest.approx(1, abs=0.05)
    assert isinstance(z, torch.Tensor)
