"""Information beyond a covariate: zero where x and y only share it, and its tests hold their level."""

from dataclasses import replace

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import HeldOut, TooFew, local_permutation_test, permutation_test, within_strata
from scmi.estimators._fold import Fold
from scmi.estimators.inference import conditional, heldout
from scmi.estimators.inference.conditional import conditional_test
from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.neighbours.ksg import KSG


def stratified(rng, n=60):
    """Independent within two strata, whose means differ by ten standard deviations on both sides."""
    strata = rng.integers(0, 2, n)
    shift = 10.0 * strata[:, None]
    return HeldOut(shift + rng.normal(size=(n, 2)), shift + rng.normal(size=(n, 2)), strata=strata)


def gaussian_given_z(rng, n, partial):
    """Both follow z, and their remainders correlate by ``partial``."""
    z = rng.normal(size=n)
    x, e = rng.normal(size=(2, n))
    return z + x, z + partial * x + np.sqrt(1 - partial**2) * e, z


@pytest.mark.slow
def test_local_permutation_test():
    rng = np.random.default_rng(0)

    def share(partial):
        p = []
        for _ in range(25):
            x, y, z = gaussian_given_z(rng, 150, partial)
            p.append(local_permutation_test([HeldOut(x, y)], [z], n_permutations=39, rng=rng).p)
        return np.mean(np.array(p) <= 0.05)

    # Of 40 tests that hold their level of .05, more than 6 reject with a chance of .3 %.
    assert share(0.0) <= 6 / 40
    assert share(0.7) >= 0.9


def test_within_strata_takes_out_what_strata_tell():
    rng = np.random.default_rng(0)
    fold = stratified(rng, 300)
    assert sm.ksg(fold.x, fold.y).mean() > 0.7  # the stratum itself is one bit
    result = permutation_test(within_strata([fold]), n_permutations=39, rng=rng)
    weighted = sum(sm.ksg(fold.x[s], fold.y[s]).sum() for s in (fold.strata == 0, fold.strata == 1)) / 300
    assert result.mi == pytest.approx(weighted, abs=1e-12)
    # Over samples the standard deviation is .06 bit.
    assert result.mi == pytest.approx(0, abs=0.2)


def folds_of(x, y, rows_x):
    """Folds as they are after training, for what looks at their held-out pairs alone."""
    ksg = KSG(3, "euclidean")
    draws = [Draw(*np.zeros((2, len(rows)), int), rows, rows) for rows in rows_x]
    return [Fold(*[None] * 4, ksg, draw, HeldOut(x[draw.row_x], y[draw.row_y])) for draw in draws]


def test_the_covariate_is_that_of_each_pair():
    rng = np.random.default_rng(0)
    x, y, z = (side[:, None] for side in gaussian_given_z(rng, 200, 0.8))
    folds = folds_of(x, y, np.split(rng.permutation(200), 2))
    options = {"metric": "euclidean", "n_permutations": 19, "rng": 1}
    held_out, covariates = [fold.held_out for fold in folds], [z[fold.pairs.row_x] for fold in folds]
    expected = local_permutation_test(held_out, covariates, **options)
    found = conditional_test(folds, covariates, discrete=False, n_permutations=19, rng=np.random.default_rng(1))
    assert found.test.mi == pytest.approx(expected.mi, abs=1e-12)
    assert found.test.p == 1 / 20
    in_all = np.mean([sm.ksg(fold.x, fold.y, metric="euclidean").mean() for fold in held_out])
    assert found.mi_same_pairs == pytest.approx(in_all, abs=1e-12)
    code = (z[:, 0] > 0).astype(int)
    by_code = [replace(fold.held_out, strata=code[fold.pairs.row_x]) for fold in folds]
    expected = permutation_test(within_strata(by_code), **options)
    codes = [code[fold.pairs.row_x] for fold in folds]
    found = conditional_test(folds, codes, discrete=True, n_permutations=19, rng=np.random.default_rng(1))
    assert (found.test.mi, found.test.n_pairs) == (pytest.approx(expected.mi, abs=1e-12), 200)
    assert found.mi_same_pairs == pytest.approx(in_all, abs=1e-12)


def test_no_more_pairs_are_tested_than_time_allows(monkeypatch):
    monkeypatch.setattr(heldout, "MAX_TESTED", 30)
    x, y, z = np.random.default_rng(0).normal(size=(3, 100, 1))
    folds = folds_of(x, y, [np.arange(50), np.arange(50, 100)])
    for values, discrete in ((z, False), (np.zeros(100, int), True)):
        of_fold = [values[fold.pairs.row_x] for fold in folds]
        found = conditional_test(folds, of_fold, discrete=discrete, n_permutations=9, rng=np.random.default_rng(0))
        assert found.test.n_pairs == 60


@pytest.mark.slow
@pytest.mark.parametrize("discrete", [True, False])
def test_error_is_the_spread(discrete, monkeypatch):
    """On 25 samples of 150 pairs; with 120 to 700 and one or three columns it was .7 to 1.2 of the spread."""
    monkeypatch.setattr(conditional, "CUTS", 20)
    found = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        x, y, z = (side[:, None] for side in gaussian_given_z(rng, 150, 0.8))
        covariate = (z[:, 0] > 0).astype(int) if discrete else z
        folds = folds_of(x, y, np.split(np.arange(150), 2))
        values = [covariate[fold.pairs.row_x] for fold in folds]
        found.append(conditional_test(folds, values, discrete=discrete, n_permutations=1, rng=rng))
    ratio = np.mean([each.se for each in found]) / np.std([each.test.mi for each in found])
    assert 0.55 < ratio < 1.3


def test_parts_that_cannot_be_halved():
    x, y = np.random.default_rng(0).normal(size=(2, 60, 1))
    folds = folds_of(x, y, [np.arange(60)])
    for size, has_error in ((30, True), (6, False)):
        codes = [np.arange(60) // size]
        found = conditional_test(folds, codes, discrete=True, n_permutations=1, rng=np.random.default_rng(0))
        assert np.isfinite(found.test.mi)
        assert np.isfinite(found.se) == has_error


def test_small_strata_are_left_out():
    x = np.arange(9.0)
    (part,) = within_strata([HeldOut(x, x, strata=list("aaaaabbbc"))])
    np.testing.assert_array_equal(part.x[:, 0], x[:5])
    with pytest.raises(TooFew, match="No stratum of any fold has 4 groups"):
        within_strata([HeldOut(x, x, strata=list("aaabbbccc"))])


def test_same_seed_same_numbers():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 2))
    nulls = [
        local_permutation_test([HeldOut(x, y)], [np.ones(40)], n_permutations=20, rng=seed).null for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(nulls[0], nulls[1])
    assert (nulls[0] != nulls[2]).any()


def test_covariate_must_fit():
    fold = HeldOut(*np.random.default_rng(0).normal(size=(2, 60, 2)))
    with pytest.raises(ValueError, match="1 entries for 2 folds"):
        local_permutation_test([fold, fold], [np.zeros(60)])
    with pytest.raises(ValueError, match=r"folds\[0\].x has 60 rows, but z\[0\] has 50"):
        local_permutation_test([fold], [np.zeros(50)])
    with pytest.raises(TooFew, match="k=60 needs"):
        local_permutation_test([fold], [np.zeros(60)], 60)
