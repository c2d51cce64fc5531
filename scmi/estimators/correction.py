"""What KSG falls short by when latents are Gaussian, and whether they are Gaussian enough to say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ._neighbours import Metric
from .ksg import ksg

__all__ = ["Correction", "correct", "gaussian_bound"]

Points = NDArray[np.float64]

# Folds inside the held-out half: the Gaussian is fitted to all but one and judged on that one.
N_FOLDS = 4
# Every fit needs more pairs than this times the dimensions of both sides.
PAIRS_PER_DIMENSION = 5
SURROGATES = 4
# From this many pairs on, one surrogate is as steady as several of fewer.
MANY_PAIRS = 3000
# The bound compares every x with every y.
MAX_BOUND_PAIRS = 4000
# A bound of pairs told apart from others ends at about the log of their number; so much below it, it is still right.
NEAR_LIMIT = 2.0
HIGHEST_CORRELATION = 0.9999


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A bias-corrected estimate, or why there is none.

    Parameters
    ----------
    mi
        The corrected estimate in bits; the plain one where the correction is withheld.
    applied
        Whether it was corrected.
    bound
        The held-out Gaussian bound that decided, in bits.
    reason
        Why it was corrected or not.
    """

    mi: float
    applied: bool
    bound: float
    reason: str


class _Canonical(NamedTuple):
    """Canonical coordinates of two sides, and their correlations.

    One side may have more coordinates than there are correlations; the paired ones come first.
    """

    mean_x: Points
    to_x: Points
    mean_y: Points
    to_y: Points
    correlation: Points


def correct(
    samples: Sequence[tuple[Points, Points]], mi: float, *, k: int, metric: Metric, rng: np.random.Generator
) -> Correction:
    r"""Add what KSG misses of the information, where the latents are shown to be Gaussian enough.

    KSG underestimates as dependence spreads over many dimensions. For a Gaussian with the latents' own covariance and
    number of samples, what it misses can be measured: closed-form mutual information minus KSG on such surrogates. It
    is added only where a held-out lower bound from the same Gaussian (:func:`gaussian_bound`) lies above KSG: then KSG
    falls short for certain, and the Gaussian holds information that KSG does not see. Clusters, curves and
    heavy tails, where a Gaussian would mislead, have a bound below KSG.

    Parameters
    ----------
    samples
        Held-out latents, samples x dimensions of x and of y, for every fold and pairing.
    mi
        The plain estimate in bits.
    k, metric
        As KSG was called with.
    rng
        For the surrogates and the folds of the bound.

    References
    ----------
    Appendix A.1.1 of :cite:t:`Gowri2024` for the test case; Donsker and Varadhan (1983) for the bound.
    """
    weights = np.array([len(x) for x, _ in samples], dtype=float)
    weights /= weights.sum()
    plain = weights @ [ksg(x, y, k, metric=metric).mean() for x, y in samples]
    if any(len(x) * (1 - 1 / N_FOLDS) < PAIRS_PER_DIMENSION * (x.shape[1] + y.shape[1]) for x, y in samples):
        reason = "withheld: too few held-out pairs to fit a Gaussian to the latents"
        return Correction(mi=mi, applied=False, bound=np.nan, reason=reason)
    bound = float(weights @ [gaussian_bound(x, y, rng) for x, y in samples])
    if bound <= plain:
        reason = f"withheld: the held-out Gaussian bound ({bound:.3f} bits) is not above KSG of the same pairs ({plain:.3f} bits), so that nothing is shown to be missing"
        return Correction(mi=mi, applied=False, bound=bound, reason=reason)
    highest = min(np.log2(len(x)) for x, _ in samples) - NEAR_LIMIT
    if bound > highest:
        reason = f"withheld: {bound:.1f} bits by the Gaussian bound are more than {highest:.1f}, beyond which these pairs can't tell"
        return Correction(mi=mi, applied=False, bound=bound, reason=reason)
    shift = float(weights @ [_shortfall(x, y, k, metric, rng) for x, y in samples])
    reason = f"applied: the held-out Gaussian bound ({bound:.3f} bits) is above KSG ({plain:.3f} bits)"
    return Correction(mi=mi + shift, applied=True, bound=bound, reason=reason)


def gaussian_bound(x: Points, y: Points, rng: np.random.Generator) -> float:
    """Lower bound of the mutual information in bits (Donsker-Varadhan), with a Gaussian's log density ratio as critic.

    The Gaussian is fitted to three quarters of the pairs and judged on the rest, in turn. Being held out, the bound is in
    expectation below the truth whatever the distribution.
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


def _shortfall(x: Points, y: Points, k: int, metric: Metric, rng: np.random.Generator) -> float:
    """Closed-form information of a Gaussian with the latents' covariance, minus KSG on samples of it, in bits."""
    axes = _canonical(x, y)
    r = axes.correlation
    back_x, back_y = np.linalg.pinv(axes.to_x), np.linalg.pinv(axes.to_y)
    values = []
    for _ in range(SURROGATES if len(x) < MANY_PAIRS else 1):
        u, v = rng.normal(size=(len(x), back_x.shape[0])), rng.normal(size=(len(x), back_y.shape[0]))
        v[:, : len(r)] = r * u[:, : len(r)] + np.sqrt(1 - r**2) * v[:, : len(r)]
        values.append(ksg(u @ back_x, v @ back_y, k, metric=metric).mean())
    return float(-0.5 * np.log2(1 - r**2).sum() - np.mean(values))


def _canonical(x: Points, y: Points) -> _Canonical:
    """Canonical correlation analysis; the correlations are shrunk as an adjusted R2 is, for those that chance gives."""
    (mean_x, white_x), (mean_y, white_y) = _whitening(x), _whitening(y)
    cross = ((x - mean_x) @ white_x).T @ ((y - mean_y) @ white_y) / (len(x) - 1)
    left, r, right = np.linalg.svd(cross)
    n_free = len(x) - max(cross.shape) - 1
    squared = 1 - (1 - np.minimum(r, HIGHEST_CORRELATION) ** 2) * (len(x) - 1) / n_free
    return _Canonical(mean_x, white_x @ left, mean_y, white_y @ right.T, np.sqrt(np.clip(squared, 0, None)))


def _whitening(points: Points) -> tuple[Points, Points]:
    value, vector = np.linalg.eigh(np.atleast_2d(np.cov(points.T)))
    kept = value > 1e-6 * value.max()
    return points.mean(axis=0), vector[:, kept] / np.sqrt(value[kept])
