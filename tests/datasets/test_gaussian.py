"""Columns are those of Algorithm 4, copies are exact, nuisance is independent, and pMI is the log density ratio."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scmi import datasets

N = 20_000


def test_gaussian_columns_are_those_of_algorithm_4():
    sample = datasets.gaussian(N, 10, 3, 1.5)
    x, y = sample.x, sample.y
    r = np.sqrt(6 * 3.5 * (1 - 2 ** (-2 * 1.5 / 3)))
    for pair in range(3):
        # Standard error of a covariance: sqrt((6 * 3.5 + r^2) / N) = .04.
        np.testing.assert_allclose(np.cov(x[:, pair], y[:, pair]), [[6, r], [r, 3.5]], atol=0.25)
    # Ten less three are seven: four copies and three nuisance columns.
    for side in (x, y):
        assert all((side[:, [column]] == side[:, :3]).all(axis=0).sum() == 1 for column in range(3, 7))
        np.testing.assert_allclose(side[:, 7:].var(axis=0), 1, atol=0.05)
    everything = np.corrcoef(np.hstack([x[:, 7:], y[:, 7:], x[:, :3]]).T) - np.eye(9)
    assert np.abs(everything).max() < 5 / np.sqrt(N)
    with pytest.raises(AttributeError):
        sample.truth = 0.0


def test_redundant_columns_are_drawn_for_each_side_by_itself():
    sample = datasets.gaussian(50, 100, 5)
    copied = [
        np.argmax((side[:, :5, None] == side[:, None, 5:53]).all(axis=0), axis=0) for side in (sample.x, sample.y)
    ]
    assert set(copied[0]) == set(copied[1]) == set(range(5))
    assert (copied[0] != copied[1]).any()


@given(st.floats(0, 4), st.integers(1, 4))
def test_gaussian_pmi_is_the_log_density_ratio(bits, k):
    sample = datasets.gaussian(5, k, k, bits)
    r = np.sqrt(6 * 3.5 * (1 - 2 ** (-2 * bits / k)))
    together = stats.multivariate_normal([0, 0], [[6, r], [r, 3.5]])
    expected = sum(
        together.logpdf(np.column_stack([sample.x[:, i], sample.y[:, i]]))
        - stats.norm.logpdf(sample.x[:, i], scale=np.sqrt(6))
        - stats.norm.logpdf(sample.y[:, i], scale=np.sqrt(3.5))
        for i in range(k)
    )
    np.testing.assert_allclose(sample.pmi, expected / np.log(2), atol=1e-6)
