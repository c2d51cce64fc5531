"""Permutation tests are exact: p is uniform under independence, within strata and with uneven groups, small otherwise.

The null equals KSG on permuted arrays, one call after the other. Conditional information equals a brute force, closed
forms within its spread, and zero where x and y only share the covariate.
"""

import numba
import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import kstest

import scmi as sm
from scmi.estimators._permuted import permuted_sums
from scmi.estimators.conditional import conditional_ksg, local_permutation_test, within_strata
from scmi.estimators.heldout import HeldOut
from scmi.estimators.inference import benjamini_hochberg, permutation_test, permutations_within


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Samples this small gain nothing from a second one."""
    n_threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(n_threads)


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


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize(("n", "decimals", "k"), [(5, 9, 3), (60, 9, 1), (150, 0, 3)])
def test_null_equals_ksg_on_permuted_arrays(n, decimals, k, metric, monkeypatch):
    # Several blocks of rows and chunks of permutations; at no decimals, ties and copies.
    monkeypatch.setattr("scmi.estimators._permuted.BLOCK_ENTRIES", 40 * n)
    monkeypatch.setattr("scmi.estimators._permuted.RADIUS_ENTRIES", 5 * n)
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)).round(decimals), rng.normal(size=(n, 2)).round(decimals)
    permutations = permutations_within(rng.integers(0, 2, n), 12, rng)
    expected = [sm.ksg(x, y[permutation], k, metric=metric).mean() for permutation in permutations]
    np.testing.assert_allclose(permuted_sums(x, y, permutations, k, metric) / n, expected, rtol=0, atol=1e-12)


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


@pytest.mark.parametrize(
    "test", [permutation_test, lambda folds, **kw: local_permutation_test(folds, [np.ones(40)], **kw)]
)
def test_same_seed_same_numbers(test):
    fold = dependent(np.random.default_rng(0), 40)
    first, again, other = (test([fold], n_permutations=20, rng=seed).null for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("fold", "k", "message"),
    [
        (HeldOut(np.arange(6.0), np.arange(6.0), strata=list("abcdef")), 3, "Every stratum has a single"),
        (HeldOut(np.arange(6.0), np.arange(6.0), groups=[0, 0, 0, 1, 1, 2]), 3, "A fold has 3 groups .* at least 4"),
        (HeldOut(np.arange(6.0), np.arange(5.0)), 3, r"folds\[0\].x has 6 rows"),
        (HeldOut(np.arange(6.0), np.arange(6.0), strata=[0, 1]), 3, "one label for each of 6 pairs"),
        (HeldOut(np.arange(3.0), np.arange(3.0), strata=["a", None, "a"]), 3, "1 missing labels, the first at pair 1"),
        (HeldOut(np.arange(6.0), np.arange(6.0)), 0, "`k` must be at least 1"),
    ],
)
def test_clear_errors(fold, k, message):
    with pytest.raises(ValueError, match=message):
        permutation_test([fold], k)


def test_no_folds():
    with pytest.raises(ValueError, match="`folds` is empty"):
        permutation_test([])


def test_false_discovery_rate_by_hand():
    # Sorted p times 4 / rank: .04, .04, .053, .2, made monotone from above; a missing one does not count.
    q = benjamini_hochberg([0.02, 0.2, np.nan, 0.01, 0.04])
    np.testing.assert_allclose(q, [0.04, 0.2, np.nan, 0.04, 0.16 / 3])


def conditional_by_brute_force(x, y, z, k, metric):
    def distance(a, i):
        # Squares are added column by column, so that ties stay ties to the last digit.
        gaps = np.abs(a - a[i]).T
        return gaps.max(axis=0) if metric == "chebyshev" else sum(gap**2 for gap in gaps)

    def unit(a):
        return a / np.sqrt(a.var(axis=0).mean())

    x, y, z = unit(x), unit(y), (z - z.mean(axis=0)) / z.std(axis=0)
    values = []
    for i in range(len(x)):
        d_x, d_y, d_z = (np.delete(distance(a, i), i) for a in (x, y, z))
        radius = np.sort(np.maximum(np.maximum(d_x, d_y), d_z))[k - 1]
        n_xz, n_yz = np.sum(np.maximum(d_x, d_z) < radius), np.sum(np.maximum(d_y, d_z) < radius)
        values.append(digamma(k) - digamma(n_xz + 1) - digamma(n_yz + 1) + digamma(np.sum(d_z < radius) + 1))
    return np.array(values) / np.log(2)


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize(("decimals", "k"), [(9, 1), (9, 3), (0, 3)])
def test_conditional_equals_brute_force(decimals, k, metric):
    rng = np.random.default_rng(3)
    x, y, z = (rng.normal(size=(80, d)).round(decimals) for d in (2, 3, 2))
    expected = conditional_by_brute_force(x, y, z, k, metric)
    np.testing.assert_allclose(conditional_ksg(x, y, z, k, metric=metric), expected, atol=1e-12)


def test_conditional_invariances():
    rng = np.random.default_rng(4)
    x, y, z = (rng.normal(size=(70, d)) for d in (2, 3, 2))
    pmi, order = conditional_ksg(x, y, z), rng.permutation(70)
    np.testing.assert_allclose(conditional_ksg(x[order], y[order], z[order]), pmi[order], atol=1e-12)
    np.testing.assert_allclose(conditional_ksg(y, x, z), pmi, atol=1e-12)
    np.testing.assert_allclose(conditional_ksg(8 * x, y / 4, z * [2, 32]), pmi, atol=1e-12)


def gaussian_given_z(rng, n, partial):
    """Both follow z, and their remainders correlate by ``partial``."""
    z = rng.normal(size=n)
    x, e = rng.normal(size=(2, n))
    return z + x, z + partial * x + np.sqrt(1 - partial**2) * e, z


@pytest.mark.parametrize("partial", [0.0, 0.6, 0.9])
def test_conditional_closed_form(partial):
    truth = -0.5 * np.log2(1 - partial**2)
    rng = np.random.default_rng(0)
    estimates = [conditional_ksg(*gaussian_given_z(rng, 600, partial)).mean() for _ in range(5)]
    # At N=600 the standard deviation over samples is .03 bit; the bias towards zero reaches .1 bit at .9.
    assert np.mean(estimates) == pytest.approx(truth, abs=0.04 + 0.1 * partial)


def test_local_permutation_test():
    rng = np.random.default_rng(0)

    def share(partial):
        p = []
        for _ in range(40):
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


def test_small_strata_are_left_out():
    x = np.arange(9.0)
    (part,) = within_strata([HeldOut(x, x, strata=list("aaaaabbbc"))])
    np.testing.assert_array_equal(part.x[:, 0], x[:5])
    with pytest.raises(ValueError, match="No stratum of any fold has 4 groups"):
        within_strata([HeldOut(x, x, strata=list("aaabbbccc"))])


def test_covariate_must_fit():
    fold = dependent(np.random.default_rng(0))
    with pytest.raises(ValueError, match="1 entries for 2 folds"):
        local_permutation_test([fold, fold], [np.zeros(60)])
    with pytest.raises(ValueError, match=r"z\[0\] has 50"):
        local_permutation_test([fold], [np.zeros(50)])
    with pytest.raises(ValueError, match="k=60 needs"):
        conditional_ksg(fold.x, fold.y, np.zeros(60), 60)
