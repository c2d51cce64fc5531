"""Training anew: its error is the spread over seeds, its null keeps what permuting must keep, and neither moves the estimate."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators.pairing import Pairing, rowwise
from scmi.estimators.retraining import barcode_strata, one_barcode_per_group, with_partners
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(16,), max_steps=10, patience=10, closed_form=False)


def dependent(rng, n=100, d=3):
    x = rng.normal(size=(n, d))
    return x, x + rng.normal(size=(n, d))


def test_the_estimate_stays():
    x, y = dependent(np.random.default_rng(0))
    plain, more = (sm.lmi(x, y, preset=FAST, n_permutations=9, n_retrain=n) for n in (0, 2))
    np.testing.assert_array_equal(plain.pmi, more.pmi)
    assert (plain.p, plain.mi_corrected) == (more.p, more.mi_corrected)
    assert list(plain.se_parts) == ["sampling"]
    assert list(more.se_parts) == ["sampling", "retraining"]
    assert more.se == np.hypot(*more.se_parts.values()) > plain.se
    assert more.ci == pytest.approx((more.mi - 1.645 * more.se, more.mi + 1.645 * more.se), abs=1e-4)
    assert (more.params["n_retrain"], more.params["null"]) == (2, "fixed")


def test_retraining_is_the_spread_over_seeds():
    x, y = dependent(np.random.default_rng(0))
    part = sm.lmi(x, y, preset=FAST, n_permutations=0, n_retrain=12).se_parts["retraining"]
    spread = np.std([sm.lmi(x, y, preset=FAST, n_permutations=0, rng=seed).mi for seed in range(1, 13)], ddof=1)
    # Each is known to a fifth from 12 values, the ratio to .29.
    assert part / spread == pytest.approx(1, abs=0.6)


def test_null_of_models_trained_anew():
    x, y = dependent(np.random.default_rng(0))
    test = sm.lmi(x, y, preset=FAST, null="retrain", n_permutations=9)
    fixed = sm.lmi(x, y, preset=FAST, n_permutations=9)
    assert test.mi == fixed.mi
    assert test.p == 1 / 10
    assert test.missing == {}
    assert test.null.shape == (9,)
    # KSG of 100 independent pairs; a mean over 9 is known to a third of the spread.
    assert abs(test.null.mean()) < test.null.std()
    assert not np.isin(test.null, fixed.null).any()
    again = sm.lmi(x, y, preset=FAST, null="retrain", n_permutations=9)
    np.testing.assert_array_equal(test.null, again.null)
    unasked = sm.lmi(x, y, preset=FAST, null="retrain", n_permutations=0)
    assert unasked.missing == {"p": "`n_permutations` is 0."}


def test_what_only_strata_tell_is_not_significant_within_them():
    rng = np.random.default_rng(1)
    batch = np.repeat(["a", "b"], 50)
    x, y = rng.normal(size=(2, 100, 3)) + 5 * (batch == "b")[:, None]
    options = {"preset": FAST, "null": "retrain", "n_permutations": 9}
    across, within = (sm.lmi(x, y, strata=strata, **options) for strata in (None, batch))
    assert across.p == 1 / 10
    # Uniform under independence; with this seed a fixed number.
    assert within.p > 0.1
    assert within.null.mean() == pytest.approx(within.mi, abs=0.2)


def test_clones_that_share_their_partner_are_not_significant():
    rng = np.random.default_rng(0)
    clone = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    x = rng.normal(size=(60, 3))[clone] + 0.1 * rng.normal(size=(len(clone), 3))
    y = rng.normal(size=(60, 3))[clone] + 0.01 * rng.normal(size=(len(clone), 3))
    test = sm.lmi(x, y, groups=clone, preset=FAST, null="retrain", n_permutations=9)
    # The clones alone make .5 bits of all pairs; one pair of each has none to show. A fixed number with this seed.
    assert test.mi > 0.3
    assert test.null.max() < test.mi
    assert test.p > 0.1


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_what_cannot_be_tested_has_a_reason():
    x, y = dependent(np.random.default_rng(0), 40)
    apart = sm.lmi(x, y, strata=np.arange(40), preset=FAST, null="retrain", n_permutations=9)
    assert np.isnan(apart.p) and "Every stratum has a single" in apart.missing["p"]
    tied = sm.lmi(x, y, groups=np.arange(40) // 8, preset=FAST, null="retrain", n_permutations=9)
    assert np.isnan(tied.p) and "Only 5 pairs" in tied.missing["p"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"null": "train"}, r"null='train' is not known; choose one of \['fixed', 'retrain'\]"),
        ({"n_retrain": -1}, "`n_retrain` must be at least 1"),
        ({"null": "retrain", "n_permutations": -1}, "`n_permutations` must be at least 1"),
    ],
)
def test_mistakes(options, match):
    with pytest.raises(ValueError, match=match):
        sm.lmi(*dependent(np.random.default_rng(0)), preset=FAST, **options)


# By hand: barcode 0 has rows 0 and 1 of x and row 0 of y, barcode 1 row 2 and rows 1 and 2, barcode 2 row 3 and row 3.
THREE = Pairing(
    np.array([0, 2, 3, 4]), np.array([0, 1, 2, 3]), np.array([0, 1, 3, 4]), np.array([0, 1, 2, 3]), np.arange(3)
)


def test_whole_barcodes_change_partners():
    permuted = with_partners(THREE, np.array([1, 2, 0]))
    assert permuted.indptr_x.tolist() == [0, 2, 3, 4] and permuted.rows_x.tolist() == [0, 1, 2, 3]
    assert permuted.indptr_y.tolist() == [0, 2, 3, 4] and permuted.rows_y.tolist() == [1, 2, 3, 0]


def test_strata_of_barcodes():
    # Barcode 0 lies in both strata, the others in one each.
    assert barcode_strata(THREE, np.array([0, 1, 1, 1])).tolist() == [0, 1, 1]
    assert barcode_strata(THREE, np.array([1, 0, 0, 1])).tolist() == [0, 1, 2]


def test_one_of_each_group():
    groups = np.array([0, 0, 1, 2, 2, 2])
    chosen = [one_barcode_per_group(rowwise(6, groups), np.random.default_rng(seed)).rows_x for seed in range(50)]
    assert all(groups[rows].tolist() == [0, 1, 2] for rows in chosen)
    assert {rows[2] for rows in chosen} == {3, 4, 5}
