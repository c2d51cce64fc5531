"""Kernel latents are canonical functions, whatever part of the pairs their moments were added up from."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent.components import principal_components
from scmi.estimators.latent.kernel import Bases, Moments, fit_kernel


def test_kernel_latents_are_canonical_functions(unscaled, generator):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    y = np.column_stack([x[:, 0] ** 2 + 0.1 * rng.normal(size=800), rng.normal(size=800)])
    side_x, side_y = unscaled(x), unscaled(y)
    layers = tuple(principal_components(side, 2, rng, generator).layers(2)[0] for side in (side_x, side_y))
    pairs = rowwise(800).draw(rng)
    model = fit_kernel(side_x, side_y, Bases(side_x, side_y, layers, pairs, rng), pairs, 2)
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
    model = fit_kernel(side, side, Bases(side, side, layers, pairs, np.random.default_rng(0)), pairs, 2)
    assert bool(torch.isfinite(model.encoder_x(side.batch(np.arange(200)))).all())


def test_moments_without_a_part_are_those_of_the_rest():
    u, v = torch.randn((2, 60, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rest = Moments.of(u, v).without(Moments.of(u[:15], v[:15]))
    for found, expected in zip(rest, Moments.of(u[15:], v[15:]), strict=True):
        torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected))
