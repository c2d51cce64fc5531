"""Training anew: its error is the spread over seeds, its null keeps what it must, and neither moves the estimate."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import TooFew
from scmi.estimators.inference.retraining import (
    barcode_strata,
    one_barcode_per_group,
    retrained_null,
    retraining_error,
    with_partners,
)
from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(16,), max_steps=10, patience=10, closed_form=False)


def dependent(rng, n=100, d=3):
    x = rng.normal(size=(n, d))
    return x, x + rng.normal(size=(n, d))


def test_the_estimate_stays():
    x, y = dependent(np.random.default_rng(0))
    plain, more = (sm.lmi(x, y, preset=FAST, n_splits=1, n_permutations=9, n_retrain=n) for n in (0, 2))
    np.testing.assert_array_equal(plain.pmi, more.pmi)
    assert (plain.p, plain.mi, plain.mi_ksg) == (more.p, more.mi, more.mi_ksg)
    assert list(plain.se_parts) == ["sampling"]
    assert list(more.se_parts) == ["sampling", "retraining"]
    assert more.se == np.hypot(*more.se_parts.values()) > plain.se
    assert more.ci == pytest.approx((more.mi - 1.645 * more.se, more.mi + 1.645 * more.se), abs=1e-4)
    assert (more.params["n_retrain"], more.params["null"]) == (2, "fixed")


@pytest.mark.slow
def test_retraining_is_the_spread_over_seeds():
    x, y = dependent(np.random.default_rng(0))
    part = sm.lmi(x, y, preset=FAST, n_splits=1, n_permutations=0, n_retrain=12).se_parts["retraining"]
    spread = np.std(
        [sm.lmi(x, y, preset=FAST, n_splits=1, n_permutations=0, rng=seed).mi_ksg for seed in range(1, 13)], ddof=1
    )
    # Each is known to a fifth from 12 values, the ratio to .29.
    assert part / spread == pytest.approx(1, abs=0.6)


@pytest.mark.slow
def test_null_of_models_trained_anew():
    x, y = dependent(np.random.default_rng(0))
    test = sm.lmi(x, y, preset=FAST, n_splits=1, null="retrain", n_permutations=9)
    fixed = sm.lmi(x, y, preset=FAST, n_splits=1, n_permutations=9)
    assert test.mi == fixed.mi
    assert test.p == 1 / 10
    assert test.missing == {}
    assert test.null.shape == (9,)
    # KSG of 100 independent pairs; a mean over 9 is known to a third of the spread.
    assert abs(test.null.mean()) < test.null.std()
    assert not np.isin(test.null, fixed.null).any()
    again = sm.lmi(x, y, preset=FAST, n_splits=1, null="retrain", n_permutations=9)
    np.testing.assert_array_equal(test.null, again.null)
    unasked = sm.lmi(x, y, preset=FAST, n_splits=1, null="retrain", n_permutations=0)
    assert unasked.missing == {"p": "`n_permutations` is 0."}


@pytest.mark.filterwarnings("ignore:Permuted partners give:UserWarning")
def test_what_only_strata_tell_is_not_significant_within_them():
    rng = np.random.default_rng(1)
    batch = np.repeat(["a", "b"], 50)
    x, y = rng.normal(size=(2, 100, 3)) + 5 * (batch == "b")[:, None]
    options = {"preset": FAST, "n_splits": 1, "null": "retrain", "n_permutations": 9}
    across, within = (sm.lmi(x, y, strata=strata, **options) for strata in (None, batch))
    assert across.p == 1 / 10
    # Uniform under independence; with this seed a fixed number.
    assert within.p > 0.1
    assert within.null.mean() == pytest.approx(within.mi_ksg, abs=0.2)


def test_clones_that_share_their_partner_are_not_significant():
    rng = np.random.default_rng(0)
    clone = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    x = rng.normal(size=(60, 3))[clone] + 0.1 * rng.normal(size=(len(clone), 3))
    y = rng.normal(size=(60, 3))[clone] + 0.01 * rng.normal(size=(len(clone), 3))
    test = sm.lmi(x, y, groups=clone, preset=FAST, n_splits=1, null="retrain", n_permutations=9)
    # The clones alone make .5 bits of all pairs; one pair of each has none to show. A fixed number with this seed.
    assert test.mi_ksg > 0.3
    assert test.null.max() < test.mi_ksg
    assert test.p > 0.1


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_what_cannot_be_tested_has_a_reason():
    x, y = dependent(np.random.default_rng(0), 40)
    apart = sm.lmi(x, y, strata=np.arange(40), preset=FAST, n_splits=1, null="retrain", n_permutations=9)
    assert np.isnan(apart.p) and "Every stratum has a single" in apart.missing["p"]
    tied = sm.lmi(x, y, groups=np.arange(40) // 8, preset=FAST, n_splits=1, null="retrain", n_permutations=9)
    assert np.isnan(tied.p) and "Only 5 pairs" in tied.missing["p"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"null": "train"}, r"null='train' is not known; choose one of \['fixed', 'retrain'\]"),
        ({"n_retrain": -1}, "`n_retrain` must be at least 0"),
        ({"null": "retrain", "n_permutations": -1}, "`n_permutations` must be at least 0"),
    ],
)
def test_mistakes(options, match):
    with pytest.raises(ValueError, match=match):
        sm.lmi(*dependent(np.random.default_rng(0)), preset=FAST, n_splits=1, **options)


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


def silent(done, loss):
    """Report to nobody."""


def test_error_by_hand():
    values = iter([2.0, 3.0])
    error = retraining_error(
        lambda pairing, pairs, rng, progress: next(values), None, None, 1.0, 2, np.random.default_rng(0), silent
    )
    assert error == pytest.approx(1)  # of 1, 2 and 3


def null(pairing, again, **options):
    options = {"ksg": KSG(), "n_permutations": 9, "n_pairings": 1, "strata": None, **options}
    return retrained_null(again, pairing, 0.5, rng=np.random.default_rng(0), progress=silent, **options)


def test_null_by_hand():
    values = iter([0.1, 0.5, 0.9, *[0.2] * 6])
    p, found = null(rowwise(40), lambda *_: next(values))
    # Two of nine reach .5, the equal one among them.
    assert p == 3 / 10
    assert found.tolist() == [0.1, 0.5, 0.9, *[0.2] * 6]


def test_groups_are_estimated_anew_by_one_barcode_of_each():
    seen = []

    def again(pairing, pairs, rng, progress):
        seen.append((len(pairing), pairs.row_x.tolist() == pairs.row_y.tolist()))
        return float(len(seen) == 1)

    p, _ = null(rowwise(80, np.arange(80) // 2), again)
    # First the partners as they are, then nine times others.
    assert seen == [(40, True), *[(40, False)] * 9]
    assert p == 1 / 10


def test_too_few_to_train_anew():
    with pytest.raises(TooFew, match="Only 10 pairs"):
        null(rowwise(40, np.arange(40) // 4), None)
    with pytest.raises(TooFew, match="Every stratum has a single"):
        null(rowwise(40), None, strata=np.arange(40))
