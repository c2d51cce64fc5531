"""Folds that share barcodes are permuted and drawn barcode by barcode."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import HeldOut, permutation_test, subsampling_error
from scmi.estimators.inference.shared import shared_folds
from scmi.estimators.inputs.pairing import halves


def folds_of(x, y, n_splits, rng, groups=None):
    groups = np.arange(len(x)) if groups is None else groups
    return [
        HeldOut(x[rows], y[rows], groups[rows], barcodes=rows)
        for both in halves(groups, n_splits, rng)
        for rows in both
    ]


def test_splits_hang_together_and_folds_of_one_do_not():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 160, 2))
    assert len(shared_folds(folds_of(x, y, 1, rng))) == 2
    (shared,) = shared_folds(folds_of(x, y, 3, rng))
    assert len(shared) == 160
    assert len(shared.folds) == 6
    for fold, place in zip(shared.folds, shared.places, strict=True):
        np.testing.assert_array_equal(place, fold.barcodes)
    # Of eight blocks of 20, five splits tell all apart; three leave pairs of them together.
    assert np.bincount(shared.exchangeable).tolist() == [40] * 4
    (shared,) = shared_folds(folds_of(x, y, 5, rng))
    assert np.bincount(shared.exchangeable).tolist() == [20] * 8


def test_without_numbers_no_two_pairs_are_of_one_barcode():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 1))
    assert len(shared_folds([HeldOut(x, y), HeldOut(x, y)])) == 2
    with pytest.raises(ValueError, match="`barcodes` must be 40 different numbers from 0"):
        HeldOut(x, y, barcodes=np.zeros(40, int))


def test_groups_of_any_fold_hold():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 2)
    x, y = rng.normal(size=(2, 160, 1))
    (shared,) = shared_folds(folds_of(x, y, 3, rng, groups))
    labels = shared.groups.reshape(80, 2)
    assert (labels[:, 0] == labels[:, 1]).all()
    assert len(np.unique(labels)) == 80
    one = shared.one_per_group(rng)
    assert len(one) == 80
    assert len(np.unique(one.groups)) == 80


def test_the_same_split_twice_is_that_split():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 1))
    y = x + 2 * rng.normal(size=x.shape)
    once = folds_of(x, y, 1, rng)[:1]
    tests = [permutation_test(folds, n_permutations=99, rng=1) for folds in (once, once * 2)]
    assert tests[0].p == tests[1].p
    np.testing.assert_allclose(tests[0].null, tests[1].null)
    assert tests[0].n_pairs == tests[1].n_pairs
    errors = [subsampling_error(folds, rng=1).se for folds in (once, once * 2)]
    assert errors[0] == pytest.approx(errors[1])


def test_what_is_tested_is_the_mean_over_the_splits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 1))
    y = x + rng.normal(size=x.shape)
    folds = folds_of(x, y, 5, rng)
    test = permutation_test(folds, n_permutations=99, rng=0)
    assert test.mi == pytest.approx(np.mean([sm.ksg(fold.x, fold.y).mean() for fold in folds]))
    assert test.n_pairs == 160
    assert test.p == 0.01
    # Partners stay in blocks of 20, of which one in 20 is kept: the null is a little above 0, and far below.
    assert test.null.mean() < 0.2 * test.mi


@pytest.mark.slow
def test_p_of_several_splits_is_uniform_under_independence():
    rng = np.random.default_rng(5)
    p = [
        permutation_test(folds_of(*rng.normal(size=(2, 80, 1)), 5, rng), n_permutations=39, rng=rng).p
        for _ in range(120)
    ]
    # 120 uniform numbers: a standard deviation of .027 for the mean, and of .02 for the share below .05.
    assert np.mean(p) == pytest.approx(0.51, abs=0.09)
    assert np.mean(np.array(p) <= 0.05) < 0.12
