"""Student t pairs have the margins, the density and the information that their formulas promise."""

import numpy as np
import pytest
from scipy import stats

from scmi import datasets
from scmi.datasets._heavy_tailed import student_pmi, tail_information
from tests.datasets.conftest import assert_mean

N = 20_000


def test_student_information_without_correlation():
    # Student t pairs approach Gaussian ones: what the tails share vanishes as 1 / (2 nu^2) nats.
    assert tail_information(1000.0) == pytest.approx(0.5e-6 / np.log(2), rel=0.01)
    sample = datasets.heavy_tailed(N, 1, bits=tail_information(2.0), degrees_of_freedom=2.0)
    assert sample.truth == tail_information(2.0) > 0.1
    assert_mean(sample.pmi, sample.truth)


def test_student_pmi_is_the_log_density_ratio():
    u, v = np.random.default_rng(0).standard_t(3, size=(2, 20))
    expected = (
        stats.multivariate_t([0, 0], [[1, 0.6], [0.6, 1]], df=3).logpdf(np.column_stack([u, v]))
        - stats.t.logpdf(u, 3)
        - stats.t.logpdf(v, 3)
    )
    np.testing.assert_allclose(student_pmi(u, v, 0.6, 3.0), expected / np.log(2), atol=1e-10)


def test_student_columns_have_student_margins():
    sample = datasets.heavy_tailed(N, 4, bits=0.7)
    for column in range(4):
        assert stats.kstest(sample.x[:, column], stats.t(3).cdf).pvalue > 1e-4
