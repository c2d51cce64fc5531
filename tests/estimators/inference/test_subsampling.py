"""The subsampling error is the spread over repeated data sets; whether an estimate has settled follows from it."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import HeldOut, TooFew, drift_check, subsampling_error
from scmi.estimators.inference.subsampling import _extrapolated
from scmi.estimators.inputs.pairing import partition


def gaussian(rng, n, rho=0.8, d=1):
    x = rng.normal(size=(n, d))
    return HeldOut(x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(n, d)))


def mean_over(folds):
    return np.concatenate([sm.ksg(fold.x, fold.y) for fold in folds]).mean()


@pytest.fixture(scope="module")
def samples():
    """Estimates and standard errors of 60 data sets of two folds, of 120 and 100 pairs."""
    rng = np.random.default_rng(0)
    data = [(gaussian(rng, 120), gaussian(rng, 100)) for _ in range(60)]
    return np.array([(mean_over(folds), subsampling_error(folds, rng=rng).se) for folds in data])


@pytest.mark.slow
def test_error_is_the_spread_over_data_sets(samples):
    estimates, errors = samples.T
    # An sd of 60 values is known to 9 %, and the mean error to 3 %; it is a tenth too large at this size.
    assert np.sqrt(np.mean(errors**2)) / estimates.std(ddof=1) == pytest.approx(1.1, abs=0.25)


@pytest.mark.slow
def test_interval_covers_the_mean_estimate(samples):
    estimates, errors = samples.T
    covered = np.abs(estimates - estimates.mean()) < 1.645 * errors
    # 90 %, with a standard error of 4 % over 60 data sets.
    assert 0.8 <= covered.mean() <= 0.99


@pytest.mark.slow
def test_error_counts_groups_not_pairs():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 4)

    def clones():
        """Four noisy copies of each pair: as many pairs as 400, but less to learn from them."""
        base, noise = gaussian(rng, 100), 0.3 * rng.normal(size=(2, 400, 1))
        return base.x[groups] + noise[0], base.y[groups] + noise[1]

    spread = np.std([sm.ksg(*clones()).mean() for _ in range(100)], ddof=1)
    together, apart = np.mean(
        [
            [subsampling_error([HeldOut(*pairs, groups=g)], rng=rng).se for g in (groups, None)]
            for pairs in (clones() for _ in range(6))
        ],
        axis=0,
    )
    # Over 30 data sets 1.14 and .81 of the spread, each known to 7 % from six, and the spread to 7 %.
    assert together / spread == pytest.approx(1.14, abs=0.25)
    assert apart < 0.85 * together


def test_few_pairs_in_several_splits_have_a_steady_error():
    """Their halves are all there is to go by; few partitions of these are a matter of chance."""
    rng = np.random.default_rng(100)
    whole = gaussian(rng, 110)
    folds = []
    for _ in range(5):
        order = rng.permutation(110)
        folds += [HeldOut(whole.x[half], whole.y[half], barcodes=half) for half in (order[:55], order[55:])]
    errors = [subsampling_error(folds, rng=seed).se for seed in range(20)]
    # Over partitions, .16 of the mean; .26 with four of them.
    assert np.std(errors) < 0.22 * np.mean(errors)


def test_table_and_fit():
    fold = gaussian(np.random.default_rng(0), 480)
    error = subsampling_error([fold, fold], rng=0)
    table = error.table
    assert table["n_subsets"].tolist() == list(range(2, 11))
    np.testing.assert_allclose(table["n_pairs"], 960 / table["n_subsets"])
    assert error.se == pytest.approx(np.sqrt(error.constant / 960))
    # More than two subsets need 20 pairs each.
    for n, most in ((16, 2), (59, 2), (60, 3), (199, 9)):
        assert subsampling_error([gaussian(np.random.default_rng(0), n)], rng=0).table["n_subsets"].max() == most


@pytest.mark.parametrize("excess", [0.0, 0.3])
def test_power_law_is_recovered(excess):
    n = np.arange(2, 11)
    table = pd.DataFrame({"n_subsets": n, "n_pairs": 1000 / n, "sd": np.sqrt(2 * (1 / n) ** excess * n / 1000)})
    assert _extrapolated(table) == pytest.approx((2, excess))
    # Too few to fit: the mean, each weighted by its degrees of freedom.
    assert _extrapolated(table[:2]) == pytest.approx(((2 * 2**-excess + 4 * 3**-excess) / 3, 0))


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
def test_metric(metric):
    fold = gaussian(np.random.default_rng(0), 60, d=3)
    check = drift_check([fold], se=1.0, metric=metric, rng=0)
    mean = check.table.set_index(["n_subsets", "k"])["mean"]
    assert mean[1, 3] == pytest.approx(sm.ksg(fold.x, fold.y, metric=metric).mean(), abs=1e-12)
    errors = {name: subsampling_error([fold], metric=name, rng=0).se for name in ("chebyshev", "euclidean")}
    assert errors["chebyshev"] != errors["euclidean"]


@pytest.mark.slow
def test_error_of_a_difference():
    rng = np.random.default_rng(0)

    def pair(n=120):
        """Two estimates that share y, and x up to some noise."""
        fold = gaussian(rng, n)
        return fold, HeldOut(fold.x + 0.3 * rng.normal(size=(n, 1)), fold.y)

    data = [pair() for _ in range(60)]
    spread = np.std([mean_over([a]) - mean_over([b]) for a, b in data], ddof=1)
    paired = np.mean([subsampling_error([a], against=[b], rng=rng).se for a, b in data[:20]])
    alone = [subsampling_error([fold], rng=rng).se for fold in data[0]]
    # The spread is known to 9 % from 60 data sets; the mean of 20 errors to 5 %, and it may be a tenth too large.
    assert paired / spread == pytest.approx(1.1, abs=0.3)
    assert paired < 0.8 * np.hypot(*alone)
    assert subsampling_error([data[0][0]], against=[data[0][0]], rng=rng).se == 0
    with pytest.raises(ValueError, match=r"`against` has folds of \[60\] pairs, `folds` of \[120\]"):
        subsampling_error([data[0][0]], against=[gaussian(rng, 60)])


def test_groups_stay_together():
    groups = np.random.default_rng(0).integers(0, 30, 200)
    part = partition(groups, 4, np.random.default_rng(1))
    assert all(len(np.unique(part[groups == group])) == 1 for group in range(30))
    # Each cut is off by less than half a group, and the largest has about a dozen pairs.
    assert np.abs(np.bincount(part) - 50).max() <= np.bincount(groups).max()


def test_settled_in_one_dimension_and_not_in_many():
    rng = np.random.default_rng(0)
    for d, settled in ((1, True), (8, False)):
        fold = gaussian(rng, 600, 0.9, d)
        check = drift_check([fold], se=subsampling_error([fold], rng=0).se, rng=0)
        assert check.settled is settled
        mean = check.table.set_index(["n_subsets", "k"])["mean"]
        assert mean[1, 3] == pytest.approx(mean_over([fold]), abs=1e-12)
        assert check.shift_n == pytest.approx(mean[1, 3] - mean[2, 3])
        assert check.shift_k == pytest.approx(mean[1, 3] - mean[1, 6])
        assert {1, 2, 3, 5, 6, 7, 10} == set(check.table["k"])


def test_same_seed_same_numbers():
    fold = gaussian(np.random.default_rng(0), 100)
    first, again, other = (subsampling_error([fold], rng=seed).se for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("groups", [None, [0] * 30])
def test_too_little_to_cut(groups):
    n = 15 if groups is None else 30
    fold = gaussian(np.random.default_rng(0), n)
    with pytest.raises(TooFew, match=f"fold of {n} pairs{'' if groups is None else ' in 1 groups'} can't be cut"):
        subsampling_error([HeldOut(fold.x, fold.y, groups=groups)])


def test_mistakes_are_no_lack_of_pairs():
    fold = gaussian(np.random.default_rng(0), 60)
    for options in ({"k": 0}, {"metric": "l1"}, {"rng": -1}):
        for function in (subsampling_error, partial(drift_check, se=0.1)):
            with pytest.raises(ValueError, match=next(iter(options))) as caught:
                function([fold], **options)
            assert not isinstance(caught.value, TooFew)
