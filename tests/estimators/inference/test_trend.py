"""A noisy quantity along pseudotime, on plain arrays.

- Rolling means are those of pandas, and the band is that of a case by hand.
- The band and the interval resample clones: clone mates that agree make both wider. The interval covers the truth.
"""

import numpy as np
import pandas as pd
import pytest

from scmi.estimators.inference.trend import rolling_band, rolling_mean, trend
from tests.conftest import noisy_rise


def trend_of(t, values, clone, window=5, n_resamples=100):
    order = np.argsort(t, kind="stable")
    options = {"window": window, "n_resamples": n_resamples, "confidence_level": 0.95}
    return trend(t[order], values[order], clone[order], **options, rng=np.random.default_rng(0))


def test_rolling_mean_by_hand():
    np.testing.assert_array_equal(rolling_mean(np.array([1.0, 2, 6, 7]), 3), [np.nan, 3, 5, np.nan])
    np.testing.assert_array_equal(rolling_mean(np.array([1.0, 3, 7]), 2), [np.nan, 2, 5])


@pytest.mark.parametrize("window", [1, 4, 7, 20])
def test_rolling_mean_is_that_of_pandas(window):
    values = np.random.default_rng(0).normal(size=20)
    expected = pd.Series(values).rolling(window, center=True).mean()
    np.testing.assert_allclose(rolling_mean(values, window), expected, atol=1e-12)


def test_band_by_hand():
    # Clones of (0, 1), (2); drawn twice the first, both, twice the second.
    counts = np.array([[2, 0], [1, 1], [0, 2]], dtype=np.int32)
    low, high = rolling_band(np.array([0.0, 1, 5]), np.array([0, 0, 1]), counts, 3, 1 - 1e-9)
    assert (low[1], high[1]) == pytest.approx((0.5, 5))
    assert np.isnan(low[[0, 2]]).all()


def test_band_is_wider_for_clone_mates_that_agree():
    t, values, clone = noisy_rise(np.random.default_rng(0), rise=0, shared=1)
    bands = [trend_of(t, values, labels, window=100, n_resamples=200) for labels in (clone, np.arange(len(clone)))]
    by_clone, by_cell = (np.nanmean(band.high - band.low) for band in bands)
    # Clones of 4 equal cells: twice as wide.
    assert by_clone / by_cell == pytest.approx(2, rel=0.15)


def test_interval_covers_the_truth():
    found = [trend_of(*noisy_rise(np.random.default_rng(seed))) for seed in range(20)]
    # 95 % are meant to; of 20, 16 or fewer would occur once in 60.
    assert sum(one.ci[0] <= 0.35 <= one.ci[1] for one in found) >= 17
    assert all(one.ci[0] <= one.rise.onset <= one.ci[1] for one in found)
