"""Counts drawn down: equal totals, no count that was not there, expectations in proportion."""

import numpy as np
import pytest
import scipy.sparse as sp

from scmi.pp.depth import downsample


def test_totals_and_limits():
    counts = np.random.default_rng(0).poisson(2.0, size=(30, 20))
    given = counts.copy()
    for matrix in (counts, sp.csr_matrix(counts), sp.csc_array(counts.astype(np.float32))):
        lower, total = downsample(matrix, "counts", np.random.default_rng(1))
        assert total == counts.sum(axis=1).min()
        assert (lower.sum(axis=1) == total).all()
        assert (lower.toarray() <= counts).all()
        assert lower.dtype == np.float32
    np.testing.assert_array_equal(counts, given)
    poorest = counts.sum(axis=1).argmin()
    np.testing.assert_array_equal(lower.toarray()[poorest], counts[poorest])


def test_in_proportion():
    counts = np.tile([[600, 300, 100]], (400, 1))
    counts[0] = [60, 30, 10]
    lower, _ = downsample(counts, "counts", np.random.default_rng(0))
    # Hypergeometric: standard deviation below 5 a cell, .25 of the mean of 399.
    np.testing.assert_allclose(lower[1:].mean(axis=0), [[60, 30, 10]], atol=1)


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ([[1.5, 1], [1, 1]], "must hold counts"),
        ([[-1, 1], [1, 1]], "must hold counts"),
        ([[np.nan, 1], [1, 1]], "must hold counts"),
        ([[1, 1], [0, 0]], "no counts in 1 cells, the first 1"),
    ],
)
def test_no_counts(counts, match):
    with pytest.raises(ValueError, match=match):
        downsample(np.array(counts), "layer", np.random.default_rng(0))
