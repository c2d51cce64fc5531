"""Every estimate comes with its error, interval and p-value, or with the reason why not.

They are those of the functions beside it on the held-out latents, whose calibration is tested with these and in
``tests/benchmarks``.
"""

import warnings

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import HeldOut, Settings, permutation_test, subsampling_error
from scmi.estimators.inference import heldout
from scmi.estimators.inference import interval as module
from scmi.estimators.inference.interval import Z, combined, error_of_mean, interval, uncertainty
from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.neighbours.ksg import KSG

FAST = Settings(hidden=(16,), max_steps=20, patience=10)
OPTIONS = {"ksg": KSG(3, "euclidean"), "n_permutations": 19}


def dependent(rng, n=120, d=3):
    x = rng.normal(size=(n, d))
    return x, x + rng.normal(size=(n, d))


def folds(n=120):
    rng = np.random.default_rng(0)
    return [HeldOut(*dependent(rng, n)) for _ in range(2)]


@pytest.mark.slow
def test_estimate_has_an_error_and_a_p_value():
    x, y = dependent(np.random.default_rng(0), 200)
    model = sm.LMI(preset=FAST, n_splits=1, n_permutations=99).fit(x, y)
    result = model.result_
    held_out = [fold.held_out for fold in model.folds_]
    # The halves and permutations are others; the mean of the null is known to a tenth of its spread.
    test = permutation_test(held_out, metric="euclidean", n_permutations=99, rng=1)
    assert test.mi == pytest.approx(result.mi_ksg, abs=1e-9)
    assert result.null.shape == (99,)
    assert result.null.mean() == pytest.approx(test.null.mean(), abs=0.5 * test.null.std())
    assert result.p == 0.01
    # Other random subsets: with so few pairs the error itself is known to a third (five seeds: .07 to .12).
    others = [subsampling_error(held_out, metric="euclidean", rng=seed).se for seed in range(5)]
    assert result.se_parts["sampling"] == pytest.approx(np.mean(others), rel=0.7)
    assert set(result.se_parts) == {"sampling", "correction"} and result.corrected
    assert result.se == pytest.approx(np.hypot(*result.se_parts.values()))
    assert result.ci == pytest.approx((result.mi - 1.645 * result.se, result.mi + 1.645 * result.se), abs=1e-4)
    assert result.missing == {}
    low, high = result.ci
    assert str(result).startswith(f"{result.mi:.2f} bits (90 %: {low:.2f} to {high:.2f}), p = 0.01, 200 pairs")


def test_the_most_that_pairs_can_show_has_no_upper_end(tmp_path):
    """Cells paired with themselves: an interval of no width would say that the number is known."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    model = sm.LMI(preset=FAST, n_permutations=9)
    with pytest.warns(UserWarning, match="nearly deterministic"):
        result = model.fit(x, x).result_
    assert result.ci == (result.mi - Z * result.se, np.inf) and 0 < result.se < 0.1
    said = f"at least {result.mi:.2f} bits, more than 200 pairs can show in full, p = 0.1"
    assert str(result).startswith(said) and "90 %: " not in str(result)
    assert "at least" in result._repr_html_() and "to inf" not in result._repr_html_()
    model.save(tmp_path / "model.npz")
    assert sm.LMI.load(tmp_path / "model.npz").result_.ci == result.ci


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "corrected"), [(6.0, True), (8.0, False)])
def test_more_than_the_pairs_can_show_has_no_upper_end_corrected_or_not(bits, corrected):
    """KSG is far from the most that 400 pairs can give, 2.6 and 3.2 bits of 6.3; what is missed is not."""
    sample = sm.datasets.gaussian(400, 20, 6, bits, rng=0)
    with pytest.warns(UserWarning, match="So much is shared that 400 pairs can't show it all"):
        result = sm.lmi(sample.x, sample.y, n_permutations=0)
    assert result.corrected == corrected
    assert result.mi_ksg < 3.5 and result.ci[1] == np.inf
    assert "at least" in str(result) and "twice as many" not in str(result) + result._repr_html_()


@pytest.mark.slow
def test_skipping_the_test_leaves_the_estimate():
    x, y = dependent(np.random.default_rng(0))
    skipped, tested = (sm.lmi(x, y, preset=FAST, n_permutations=n) for n in (0, 9))
    np.testing.assert_array_equal(skipped.pmi, tested.pmi)
    assert skipped.se == tested.se
    assert np.isnan(skipped.p) and len(skipped.null) == 0
    assert skipped.missing == {"p": "`n_permutations` is 0."}
    assert "p =" not in str(skipped)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Permuted partners give:UserWarning")
def test_what_only_strata_tell_is_not_significant_within_them():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 100)
    x, y = rng.normal(size=(2, 200, 3)) + 5 * (batch == "b")[:, None]
    across, within = (sm.lmi(x, y, strata=s, preset=FAST, n_permutations=99) for s in (None, batch))
    assert across.p == 0.01
    # Uniform under independence; with this seed a fixed number.
    assert within.p > 0.05
    assert within.mi == across.mi
    assert within.mi_ksg > 0.5


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
@pytest.mark.parametrize("n", [20, 24, 60])
def test_small_samples_have_reasons_instead(n):
    x, y = dependent(np.random.default_rng(0), n)
    result = sm.lmi(x, y, strata=np.arange(n), preset=FAST)
    assert np.isnan(result.p)
    assert "Every stratum has a single" in result.missing["p"]
    # Halves need 16 pairs to be cut in two.
    assert np.isnan(result.se) == (n < 32) == ("se" in result.missing)
    assert np.isnan(result.ci).all() == (n < 32)
    assert ("90 %" in str(result)) == (n >= 32)


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_too_few_groups():
    x, y = dependent(np.random.default_rng(0), 40)
    result = sm.lmi(x, y, groups=np.arange(40) // 8, preset=FAST)
    assert "groups of pairs" in result.missing["p"]


def test_parts_by_hand():
    assert error_of_mean(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(np.sqrt(5 / 3) / 2)
    assert combined({"sampling": 3.0, "pairing": 4.0}) == 5
    assert interval(1.0, 0.1) == pytest.approx((0.8355, 1.1645), abs=1e-4)
    result = uncertainty(
        folds(), np.array([0.4, 0.6]), np.array([0.1, 0.3, 0.5]), **OPTIONS, rng=np.random.default_rng(0)
    )
    assert result.se_parts["pairing"] == pytest.approx(0.1)
    assert result.se_parts["splits"] == pytest.approx(0.2 / np.sqrt(3))
    assert list(result.se_parts) == ["sampling", "pairing", "splits"]


def test_many_pairs_are_tested_by_some_of_them(monkeypatch):
    whole = uncertainty(folds(300), np.zeros(1), np.zeros(1), **OPTIONS, rng=np.random.default_rng(0))
    for where in (heldout, module):
        monkeypatch.setattr(where, "MAX_TESTED", 100)
    some = uncertainty(folds(300), np.zeros(1), np.zeros(1), **OPTIONS, rng=np.random.default_rng(0))
    # The null of a third of the pairs is wider by the root of three, known to a sixth from 19 permutations.
    assert some.null.std() / whole.null.std() == pytest.approx(np.sqrt(3), rel=0.6)
    # The error is still that of all pairs.
    assert some.se_parts["sampling"] == pytest.approx(whole.se_parts["sampling"], rel=0.4)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"strata": [0, 1]}, "`strata` has shape .* one label for each of 120 pairs"),
        ({"strata": [None] + ["a"] * 119}, "`strata` misses 1 of 120 labels, the first at pair 0"),
        ({"n_permutations": -1}, "`n_permutations` must be at least 0, got -1"),
    ],
)
def test_mistakes(options, match):
    with pytest.raises(ValueError, match=match):
        sm.lmi(*dependent(np.random.default_rng(0)), preset=FAST, **options)


def test_an_estimate_that_drifts_says_so():
    """Two clusters, whose information half the pairs tell otherwise: the user is told."""
    rng = np.random.default_rng(0)
    batch = np.repeat([0.0, 5.0], 60)[:, None]
    with pytest.warns(UserWarning, match="has not settled") as caught:
        result = sm.lmi(*(rng.normal(size=(2, 120, 3)) + batch), preset=FAST, n_splits=1, n_permutations=0)
    assert caught[0].filename == __file__
    assert not result.settled and not result.corrected
    mean = result.drift.set_index(["n_subsets", "k"])["mean"]
    assert mean[1, 3] == pytest.approx(result.mi_ksg, abs=1e-6)
    assert max(abs(mean[1, 3] - mean[2, 3]), abs(mean[1, 3] - mean[1, 6])) > 2 * result.se


def test_too_few_for_the_drift_alone_leave_the_error(monkeypatch):
    """Its own random partition of the groups may have a part too small, where those of the error had none."""

    def too_few(*args, **options):
        raise TooFew("one part is too small")

    whole = uncertainty(folds(), np.zeros(1), np.zeros(1), **OPTIONS, rng=np.random.default_rng(0))
    monkeypatch.setattr(module, "drift_check", too_few)
    part = uncertainty(folds(), np.zeros(1), np.zeros(1), **OPTIONS, rng=np.random.default_rng(0))
    assert part.se_parts == whole.se_parts and part.se_parts["sampling"] > 0
    assert part.missing == {}
    assert part.settled and len(part.drift) == 0 and list(part.drift) == list(whole.drift)


def test_too_few_pairs_have_no_drift():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*nearly deterministic", UserWarning)
        result = sm.lmi(*dependent(np.random.default_rng(0), 24), preset=FAST, n_permutations=0)
    assert result.settled
    assert list(result.drift) == ["n_subsets", "n_pairs", "k", "mean", "sd"] and len(result.drift) == 0
