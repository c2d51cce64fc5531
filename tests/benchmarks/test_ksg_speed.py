"""KSG against scikit-learn's k-d trees, side by side: ``pytest -m benchmark tests/benchmarks/test_ksg_speed.py -s``."""

import time

import numpy as np
import pytest
from scipy.special import digamma
from sklearn.neighbors import KDTree

import scmi as sm

pytestmark = pytest.mark.benchmark


def by_trees(x, y, k=3):
    """KSG through scikit-learn's k-d trees, one for the joint space and one for each side."""
    distance = KDTree(np.hstack([x, y]), metric="chebyshev").query(np.hstack([x, y]), k=k + 1)[0][:, -1]
    within = np.nextafter(distance, 0)
    n_x, n_y = (KDTree(side, metric="chebyshev").query_radius(side, within, count_only=True) for side in (x, y))
    return (digamma(k) + digamma(len(x)) - digamma(n_x) - digamma(n_y)) / np.log(2)


def manifold(n, intrinsic, seed):
    """8 + 8 dimensions that hold ``intrinsic`` ones, bent."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, intrinsic))
    u = z + rng.normal(size=(n, intrinsic))
    return np.tanh(z @ rng.normal(size=(intrinsic, 8))), np.tanh(u @ rng.normal(size=(intrinsic, 8)))


def seconds(function, *arguments):
    start = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - start, value


def compare(name, x, y):
    runs = [(*seconds(sm.ksg, x, y), *seconds(by_trees, x, y)) for _ in range(3)]
    ratios = [theirs / ours for ours, _, theirs, _ in runs]
    ours, value, theirs, reference = runs[-1]
    print(f"{name:32s} ours {ours:8.4f} s   k-d trees {theirs:8.4f} s   ratio {np.median(ratios):5.1f}")
    np.testing.assert_allclose(value, reference, atol=1e-10)


@pytest.mark.parametrize("n", [1000, 2500, 10_000, 30_000])
@pytest.mark.parametrize("intrinsic", [1, 2, 4, 8])
def test_grid(n, intrinsic):
    sm.ksg(*manifold(50, 2, 0))  # compile
    compare(f"N={n} intrinsic={intrinsic}", *manifold(n, intrinsic, n))


@pytest.mark.parametrize("n", [2500, 10_000])
def test_latents_of_a_trained_model(n):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2 * n, 100))
    y[:, :40] = x[:, :4].repeat(10, axis=1) + rng.normal(size=(2 * n, 1))
    x[:, 4:40] = x[:, :4].repeat(9, axis=1)
    result = sm.lmi(x, y, rng=0)
    held_out = result.fold == 0
    compare(
        f"latents of a model, N={held_out.sum()}",
        result.z_x[held_out].astype(float),
        result.z_y[held_out].astype(float),
    )


def test_a_hundred_thousand():
    x, y = manifold(100_000, 8, 0)
    ours, value = seconds(sm.ksg, x, y)
    print(f"N=100,000 intrinsic=8: {ours:.1f} s")
    assert np.isfinite(value).all()
