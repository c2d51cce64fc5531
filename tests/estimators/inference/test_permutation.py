"""Permutation tests are exact: p is uniform under independence, in strata and uneven groups too; small otherwise."""

import numpy as np
import pytest
from scipy.stats import kstest

import scmi as sm
from scmi.estimators import HeldOut, TooFew, benjamini_hochberg, permutation_test
from scmi.estimators.inference.permutation import permutations_within


def independent(rng, n=60):
    return HeldOut(rng.normal(size=(n, 2)), rng.normal(size=(n, 2)))


def stratified(rng, n=60):
    """Independent within two strata, whose means differ by ten standard deviations on both sides."""
    strata = rng.integers(0, 2, n)
    shift = 10.0 * strata[:, None]
    return HeldOut(shift + rng.normal(size=(n, 2)), shift + rng.normal(size=(n, 2)), strata=strata)


def clonal(rng, n_groups=40):
    """Independent clones of 1 to 12 pairs: one y each, and alike in x."""
    groups = np.repeat(np.arange(n_groups), 1 + rng.geometric(0.4, n_groups).clip(max=12) % 12)
    x = rng.normal(size=(n_groups, 2))[groups] + 0.1 * rng.normal(size=(len(groups), 2))
    return HeldOut(x, rng.normal(size=(n_groups, 2))[groups], groups=groups)


def dependent(rng, n=60):
    x = rng.normal(size=(n, 2))
    return HeldOut(x, x + 0.7 * rng.normal(size=(n, 2)))


def p_values(sample, runs, m=39):
    rng = np.random.default_rng(0)
    return np.array([permutation_test([sample(rng), sample(rng)], n_permutations=m, rng=rng).p for _ in range(runs)])


@pytest.mark.parametrize("sample", [independent, stratified, clonal])
def test_uniform_under_independence(sample):
    p = p_values(sample, 200)
    # p is a multiple of 1/40; spread within its step it is continuous and uniform.
    p -= np.random.default_rng(1).random(200) / 40
    assert kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("sample", "label"), [(stratified, "strata"), (clonal, "groups")])
def test_small_where_strata_or_groups_are_ignored(sample, label):
    def bare(rng):
        fold = sample(rng)
        return HeldOut(fold.x, fold.y)

    assert np.median(p_values(bare, 20)) == 1 / 40


def test_small_where_x_and_y_are_dependent():
    assert np.mean(p_values(dependent, 40) <= 0.05) > 0.95


def test_folds_are_averaged_over_pairs():
    rng = np.random.default_rng(0)
    folds = [dependent(rng, 30), dependent(rng, 90)]
    pmi = np.concatenate([sm.ksg(fold.x, fold.y, metric="euclidean") for fold in folds])
    result = permutation_test(folds, metric="euclidean", n_permutations=9, rng=0)
    assert result.mi == pytest.approx(pmi.mean(), abs=1e-12)
    assert result.n_pairs == 120
    assert result.p == 0.1


def test_permutations_stay_within_strata_and_reach_every_arrangement():
    strata = np.array([0, 1, 0, 2, 1, 0])
    permutations = permutations_within(strata, 200, np.random.default_rng(0))
    assert (strata[permutations] == strata).all()
    # 3! * 2! arrangements; one of them is missing in 200 draws with a chance of 12 * (11/12)^200 < 1e-6.
    assert len(np.unique(permutations, axis=0)) == 12


def test_equal_arrangements_count_as_reached():
    # All y alike but one, which sits at one of 8 alike x: every permutation gives the same value.
    folds = [HeldOut(np.zeros(8), np.arange(8) == 3)]
    assert permutation_test(folds, n_permutations=50, rng=0).p == 1


def test_same_seed_same_numbers():
    fold = dependent(np.random.default_rng(0), 40)
    first, again, other = (permutation_test([fold], n_permutations=20, rng=seed).null for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"strata": list("abcdef")}, "Every stratum has a single"),
        ({"groups": [0, 0, 0, 1, 1, 2]}, "A fold has 3 groups .* k=3 needs at least 4"),
    ],
)
def test_too_few_to_exchange(labels, message):
    with pytest.raises(TooFew, match=message):
        permutation_test([HeldOut(np.arange(6.0), np.arange(6.0), **labels)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "`k` must be at least 1"),
        ({"metric": "l1"}, "metric='l1' is not known"),
        ({"n_permutations": 0}, "`n_permutations` must be at least 1, got 0"),
        ({"rng": -1}, "`rng` must be an integer from 0"),
    ],
)
def test_clear_errors(options, message):
    with pytest.raises(ValueError, match=message):
        permutation_test([HeldOut(np.arange(6.0), np.arange(6.0))], **options)


def test_no_folds():
    with pytest.raises(ValueError, match="`folds` is empty"):
        permutation_test([])


def test_false_discovery_rate_by_hand():
    # Sorted p times 4 / rank: .04, .04, .053, .2, made monotone from above; a missing one does not count.
    q = benjamini_hochberg([0.02, 0.2, np.nan, 0.01, 0.04])
    np.testing.assert_allclose(q, [0.04, 0.2, np.nan, 0.04, 0.16 / 3])
