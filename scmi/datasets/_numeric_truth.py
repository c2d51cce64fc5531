"""Truths without a closed form, from known densities: dependence in scale, and counts of correlated programs."""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import digamma, logsumexp
from scipy.stats import nbinom, norm

from scmi.datasets._sample import Array

SLOPE = 0.5
"""Change of an informative gene's log-mean per unit of its program."""
MAX_BINS = 1500


def log_size_density(at: Array, slope: float) -> Array:
    """Log-density of log|y| = slope * x + log|e|, for standard normal x and e, by the trapezoidal rule over x."""
    x = np.linspace(-10.0, 10.0, 401)
    log_size = at[:, None] - slope * x[None, :]
    log_terms = norm.logpdf(x) + np.log(2) + log_size + norm.logpdf(np.exp(np.minimum(log_size, 20.0)))
    return np.asarray(logsumexp(log_terms, axis=1) + np.log(x[1] - x[0]))


def scale_information(slope: float) -> float:
    """Mutual information of x and exp(slope * x) e, in bits."""
    # log|e| has a tail to the left that falls off like exp(w), and none to the right.
    at = np.linspace(-35.0 - 9 * slope, 5.0 + 9 * slope, 1501)
    log_density = log_size_density(at, slope)
    entropy = -np.sum(np.exp(log_density) * log_density) * (at[1] - at[0])
    # The entropy of log|e|: that of |e|, less the mean of log|e|.
    conditional = np.log(2 * np.pi * np.e) / 2 - np.log(2) - (digamma(0.5) + np.log(2)) / 2
    return float((entropy - conditional) / np.log(2))


@cache
def scale_slope(bits: float) -> float:
    """The change of y's log-sd per unit of x at which x and y share these bits."""
    return 0.0 if bits == 0 else float(brentq(lambda slope: scale_information(slope) - bits, 0.0, 20.0, xtol=1e-9))


def scale_pmi(x: Array, y: Array, slope: float) -> Array:
    """Bits by which each pair is likelier together than apart."""
    log_size = np.log(np.abs(y))
    # The density is smooth: a spline through a few thousand integrals is as good as one integral per sample.
    at = np.linspace(log_size.min() - 0.1, log_size.max() + 0.1, 2001)
    log_density = CubicSpline(at, log_size_density(at, slope))(log_size)
    noise = log_size - slope * x
    joint = np.log(2) + noise + norm.logpdf(np.exp(noise))
    return np.asarray((joint - log_density) / np.log(2))


def success(program: Array) -> Array:
    """The second parameter of a negative binomial whose mean is its size times exp(SLOPE * program)."""
    return np.asarray(1 / (1 + np.exp(SLOPE * program)))


def programs_grid(size_x: float, size_y: float, correlation: float) -> tuple[Array, Array]:
    """Equidistant values of a program, and the joint weights (x times y) of two correlated ones at them."""
    width = np.sqrt(1 - correlation**2)
    # A step no wider than the narrowest Gaussian-like factor leaves the trapezoidal rule an error of exp(-2 pi^2).
    step = min(0.05, float(width), 1 / (SLOPE * np.sqrt(max(size_x, size_y))))
    at = np.arange(-7.0, 7.0, step)
    log_joint = norm.logpdf(at)[:, None] + norm.logpdf((at[None, :] - correlation * at[:, None]) / width)
    return at, np.exp(log_joint) * step**2 / width


def count_information(size_x: float, size_y: float, correlation: float) -> float:
    """Mutual information, in bits, of two negative binomial sums whose programs are correlated."""
    at, weights = programs_grid(size_x, size_y, correlation)
    given_x, given_y = (bin_probabilities(at, size) for size in (size_x, size_y))
    joint = given_x @ weights @ given_y.T
    independent = np.outer(given_x @ weights.sum(axis=1), given_y @ weights.sum(axis=0))
    seen = joint > 0
    return float(np.sum(joint[seen] * np.log2(joint[seen] / independent[seen])))


def bin_probabilities(at: Array, size: float) -> Array:
    """Probability that a sum falls into each of at most ``MAX_BINS`` bins (narrow, and the rest), bins x programs."""
    highest = float(np.max(nbinom.isf(1e-12, size, success(at[-1:]))))
    # Single counts at first, then bins of equal ratio, far narrower than what the sum spreads at a given program.
    upper = np.unique(np.floor(np.geomspace(1, highest + 2, MAX_BINS) - 1))
    cumulative = nbinom.cdf(upper[:, None], size, success(at)[None, :])
    return np.diff(np.asarray(cumulative), axis=0, prepend=0.0, append=1.0)


def count_pmi(
    total_x: npt.NDArray[np.int64],
    total_y: npt.NDArray[np.int64],
    size_x: float,
    size_y: float,
    correlation: float,
) -> Array:
    """Bits by which each pair of sums is likelier together than apart."""
    at, weights = programs_grid(size_x, size_y, correlation)
    (seen_x, which_x), (seen_y, which_y) = (np.unique(total, return_inverse=True) for total in (total_x, total_y))
    given_x = nbinom.pmf(seen_x[:, None], size_x, success(at)[None, :])
    given_y = np.asarray(nbinom.pmf(seen_y[:, None], size_y, success(at)[None, :]))
    together = np.einsum("ij,ij->i", (given_x @ weights)[which_x], given_y[which_y])
    apart = (given_x @ weights.sum(axis=1))[which_x] * (given_y @ weights.sum(axis=0))[which_y]
    return np.asarray(np.log2(together / apart))
