"""The Gaussian that latents may follow: the bound that it gives, and what KSG misses of it."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from scmi.typing import Values

from .ksg import KSG

__all__ = ["gaussian_bound", "gaussian_shortfall"]

# Parts of the pairs: the Gaussian is fitted to all but one and judged on that one.
N_FOLDS = 4
SURROGATES = 4
# From this many pairs on, one surrogate is as steady as several of fewer.
MANY_PAIRS = 3000
# The bound compares every x with every y.
MAX_BOUND_PAIRS = 4000
HIGHEST_CORRELATION = 0.9999


class _Canonical(NamedTuple):
    """Canonical coordinates of two sides, and their correlations.

    One side may have more coordinates than there are correlations; the paired ones come first.
    """

    mean_x: Values
    to_x: Values
    mean_y: Values
    to_y: Values
    correlation: Values


def gaussian_bound(x: Values, y: Values, rng: np.random.Generator) -> float:
    """Lower bound of the mutual information in bits (Donsker-Varadhan), with a Gaussian's log density ratio as critic.

    The Gaussian is fitted to three quarters of the pairs and judged on the rest, in turn. Being held out, the bound is
    in expectation below the truth whatever the distribution.
    """
    chosen = rng.permutation(len(x))[:MAX_BOUND_PAIRS]
    x, y = x[chosen], y[chosen]
    fold = np.arange(len(x)) % N_FOLDS
    total = 0.0
    for i in range(N_FOLDS):
        fitted, judged = fold != i, fold == i
        axes = _canonical(x[fitted], y[fitted])
        r = axes.correlation
        u = (x[judged] - axes.mean_x) @ axes.to_x[:, : len(r)]
        v = (y[judged] - axes.mean_y) @ axes.to_y[:, : len(r)]
        scale = 1 / (1 - r**2)
        own = -0.5 * r**2 * scale
        ratio = (u**2 @ own)[:, None] + (v**2 @ own)[None, :] + (u * r * scale) @ v.T
        n = len(ratio)
        joint = np.diag(ratio).mean()
        np.fill_diagonal(ratio, -np.inf)
        total += (joint - logsumexp(ratio) + np.log(n * (n - 1))) * n / len(x)
    return float(total / np.log(2))


def gaussian_shortfall(x: Values, y: Values, ksg: KSG, rng: np.random.Generator) -> float:
    """Closed-form information of a Gaussian with the latents' covariance, minus KSG on samples of it, in bits."""
    axes = _canonical(x, y)
    r = axes.correlation
    back_x, back_y = np.linalg.pinv(axes.to_x), np.linalg.pinv(axes.to_y)
    values = []
    for _ in range(SURROGATES if len(x) < MANY_PAIRS else 1):
        u, v = rng.normal(size=(len(x), back_x.shape[0])), rng.normal(size=(len(x), back_y.shape[0]))
        v[:, : len(r)] = r * u[:, : len(r)] + np.sqrt(1 - r**2) * v[:, : len(r)]
        values.append(ksg.pointwise(u @ back_x, v @ back_y).mean())
    return float(-0.5 * np.log2(1 - r**2).sum() - np.mean(values))


def _canonical(x: Values, y: Values) -> _Canonical:
    """Canonical correlation analysis; the correlations are shrunk as an adjusted R2 is, for those that chance gives."""
    (mean_x, white_x), (mean_y, white_y) = _whitening(x), _whitening(y)
    cross = ((x - mean_x) @ white_x).T @ ((y - mean_y) @ white_y) / (len(x) - 1)
    left, r, right = np.linalg.svd(cross)
    n_free = len(x) - max(cross.shape) - 1
    squared = 1 - (1 - np.minimum(r, HIGHEST_CORRELATION) ** 2) * (len(x) - 1) / n_free
    return _Canonical(mean_x, white_x @ left, mean_y, white_y @ right.T, np.sqrt(np.clip(squared, 0, None)))


def _whitening(points: Values) -> tuple[Values, Values]:
    value, vector = np.linalg.eigh(np.atleast_2d(np.cov(points.T)))
    kept = value > 1e-6 * value.max()
    return points.mean(axis=0), vector[:, kept] / np.sqrt(value[kept])
