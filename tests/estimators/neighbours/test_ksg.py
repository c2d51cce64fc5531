"""KSG is exact: it equals a brute force that follows the paper line by line, and closed forms within its spread.

Also: what leaves mutual information unchanged leaves the values unchanged, and a new pair's log density ratio is the
pointwise value it would have had among the reference pairs.
"""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

import scmi as sm
from scmi.estimators import TooFew
from scmi.estimators.neighbours.ksg import KSG, log_density_ratio, ratio_neighbours


def brute_force(x, y, k):
    """Algorithm 5 with strict counts of the other points, one pair of points after the other; copies are counted."""
    n = len(x)
    values = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        in_x = [np.abs(x[i] - x[j]).max() for j in others]
        in_y = [np.abs(y[i] - y[j]).max() for j in others]
        radius = sorted(max(pair) for pair in zip(in_x, in_y, strict=True))[k - 1]
        n_x, n_y = (sum(d < radius or d == radius == 0 for d in marginal) for marginal in (in_x, in_y))
        n_joint = k if radius > 0 else sum(max(pair) == 0 for pair in zip(in_x, in_y, strict=True))
        values.append(digamma(n_joint) + digamma(n) - digamma(n_x + 1) - digamma(n_y + 1))
    return np.array(values) / np.log(2)


def normal(n, d_x, d_y, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d_x))
    return x, x[:, :1] + rng.normal(size=(n, d_y))


def bivariate(n, bits, seed):
    rng = np.random.default_rng(seed)
    rho = np.sqrt(1 - 2 ** (-2 * bits))
    x = rng.normal(size=n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("d_x", "d_y"), [(1, 1), (2, 3), (16, 16)])
def test_equals_brute_force(d_x, d_y, k):
    x, y = normal(60, d_x, d_y)
    np.testing.assert_allclose(sm.ksg(x, y, k), brute_force(x, y, k), atol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 1e12, 1e-12])
def test_a_copy_or_two_equal_brute_force(scale):
    """Few equal distances are left as they are."""
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=(200, 2)) * scale for _ in range(2))
    x[:2], y[:2] = x[0], y[0]
    np.testing.assert_allclose(sm.ksg(x, y, 3), brute_force(x, y, 3), atol=1e-10)


@pytest.mark.parametrize("k", [1, 3])
def test_fewest_points(k):
    x, y = normal(k + 2, 2, 2)
    np.testing.assert_allclose(sm.ksg(x, y, k), brute_force(x, y, k), atol=1e-10)


def test_hand_computed():
    # Third point: neighbours at joint distances 1 (second) and 4 (fourth); k=1 gives radius 1, no other point is
    # strictly nearer in x or y, so psi(1) + psi(4) - 2 psi(1) = 1 + 1/2 + 1/3 nats.
    x, y = [0.0, 2.0, 3.0, 7.0], [0.0, 2.0, 3.0, 6.5]
    assert sm.ksg(x, y, 1)[2] == pytest.approx((1 + 1 / 2 + 1 / 3) / np.log(2), abs=1e-12)


@pytest.mark.parametrize("bits", [0.0, 0.5, 1.0, 2.0])
def test_closed_form(bits):
    estimates = [sm.ksg(*bivariate(2000, bits, seed)).mean() for seed in range(10)]
    # Standard deviation over seeds is .02 to .03 bit at N=2,000, so .01 for the mean of ten; bias is below .01.
    assert np.mean(estimates) == pytest.approx(bits, abs=0.04)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 5), k=st.integers(1, 4), shift=st.integers(-9, 9))
def test_invariances(seed, d, k, shift):
    x, y = normal(40, d, 2, seed)
    pmi = sm.ksg(x, y, k)
    order = np.random.default_rng(seed).permutation(40)
    np.testing.assert_array_equal(sm.ksg(y, x, k), pmi)
    np.testing.assert_array_equal(sm.ksg(x[order], y[order], k), pmi[order])
    np.testing.assert_array_equal(sm.ksg(x[:, ::-1], y, k), pmi)
    np.testing.assert_array_equal(sm.ksg(x * 2.0**shift, y * 2.0**shift, k), pmi)
    np.testing.assert_array_equal(sm.ksg(-x, y, k), pmi)


def test_new_pair_gets_the_value_it_would_have_had():
    x, y = normal(200, 3, 2)
    pmi = sm.ksg(x, y)
    for i in range(0, 200, 20):
        rest = np.arange(200) != i
        left_out = log_density_ratio(x[[i]], y[[i]], x[rest], y[rest])
        np.testing.assert_allclose(left_out, pmi[i], atol=1e-12)


def test_density_ratio_is_zero_on_average_at_independence():
    rng = np.random.default_rng(0)
    means = []
    for _ in range(10):
        reference_x, reference_y, x, y = rng.normal(size=(4, 1000, 2))
        means.append(log_density_ratio(x, y, reference_x, reference_y).mean())
    # Over runs the mean has a standard deviation of .02 bit; the published version is at -.4.
    assert np.mean(means) == pytest.approx(0, abs=0.03)


# Nine columns of on and off are labels, too many for 50 samples.
@pytest.mark.filterwarnings("ignore:.*have labels that occur 3 times or less:UserWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, bool])
def test_dtypes_and_layouts(dtype):
    rng = np.random.default_rng(0)
    x = (rng.integers(0, 2, size=(50, 9)) if dtype is bool else rng.integers(0, 9, size=(50, 9))).astype(dtype)
    y = np.asfortranarray(rng.normal(size=(50, 2)))
    x.flags.writeable = y.flags.writeable = False
    np.testing.assert_array_equal(sm.ksg(x, y), sm.ksg(x.astype(float), np.ascontiguousarray(y)))


@pytest.mark.parametrize(
    ("x", "y", "k", "error", "message"),
    [
        (np.zeros((5, 2)), np.zeros((4, 2)), 3, ValueError, "x has 5 rows, but y has 4"),
        (np.zeros((3, 2)), np.zeros((3, 2)), 3, TooFew, "k=3 needs at least 3 other samples, got 2"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 0, ValueError, "`k` must be at least 1, got 0"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 3.0, TypeError, "`k` must be an integer, got 3.0"),
        (
            [1.0, np.nan, 2.0, 3.0, 4.0],
            np.zeros(5),
            3,
            ValueError,
            "x has 1 NaN or infinite values, the first in row 1",
        ),
        (np.zeros(5), [1.0, 2.0, 3.0, np.inf, 4.0], 3, ValueError, "y has 1 NaN .* row 3, column 0"),
        (np.zeros((5, 0)), np.zeros(5), 3, ValueError, r"shape \(5, 0\)"),
        (np.zeros((5, 2, 2)), np.zeros(5), 3, ValueError, "samples x features"),
        (np.array(list("abcde")), np.zeros(5), 3, TypeError, "expected real numbers"),
    ],
)
def test_bad_input(x, y, k, error, message):
    with pytest.raises(error, match=message):
        sm.ksg(x, y, k)


def test_new_pairs_need_the_same_features():
    with pytest.raises(ValueError, match="x has 3 features, but reference_x has 2"):
        log_density_ratio(np.zeros((1, 3)), np.zeros((1, 2)), np.zeros((9, 2)), np.zeros((9, 2)))


def test_the_estimator_is_a_value_that_never_changes():
    ksg = KSG(5, "euclidean")
    assert ksg == KSG(k=5, metric="euclidean") != KSG(5)
    assert {KSG(): "default"}[KSG(3, "chebyshev")] == "default"
    with pytest.raises(FrozenInstanceError):
        ksg.k = 3


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"k": 0}, ValueError, "`k` must be at least 1, got 0"),
        ({"k": 2.0}, TypeError, "`k` must be an integer, got 2.0"),
        ({"k": None}, TypeError, "`k` must be an integer, got None"),
        ({"metric": "l1"}, ValueError, r"metric='l1' is not known; choose one of \['chebyshev', 'euclidean'\]"),
    ],
)
def test_an_estimator_that_cannot_be(wrong, error, match):
    with pytest.raises(error, match=match):
        KSG(**wrong)


def test_k_others_are_enough():
    ksg = KSG(4)
    ksg.check(4)
    with pytest.raises(TooFew, match="k=4 needs at least 4 other samples, got 3"):
        ksg.check(3)
    with pytest.raises(TooFew, match="got 3"):
        ksg.pointwise(np.zeros((4, 1)), np.zeros((4, 1)))


def test_ratio_at_new_points_of_gaussians():
    rng = np.random.default_rng(0)
    rho = 0.8
    x, x_new, noise, noise_new = rng.normal(size=(4, 5000, 1))
    y, y_new = (rho * a + np.sqrt(1 - rho**2) * b for a, b in ((x, noise), (x_new, noise_new)))
    ratio = log_density_ratio(x_new, y_new, x, y, k=10)
    truth = (
        -0.5 * np.log(1 - rho**2) - (rho**2 * (x_new**2 + y_new**2) - 2 * rho * x_new * y_new) / (2 * (1 - rho**2))
    ).ravel() / np.log(2)
    # Over 10 seeds: correlation .920 +- .006 (.785 +- .011 at k=3), mean at independence .004 +- .008.
    assert np.corrcoef(ratio, truth)[0, 1] > 0.9
    assert log_density_ratio(x_new, noise_new, x, noise, k=10).mean() == pytest.approx(0, abs=0.03)


def test_neighbours_of_new_pairs():
    # A fifth of 2500^(4/6) = 184, of 2500^(1/2) = 50 and of 2500^(4/22) = 4.1.
    assert [ratio_neighbours(3, 2500, d) for d in (2, 4, 18)] == [36, 10, 3]
    assert [ratio_neighbours(3, n, 2) for n in (10, 100, 10**6)] == [3, 4, 50]
    assert ratio_neighbours(60, 10**6, 2) == 60
