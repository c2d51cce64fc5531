"""Kernel latents are canonical functions."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent.components import principal_components
from scmi.estimators.latent.kernel import Bases, fit_kernel


def test_kernel_latents_are_canonical_functions(unscaled, generator):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    y = np.column_stack([x[:, 0] ** 2 + 0.1 * rng.normal(size=800), rng.normal(size=800)])
    side_x, side_y = unscaled(x), unscaled(y)
    layers = tuple(principal_components(side, 2, rng, generator).layers(2)[0] for side in (side_x, side_y))
    pairs = rowwise(800).draw(rng)
    model = fit_kernel(side_x, side_y, Bases(side_x, side_y, layers, pairs, rng), rowwise(800), np.arange(800), 2, rng)
    u, v = (
        encoder(side.batch(np.arange(800))) for encoder, side in ((model.encoder_x, side_x), (model.encoder_y, side_y))
    )
    for z in (u, v):
        assert float(z.square().mean()) == pytest.approx(1, rel=1e-3)
        assert float(z.mean(dim=0).abs().max()) < 1e-3
    # x and y are all but uncorrelated; their first canonical functions are the square of x, and y.
    assert abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) < 0.2
    assert abs(np.corrcoef(u[:, 0], x[:, 0] ** 2)[0, 1]) > 0.9
    assert abs(np.corrcoef(u[:, 0], v[:, 0])[0, 1]) > 0.97
    # And the cross-decoder predicts the square of x, in its own units.
    predicted = model.decoder_xy(u).numpy()
    assert np.corrcoef(predicted[:, 0], x[:, 0] ** 2)[0, 1] > 0.9


def test_kernel_survives_identical_rows(unscaled, generator):
    x = np.repeat(np.eye(4), 50, axis=0)
    side = unscaled(x)
    pairs = rowwise(200).draw(np.random.default_rng(0))
    layers = (principal_components(side, 4, np.random.default_rng(0), generator).layers(4)[0],) * 2
    rng = np.random.default_rng(0)
    model = fit_kernel(side, side, Bases(side, side, layers, pairs, rng), rowwise(200), np.arange(200), 2, rng)
    assert bool(torch.isfinite(model.encoder_x(side.batch(np.arange(200)))).all())
