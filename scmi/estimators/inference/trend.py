"""A noisy quantity along an axis: its rolling mean with a band over clones, and where it begins to rise."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scmi.typing import Index, Values

from .onset import Rise, fit_rise, onset_test, resample_clones, resampled_onsets, round_outward

__all__ = ["Trend", "rolling_band", "rolling_mean", "trend"]

# Windows worked on at once.
BLOCK = 2048


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The rolling mean of a quantity, and its onset.

    Parameters
    ----------
    mean, low, high
        Of each window, NaN at the ends where it is not full.
    rise
        The fit of least squares.
    ci
        Interval of the onset.
    p
        Of no change.
    n_clones
        How many clones the values are of.
    """

    mean: Values
    low: Values
    high: Values
    rise: Rise
    ci: tuple[float, float]
    p: float
    n_clones: int


def trend(
    t: Values,
    values: Values,
    clone: Index,
    *,
    window: int,
    n_resamples: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> Trend:
    """Follow values along ``t``, in whose order they are; ``clone`` says which may share their noise."""
    labels, clone = np.unique(clone, return_inverse=True)
    for_clones, for_signs = rng.spawn(2)
    counts = resample_clones(len(labels), n_resamples, for_clones)
    low, high = rolling_band(values, clone, counts, window, confidence_level)
    rise = fit_rise(t, values, clone)
    ci, p = (np.nan, np.nan), 1.0
    if not np.isnan(rise.onset):
        onsets = resampled_onsets(t, values, clone, counts)
        tails = [(1 - confidence_level) / 2, (1 + confidence_level) / 2]
        ci = round_outward(t, *np.quantile(onsets, tails, method="nearest"))
        p = onset_test(t, values, clone, n_resamples, for_signs)
    mean = rolling_mean(values, window)
    return Trend(mean=mean, low=low, high=high, rise=rise, ci=ci, p=p, n_clones=len(labels))


def rolling_mean(values: Values, window: int) -> Values:
    """Mean of the `window` values about each, NaN where there are fewer; centred as pandas does."""
    means = np.full(len(values), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    means[window // 2 : window // 2 + len(windows)] = windows.mean(axis=1)
    return means


def rolling_band(
    values: Values, clone: Index, counts: NDArray[np.int32], window: int, confidence_level: float
) -> tuple[Values, Values]:
    """Quantiles, over resamples of clones (`counts`, resamples x clones), of the mean of each window's cells."""
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    tails = (1 - confidence_level) / 2, (1 + confidence_level) / 2
    n_windows = len(values) - window + 1
    for start in range(0, n_windows, BLOCK):
        stop = min(start + BLOCK, n_windows)
        cells = slice(start, stop + window - 1)
        weights = counts[:, clone[cells]].astype(np.float64)
        total, weighted = _window_sums(weights, window), _window_sums(weights * values[cells], window)
        # A window may be left without a cell, if its clones were not drawn.
        means = np.divide(weighted, total, out=np.full_like(total, np.nan), where=total > 0.5)
        at = slice(start + window // 2, stop + window // 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
            low[at], high[at] = np.nanquantile(means, tails, axis=0)
    return low, high


def _window_sums(values: Values, window: int) -> Values:
    sums = np.pad(values, ((0, 0), (1, 0))).cumsum(axis=1)
    return np.asarray(sums[:, window:] - sums[:, :-window])
