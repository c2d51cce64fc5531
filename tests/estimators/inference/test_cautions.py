"""Each caution appears past its threshold and not before; a plain estimate has none."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators.inference.cautions import cautions, is_saturated

PLAIN = {
    "mi_ksg": 1.0,
    "se": 0.05,
    "null": np.array([0.02, -0.03, 0.04]),
    "n_pairs": 2000,
    "n_held_out": 1000,
    "n_latent": 8,
    "saturated": False,
    "kept": 0.01,
    "constant": [],
    "improving": False,
    "drifting": False,
    "several_rows": False,
}


def test_nothing_to_say():
    assert cautions(**PLAIN) == []


def test_how_near_is_too_near():
    # Ten pairs, whose estimate moves by .3 bits by chance, can show 2.
    assert not is_saturated(0.9, 0.9, 10) and is_saturated(1.1, 1.1, 10)
    # A thousand can show 8.7; what is corrected holds a little longer.
    assert is_saturated(6.9, 6.9, 1000) and not is_saturated(6.8, 6.8, 1000)
    assert is_saturated(7.4, 4.0, 1000) and not is_saturated(7.3, 4.0, 1000)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"saturated": True}, "2,000 pairs can't show it all (their neighbours tell of 8.7 bits at most)"),
        ({"constant": ["y"]}, "All rows of y are the same"),
        ({"null": np.array([0.1, 0.15, 0.2])}, "Permuted partners give 0.15 bits where they should give 0"),
        ({"null": np.array([0.1, 0.15, 0.2]), "se": np.nan}, "Permuted partners give 0.15 bits"),
        ({"n_latent": 11}, "11 latent dimensions a side are more"),
        ({"improving": True}, "still improving"),
        ({"drifting": True}, "than its error says. Use more pairs."),
        ({"drifting": True, "several_rows": True}, "than its error says. Use more shared barcodes."),
    ],
)
def test_each_has_its_sentence(changed, words):
    ((_, sentence),) = cautions(**PLAIN | changed)
    assert words in sentence


def test_partners_that_stay_are_no_bias():
    null = np.array([0.1, 0.15, 0.2])
    assert cautions(**PLAIN | {"null": null, "kept": 0.1}) == []
    assert len(cautions(**PLAIN | {"null": null, "kept": 0.03})) == 1


def test_a_null_that_is_next_to_nothing_is_no_bias():
    null = np.full(5, 0.004)
    assert cautions(**PLAIN | {"null": null, "se": 0.0, "mi_ksg": 0.004}) == []


def test_ksg_cannot_say_more_than_the_saturation():
    # What the threshold rests on: the same variable twice.
    x = np.random.default_rng(0).normal(size=1000)
    assert sm.ksg(x, x).mean() == pytest.approx(np.log2(1000) - 1.3, abs=0.1)


def test_users_are_told_where_they_called():
    x = np.random.default_rng(0).normal(size=(150, 1))
    with pytest.warns(UserWarning, match="nearly deterministic") as caught:
        sm.lmi(x, x + 1e-6 * np.random.default_rng(1).normal(size=x.shape))
    assert all(w.filename == __file__ for w in caught)
