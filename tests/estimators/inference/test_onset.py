"""The onset of a rise, on plain arrays.

- Without noise it is found exactly, whether the rise goes on, slows down or ends; shift and scale carry over.
- Resamples of clones tell how sure it is; without a rise p is seldom small, with one it is.
"""

import numpy as np
import pytest

from scmi.estimators.inference.onset import fit_rise, onset_test, resample_clones, resampled_onsets, round_outward
from tests.conftest import noisy_rise


@pytest.mark.parametrize(
    ("bend", "after"), [(1.0, 0.0), (0.7, 0.0), (0.6, 0.5)], ids=["hinge", "plateau", "slower rise"]
)
def test_onset_without_noise(bend, after):
    t = np.sort(np.random.default_rng(2).uniform(size=400))
    y = -0.2 + 2 * np.clip(t - 0.3137, 0, bend - 0.3137) + after * np.maximum(0, t - bend)
    rise = fit_rise(t, y, np.arange(400))
    assert rise.onset == pytest.approx(0.3137, abs=1e-4)
    assert (rise.baseline, rise.slope) == pytest.approx((-0.2, 2), abs=1e-3)
    assert rise.slope_after == pytest.approx(after, abs=1e-3)


def test_shift_and_scale():
    t, y, clone = noisy_rise(np.random.default_rng(3))
    ours = fit_rise(t, y, clone)
    moved = fit_rise(1e4 + 3e4 * t, 5 + 2 * y, clone)
    assert moved.onset == pytest.approx(1e4 + 3e4 * ours.onset, rel=1e-4)
    assert moved.slope == pytest.approx(2 * ours.slope / 3e4, rel=1e-2)
    assert moved.baseline == pytest.approx(5 + 2 * ours.baseline, rel=1e-2)


def test_interval_is_not_everything():
    t, y, clone = noisy_rise(np.random.default_rng(4), n_clones=500, rise=3)
    onsets = resampled_onsets(t, y, clone, resample_clones(500, 100, np.random.default_rng(0)))
    assert np.quantile(onsets, 0.975) - np.quantile(onsets, 0.025) < 0.2


def test_p_values():
    def p(seed, rise):
        rng = np.random.default_rng(seed)
        t, y, clone = noisy_rise(rng, n_clones=80, rise=rise)
        return onset_test(t, y, clone, 99, rng)

    null = [p(seed, 0.0) for seed in range(60)]
    # Binomial with 60 and 0.1: more than 13 once in 300. Cells taken for independent would give about 20.
    assert np.mean(np.array(null) <= 0.1) <= 13 / 60
    assert 0.3 < np.mean(null) < 0.7
    assert max(p(seed, 3.0) for seed in range(5)) == 0.01


def test_intervals_are_rounded_to_the_next_80th_part():
    t = np.linspace(0, 1, 801)
    assert round_outward(t, 0.3137, 0.52) == pytest.approx((0.3125, 0.525))
    # A resampled onset at a quantile may lie anywhere up to the next one, and none lies outside the data.
    assert round_outward(t, 0.3125, 0.525) == pytest.approx((0.3, 0.5375))
    assert round_outward(t, 0.0, 1.0) == (0, 1)
