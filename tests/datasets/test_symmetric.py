"""Circle and mixture have the densities of their definitions, converged truths, and constant means."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scmi import datasets
from scmi.datasets._symmetric import NOISE, circle_information, circle_pmi, mixture_information, mixture_pmi
from tests.datasets.conftest import assert_mean

N = 20_000


def test_circle_density_is_that_of_its_definition():
    x, y = np.array([0.9, -0.2, 0.6, 0.05]), np.array([0.1, 1.1, -0.7, -1.0])
    angles = (np.arange(1_000_000) + 0.5) / 1_000_000 * 2 * np.pi
    near_x = np.abs(np.cos(angles) - x[:, None]) < NOISE
    near_y = np.abs(np.sin(angles) - y[:, None]) < NOISE
    ratio = (near_x & near_y).mean(axis=1) / (near_x.mean(axis=1) * near_y.mean(axis=1))
    np.testing.assert_allclose(circle_pmi(x, y), np.log2(ratio), atol=1e-4)
    assert circle_pmi(np.array([0.0]), np.array([0.0])) == -np.inf


def test_mixture_density_is_that_of_its_definition():
    x, y = np.random.default_rng(0).standard_normal((2, 20))
    density = sum(
        stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).pdf(np.column_stack([x, y])) / 2 for r in (-0.9, 0.9)
    )
    np.testing.assert_allclose(
        mixture_pmi(x, y), np.log2(density / (stats.norm.pdf(x) * stats.norm.pdf(y))), atol=1e-10
    )


def test_symmetric_truths_have_converged():
    assert circle_information(700) == pytest.approx(circle_information(), abs=5e-5)
    assert mixture_information(300) == pytest.approx(mixture_information(), abs=1e-10)
    # Published KSG estimates on 1 + 1 dimensions: .734 +- .034 and .610 +- .036.
    assert circle_information() == pytest.approx(0.7343, abs=0.034)
    assert mixture_information() == pytest.approx(0.6096, abs=0.036)


@pytest.mark.parametrize("shape", ["circle", "gaussian_mixture"])
def test_symmetric_means_are_constant(shape):
    sample = datasets.symmetric(shape, N)
    fifths = pd.qcut(sample.x[:, 0], 5, labels=False)
    for fifth in range(5):
        assert_mean(sample.y[fifths == fifth, 0], 0)
