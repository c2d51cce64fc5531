"""How an estimate grows with its barcodes: by hand, and of whole estimates."""

from dataclasses import replace

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import KSG, PRESETS, Learning
from scmi.estimators.inference.learning import OfHalf, growth_of
from scmi.estimators.inputs.pairing import split

EUCLIDEAN = KSG(3, "euclidean")


def pairs(n, bits, seed):
    rng = np.random.default_rng(seed)
    r = np.sqrt(1 - 2 ** (-2 * bits))
    x = rng.normal(size=(n, 1))
    return x, r * x + np.sqrt(1 - r**2) * rng.normal(size=(n, 1))


def grown(pmi, halves, groups, *, mi=0.5, corrected=False):
    return growth_of(mi, pmi, halves, groups, corrected=corrected, ksg=EUCLIDEAN, rng=np.random.default_rng(0))


def test_growth_is_the_estimate_minus_that_of_halves():
    x, y = pairs(100, 1.0, 0)
    first, second = split(np.arange(100), 0.5, np.random.default_rng(0))
    of_half = np.mean([EUCLIDEAN.pointwise(x[part], y[part]).mean() for part in (first, second)])
    pmi = np.full((1, 100), 0.7)
    found = grown(pmi, [OfHalf(0, np.arange(100), x, y)], np.arange(100))
    assert found.growth == pytest.approx(0.7 - of_half)
    gained = np.concatenate([0.7 - EUCLIDEAN.pointwise(x[part], y[part]) for part in (first, second)])
    assert found.se == pytest.approx(gained.std() / 10)


def test_corrected_growth_is_of_all_pairs_and_in_proportion():
    x, y = pairs(100, 1.0, 0)
    found = grown(np.full((1, 100), 0.8), [OfHalf(0, np.arange(100), x, y)], np.arange(100), mi=1.2, corrected=True)
    assert found.growth == pytest.approx(1.5 * (0.8 - EUCLIDEAN.pointwise(x, y).mean()))


def test_pairs_of_a_group_are_one_observation():
    x, y = pairs(50, 1.0, 0)
    x, y = (np.repeat(side, 4, axis=0) + 1e-3 * np.random.default_rng(1).normal(size=(200, 1)) for side in (x, y))
    pmi, half = np.full((1, 200), 0.7), [OfHalf(0, np.arange(200), x, y)]
    # As corrected, so that pairs are not halved, by group or not.
    single, grouped = (grown(pmi, half, groups, corrected=True) for groups in (np.arange(200), np.arange(200) // 4))
    assert 1.5 < grouped.se / single.se < 2.5


def test_splits_are_averaged_and_what_was_not_compared_is_left_out():
    x, y = pairs(60, 1.0, 0)
    pmi = np.stack([np.full(80, 0.6), np.full(80, 0.8)])
    halves = [OfHalf(number, np.arange(60), x, y) for number in (0, 1)]
    one = [grown(pmi[number : number + 1], [OfHalf(0, np.arange(60), x, y)], np.arange(80)).growth for number in (0, 1)]
    # Each fold is cut anew, which moves KSG of 30 pairs by a few hundredths.
    assert grown(pmi, halves, np.arange(80)).growth == pytest.approx(np.mean(one), abs=0.1)
    none = grown(pmi, halves[:1], np.arange(80))
    assert np.isnan(none.growth) and none.levelled


@pytest.mark.parametrize("groups", [np.zeros(60, int), np.r_[np.zeros(58, int), 1, 2]])
def test_pairs_that_cannot_be_halved_are_not_compared(groups):
    found = grown(np.full((1, 60), 0.5), [OfHalf(0, np.arange(60), *pairs(60, 1.0, 0))], groups)
    assert np.isnan(found.growth) and found.levelled


def test_what_is_expected_of_twice_the_barcodes():
    learning = Learning(mi=0.5, growth=0.1, se=0.02)
    assert not learning.levelled
    assert learning.expected == pytest.approx((0.5 + (0.1 - 0.0329) / 2, 0.5 + 0.15 + 0.0329), abs=1e-4)
    shrunk = Learning(mi=0.5, growth=-0.1, se=0.02)
    assert shrunk.levelled and shrunk.expected == pytest.approx((0.5, 0.5329), abs=1e-4)
    unknown = Learning(mi=0.5)
    assert unknown.levelled and np.isnan(unknown.expected).all()


@pytest.mark.slow
def test_many_columns_are_a_lower_bound_and_one_is_not():
    """One bit in five of 200 columns, of which 75 barcodes teach less than 150; and in the only column."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 200))
    y[:, :5] = x[:, :5] + 1.5 * y[:, :5]
    many = sm.lmi(x, y, n_permutations=0, rng=0)
    assert not many.learning.levelled
    low, high = many.learning.expected
    assert many.mi <= low < high
    assert f"a lower bound: twice as many should give {low:.2f} to {high:.2f}" in str(many)
    single = sm.lmi(*pairs(300, 1.0, 0), n_permutations=0, rng=0)
    # Halves of one column lose .02 bit to nearest neighbours; over ten seeds growth is within .06.
    assert abs(single.learning.growth) < 0.1


def test_too_few_barcodes_to_be_halved_say_nothing():
    result = sm.lmi(*pairs(60, 1.0, 0), n_permutations=0, rng=0)
    assert np.isnan(result.learning.growth) and result.learning.levelled
    assert "lower bound" not in str(result)


@pytest.mark.slow
def test_a_network_learns_from_half_as_well():
    networks = replace(PRESETS["default"], closed_form=False, max_steps=60)
    result = sm.lmi(*pairs(300, 1.0, 0), n_permutations=0, preset=networks, n_splits=1, rng=0)
    assert set(result.params["latent_model"]) == {"network"}
    assert np.isfinite(result.learning.growth) and result.learning.se > 0
