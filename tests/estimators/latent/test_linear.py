"""Linear axes are those of the cross-covariance, and the decoders of their latents are least squares."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent import linear
from scmi.estimators.latent.linear import axes_of, fit_axes, fit_linear


def test_axes_are_the_singular_vectors_of_the_cross_covariance(sides, unscaled, generator):
    x, y = sides
    pairs = rowwise(500).draw(np.random.default_rng(0))
    axes_x, axes_y = (axes.numpy() for axes in fit_axes(unscaled(x), unscaled(y), pairs, 3, generator))
    left, _, right = np.linalg.svd((x - x.mean(0)).T @ (y - y.mean(0)) / 500)
    # Singular vectors are known up to their sign; four rounds leave them within some degrees.
    np.testing.assert_allclose(np.abs(np.sum(axes_x * left[:, :3], axis=0)), 1, atol=5e-3)
    np.testing.assert_allclose(np.abs(np.sum(axes_y * right[:3].T, axis=0)), 1, atol=5e-3)


def test_linear_latents_compare_and_its_decoders_are_least_squares(sides, rows, generator):
    x, y = (rows(side) for side in sides)
    everything = np.arange(500)
    pairs = rowwise(500).draw(np.random.default_rng(0))
    model = fit_linear(x, y, pairs, fit_axes(x, y, pairs, 3, generator))
    assert model.kind == "linear"
    z_x, z_y = model.encoder_x(x.batch(everything)), model.encoder_y(y.batch(everything))
    for z in (z_x, z_y):
        assert float(z.square().mean()) == pytest.approx(1, rel=0.01)
        assert float(z.mean(dim=0).abs().max()) < 1e-4
    target = y.batch(everything).numpy()
    with_one = np.column_stack([z_x.numpy(), np.ones(500)])
    expected = with_one @ np.linalg.lstsq(with_one, target, rcond=None)[0]
    # The ridge of 1e-4 moves predictions of unit variance by about as much.
    np.testing.assert_allclose(model.decoder_xy(z_x).numpy(), expected, atol=2e-3)


def test_no_more_axes_than_features(sides, rows, generator):
    x, y = sides
    pairs = rowwise(500).draw(np.random.default_rng(0))
    axes_x, axes_y = fit_axes(rows(x[:, :2]), rows(y), pairs, 6, generator)
    assert (axes_x.shape, axes_y.shape) == ((2, 2), (40, 2))


def test_cutting_batches_anew_changes_nothing(sides, rows, monkeypatch):
    import torch

    x, y = (rows(side) for side in sides)
    pairs = rowwise(500).draw(np.random.default_rng(0))
    kept = fit_axes(x, y, pairs, 3, torch.Generator().manual_seed(0))
    monkeypatch.setattr(linear, "MAX_BYTES", 0)
    for one, other in zip(kept, fit_axes(x, y, pairs, 3, torch.Generator().manual_seed(0)), strict=True):
        assert torch.equal(one, other)


def test_axes_point_up_whatever_rounding_says(generator):
    rng = np.random.default_rng(3)
    # Five values that stand out, so that four rounds find them.
    matrix = torch.tensor(rng.normal(size=(40, 5)) * [9, 7, 5, 3, 2] @ rng.normal(size=(5, 30)), dtype=torch.float32)
    axes_x, values, axes_y = axes_of(matrix, 5, generator)
    longest = axes_x.gather(0, axes_x.abs().argmax(dim=0)[None])
    assert bool((longest > 0).all())
    # Both ends of an axis turn together.
    torch.testing.assert_close(matrix @ axes_y, axes_x * values, rtol=1e-3, atol=1e-3)
