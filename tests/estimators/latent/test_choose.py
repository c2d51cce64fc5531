"""Linear axes are those of the cross-covariance, components those of a full decomposition, and the better model is chosen."""

import numpy as np
import pytest
import torch

import scmi as sm
from scmi.estimators.choice import Half, best_linear, cross_validation_parts
from scmi.estimators.components import principal_components
from scmi.estimators.kernel import Bases, fit_kernel
from scmi.estimators.linear import fit_axes, fit_linear
from scmi.estimators.pairing import rowwise
from scmi.estimators.rows import Rows, Scale, fit_scale
from scmi.estimators.scoring import Score
from scmi.estimators.settings import Settings

CPU = torch.device("cpu")


def rows(matrix, scale=None):
    everything = np.arange(len(matrix))
    return Rows(matrix, scale or fit_scale(matrix, everything), CPU, keep=everything)


def unscaled(matrix):
    return rows(matrix, Scale(np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])))


def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(500, 3)) * [0.3, 0.2, 0.1]  # small: standardised values are clipped at 10
    return (shared @ rng.normal(size=(3, p)) + 0.1 * rng.normal(size=(500, p)) for p in (30, 40))


def test_axes_are_the_singular_vectors_of_the_cross_covariance(sides):
    x, y = sides
    pairs = rowwise(500).draw(np.random.default_rng(0))
    axes_x, axes_y = (axes.numpy() for axes in fit_axes(unscaled(x), unscaled(y), pairs, 3, generator()))
    left, _, right = np.linalg.svd((x - x.mean(0)).T @ (y - y.mean(0)) / 500)
    # Singular vectors are known up to their sign; four rounds leave them within some degrees.
    np.testing.assert_allclose(np.abs(np.sum(axes_x * left[:, :3], axis=0)), 1, atol=5e-3)
    np.testing.assert_allclose(np.abs(np.sum(axes_y * right[:3].T, axis=0)), 1, atol=5e-3)


def test_linear_latents_compare_and_its_decoders_are_least_squares(sides):
    x, y = (rows(side) for side in sides)
    everything = np.arange(500)
    pairs = rowwise(500).draw(np.random.default_rng(0))
    model = fit_linear(x, y, pairs, fit_axes(x, y, pairs, 3, generator()))
    z_x, z_y = model.encoder_x(x.batch(everything)), model.encoder_y(y.batch(everything))
    for z in (z_x, z_y):
        assert float(z.square().mean()) == pytest.approx(1, rel=0.01)
        assert float(z.mean(dim=0).abs().max()) < 1e-4
    target = y.batch(everything).numpy()
    with_one = np.column_stack([z_x.numpy(), np.ones(500)])
    expected = with_one @ np.linalg.lstsq(with_one, target, rcond=None)[0]
    # The ridge of 1e-4 moves predictions of unit variance by about as much.
    np.testing.assert_allclose(model.decoder_xy(z_x).numpy(), expected, atol=2e-3)


def test_components_are_those_of_a_full_decomposition(sides):
    x, _ = sides
    to, back = principal_components(unscaled(x), 3, np.random.default_rng(0), generator()).layers(3)
    values = torch.from_numpy(x.astype(np.float32))
    reduced = to(values)
    assert float(reduced.square().mean()) == pytest.approx(1, rel=1e-3)
    centred = x - x.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:3].T @ axes[:3] + x.mean(0)
    np.testing.assert_allclose(back(reduced).numpy(), expected, atol=0.02 * np.abs(expected).max())


def test_few_features_are_kept_whole():
    x = np.random.default_rng(0).normal(size=(100, 20)).astype(np.float32)
    to, back = principal_components(unscaled(x), 10, np.random.default_rng(0), generator()).layers(10)
    np.testing.assert_allclose(back(to(torch.from_numpy(x))).numpy(), x, atol=1e-5)


def test_a_score_beats_another_by_more_than_its_standard_error():
    pmi = np.tile([1.0, 0.0], 50)
    # Differences of +-1 with n = 100: a standard error of .1.
    assert Score(0.8, pmi).beats(Score(0.6, 1 - pmi))
    assert not Score(0.65, pmi).beats(Score(0.6, 1 - pmi))


@pytest.mark.parametrize(("n_informative", "allowed"), [(1, {1, 2}), (4, {4, 6})])
def test_linear_dimensions_follow_the_dependence(n_informative, allowed):
    sample = sm.datasets.gaussian(1000, 60, n_informative, 1.5, rng=0)
    everything = np.arange(1000)
    half = Half(
        rows(sample.x),
        rows(sample.y),
        (None, None),
        rowwise(1000),
        everything,
        everything,
        None,
    )
    parts = cross_validation_parts(half, 3, np.random.default_rng(0))
    size, score = best_linear(half, parts, None, 3, "euclidean", np.random.default_rng(0), generator())
    assert size in allowed
    assert len(score.pmi) == 1000


def test_gaussians_get_axes_and_circles_do_not():
    quick = Settings(hidden=(32,), max_steps=100)
    gaussian = sm.datasets.gaussian(600, 60, 2, 1.0, rng=0)
    found = sm.lmi(gaussian.x, gaussian.y, n_permutations=0, preset=quick)
    assert found.params["latent_model"] == ["linear", "linear"]
    circle = sm.datasets.symmetric("circle", n_exclusive=1, rng=0)
    result = sm.lmi(circle.x, circle.y, n_permutations=0, preset=quick)
    assert "linear" not in result.params["latent_model"]
    # Cross-prediction alone, as published, finds .04 of these .71 bits. Ours over four seeds: errors up to .06.
    assert result.mi == pytest.approx(circle.truth, abs=0.12)


def test_kernel_latents_are_canonical_functions():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    y = np.column_stack([x[:, 0] ** 2 + 0.1 * rng.normal(size=800), rng.normal(size=800)])
    side_x, side_y = unscaled(x), unscaled(y)
    layers = tuple(principal_components(side, 2, rng, generator()).layers(2)[0] for side in (side_x, side_y))
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


def test_kernel_survives_identical_rows():
    x = np.repeat(np.eye(4), 50, axis=0)
    side = unscaled(x)
    pairs = rowwise(200).draw(np.random.default_rng(0))
    layers = (principal_components(side, 4, np.random.default_rng(0), generator()).layers(4)[0],) * 2
    model = fit_kernel(side, side, Bases(side, side, layers, pairs, np.random.default_rng(0)), pairs, 2)
    assert bool(torch.isfinite(model.encoder_x(side.batch(np.arange(200)))).all())


def test_n_latent_is_respected(FAST):
    sample = sm.datasets.gaussian(200, 30, 1, 1.0, rng=0)
    result = sm.lmi(sample.x, sample.y, n_latent=5, preset=FAST)
    assert result.params["n_latent"] == [5, 5]
    assert result.z_x.shape == result.z_y.shape == (200, 5)


def test_unknown_objective():
    with pytest.raises(ValueError, match=r"objective='ce' is not known; choose one of \['cross', 'infonce'"):
        sm.lmi(np.eye(50), np.eye(50), objective="ce")
