"""Principal components are those of a full decomposition, and few features are kept whole."""

import numpy as np
import pytest
import torch

from scmi.estimators.latent.components import principal_components


def test_components_are_those_of_a_full_decomposition(sides, unscaled, generator):
    x, _ = sides
    to, back = principal_components(unscaled(x), 3, np.random.default_rng(0), generator).layers(3)
    values = torch.from_numpy(x.astype(np.float32))
    reduced = to(values)
    assert float(reduced.square().mean()) == pytest.approx(1, rel=1e-3)
    centred = x - x.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:3].T @ axes[:3] + x.mean(0)
    np.testing.assert_allclose(back(reduced).numpy(), expected, atol=0.02 * np.abs(expected).max())


def test_few_features_are_kept_whole(unscaled, generator):
    x = np.random.default_rng(0).normal(size=(100, 20)).astype(np.float32)
    to, back = principal_components(unscaled(x), 10, np.random.default_rng(0), generator).layers(10)
    np.testing.assert_allclose(back(to(torch.from_numpy(x))).numpy(), x, atol=1e-5)
