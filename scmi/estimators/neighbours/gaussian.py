"""The Gaussian that latents may follow: the bound that it gives, and what KSG misses of it."""

from typing import NamedTuple

import numpy as np

from scmi.typing import Index, Values

from .ksg import KSG

__all__ = ["Shortfall", "gaussian_bound", "gaussian_shortfall"]

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


class Shortfall(NamedTuple):
    """What KSG misses of a Gaussian.

    Parameters
    ----------
    bits
        Closed-form information minus KSG, in bits.
    variance
        Variance that adding it adds to the estimate, times the number of pairs, in bits squared. That of the closed
        form is the sum of the squared canonical correlations over the number of pairs (in nats squared), of which KSG
        of the same pairs has a part already: the square of the share of the information that it sees.
    """

    bits: float
    variance: float


def gaussian_bound(x: Values, y: Values, rng: np.random.Generator) -> float:
    """Lower bound of the mutual information in bits (Donsker-Varadhan), with a Gaussian's log density ratio as critic.

    The Gaussian is fitted to three quarters of the pairs and judged on the rest, in turn. Being held out, the bound is
    in expectation below the truth whatever the distribution.
    """
    chosen = rng.permutation(len(x))[:MAX_BOUND_PAIRS]
    x, y = x[chosen], y[chosen]
    n, dims = len(x), (x.shape[1], y.shape[1])
    fold = np.arange(n) % N_FOLDS
    both = np.hstack([x, y]) - np.hstack([x.mean(axis=0), y.mean(axis=0)])
    # Of each fold, and then of all but it.
    count = np.bincount(fold, minlength=N_FOLDS)
    total = np.stack([both[fold == i].sum(axis=0) for i in range(N_FOLDS)])
    square = np.stack([both[fold == i].T @ both[fold == i] for i in range(N_FOLDS)])
    count, total, square = n - count, total.sum(axis=0) - total, square.sum(axis=0) - square
    mean = total / count[:, None]
    covariance = (square - count[:, None, None] * mean[:, :, None] * mean[:, None, :]) / (count - 1)[:, None, None]
    to_x, to_y, correlation = _canonical_axes(covariance, dims[0], count)
    bits = 0.0
    for i in range(N_FOLDS):
        r = correlation[i]
        judged = both[fold == i] - mean[i]
        u, v = judged[:, : dims[0]] @ to_x[i], judged[:, dims[0] :] @ to_y[i]
        scale = 1 / (1 - r**2)
        own = -0.5 * r**2 * scale
        ratio = (u**2 @ own)[:, None] + (v**2 @ own)[None, :] + (u * r * scale) @ v.T
        m = len(ratio)
        joint = np.diag(ratio).mean()
        np.fill_diagonal(ratio, -np.inf)
        bits += (joint - _log_sum_exp(ratio) + np.log(m * (m - 1))) * m / n
    return float(bits / np.log(2))


def gaussian_shortfall(x: Values, y: Values, ksg: KSG, rng: np.random.Generator) -> Shortfall:
    """Closed-form information of a Gaussian with the latents' covariance, minus KSG on samples of it."""
    axes = _canonical(x, y)
    r = axes.correlation
    back_x, back_y = np.linalg.pinv(axes.to_x), np.linalg.pinv(axes.to_y)
    values = []
    for _ in range(SURROGATES if len(x) < MANY_PAIRS else 1):
        u, v = rng.normal(size=(len(x), back_x.shape[0])), rng.normal(size=(len(x), back_y.shape[0]))
        v[:, : len(r)] = r * u[:, : len(r)] + np.sqrt(1 - r**2) * v[:, : len(r)]
        values.append(ksg.pointwise(u @ back_x, v @ back_y).mean())
    bits, seen = float(-0.5 * np.log2(1 - r**2).sum()), float(np.mean(values))
    share = min(max(seen / bits, 0.0), 1.0) if bits > 0 else 1.0
    return Shortfall(bits - seen, float((r**2).sum()) * (1 - share**2) / np.log(2) ** 2)


def _canonical(x: Values, y: Values) -> _Canonical:
    """Canonical correlation analysis; the correlations are shrunk as an adjusted R2 is, for those that chance gives."""
    (mean_x, white_x), (mean_y, white_y) = _whitening(x), _whitening(y)
    cross = ((x - mean_x) @ white_x).T @ ((y - mean_y) @ white_y) / (len(x) - 1)
    left, r, right = np.linalg.svd(cross)
    return _Canonical(mean_x, white_x @ left, mean_y, white_y @ right.T, _shrunk(r, len(x), max(cross.shape)))


def _canonical_axes(covariance: Values, n_x: int, count: Index) -> tuple[Values, Values, Values]:
    """The paired canonical axes of several samples at once, from their covariances; dimensions x correlations."""
    white_x, white_y = _inverse_roots(covariance[:, :n_x, :n_x]), _inverse_roots(covariance[:, n_x:, n_x:])
    cross = white_x.transpose(0, 2, 1) @ covariance[:, :n_x, n_x:] @ white_y
    left, r, right = np.linalg.svd(cross, full_matrices=False)
    return white_x @ left, white_y @ right.transpose(0, 2, 1), _shrunk(r, count[:, None], max(cross.shape[1:]))


def _log_sum_exp(values: Values) -> float:
    """In one pass: SciPy's, which minds signs, weights and axes, takes five times as long on matrices of this size."""
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def _shrunk(r: Values, n: int | Index, dimensions: int) -> Values:
    squared = 1 - (1 - np.minimum(r, HIGHEST_CORRELATION) ** 2) * (n - 1) / (n - dimensions - 1)
    shrunk: Values = np.sqrt(np.clip(squared, 0, None))
    return shrunk


def _inverse_roots(covariance: Values) -> Values:
    """What whitens each sample; directions without variance are left out."""
    value, vector = np.linalg.eigh(covariance)
    kept = value > 1e-6 * value[:, -1:]
    return vector * np.where(kept, 1 / np.sqrt(np.where(kept, value, 1)), 0)[:, None, :]


def _whitening(points: Values) -> tuple[Values, Values]:
    value, vector = np.linalg.eigh(np.atleast_2d(np.cov(points.T)))
    kept = value > 1e-6 * value.max()
    return points.mean(axis=0), vector[:, kept] / np.sqrt(value[kept])
