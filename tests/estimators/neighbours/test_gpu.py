"""Brute force on a device counts what sorted windows do."""

import numpy as np
import pytest
import torch

import scmi as sm
from scmi.estimators.neighbours import _gpu
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.windows import marginal_counts


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("ties", [False, True])
def test_brute_force_in_torch_counts_the_same(metric, ties, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 3))
    if ties:  # whole numbers, so that squares are summed without rounding
        x, y = np.round(2 * x), np.round(2 * y)
    monkeypatch.setattr(_gpu, "BLOCK_VALUES", 100 * 300)  # several blocks, the last one shorter
    counts = _gpu.marginal_counts(x, y, 3, metric=metric, device=torch.device("cpu"))
    expected = marginal_counts(x, y, x, y, 3, same=True, metric=metric)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.gpu
def test_same_numbers_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x, y = np.random.default_rng(0).normal(size=(2, 2000, 8))
    on_gpu = KSG(3, "euclidean").pointwise(x, y, torch.device("cuda"))
    np.testing.assert_allclose(on_gpu, sm.ksg(x, y, metric="euclidean"), atol=1e-10)
    sample = sm.datasets.gaussian(1000, 60, 1, 1.0, rng=0)
    # Two devices draw different weights: the spread over seeds is .05.
    assert sm.lmi(sample.x, sample.y, device="cuda").mi == pytest.approx(sm.lmi(sample.x, sample.y).mi, abs=0.2)
