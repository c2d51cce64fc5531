"""Held-out pairs are checked once, when they are made; whatever takes some of them need not look again."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from scmi.estimators import HeldOut
from scmi.estimators.inference import heldout


def test_points_are_double_columns_and_labels_are_codes():
    fold = HeldOut(np.arange(3, dtype=np.float32), [[1, 2], [3, 4], [5, 6]], groups=list("bab"), strata=["w", "w", "v"])
    assert (fold.x.dtype, fold.x.shape, fold.y.shape) == (np.float64, (3, 1), (3, 2))
    assert fold.groups.tolist() == [0, 1, 0]
    assert fold.strata.tolist() == [0, 0, 1]


def test_by_default_each_pair_is_its_own_group_in_one_stratum():
    fold = HeldOut(np.zeros(3), np.zeros(3))
    assert fold.groups.tolist() == [0, 1, 2]
    assert fold.strata.tolist() == [0, 0, 0]
    with pytest.raises(FrozenInstanceError):
        fold.x = np.zeros(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.arange(5.0)}, "`x` has 6 rows, but `y` has 5"),
        ({"x": [0, 1, np.nan, 3, 4, 5]}, "`x` has 1 NaN or infinite values, the first in row 2"),
        ({"strata": [0, 1]}, r"`strata` has shape \(2,\); expected one label for each of 6 pairs"),
        ({"groups": ["a", None] * 3}, "`groups` misses 3 of 6 labels, the first at pair 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ValueError, match=message):
        HeldOut(**{"x": np.arange(6.0), "y": np.arange(6.0), **arguments})


def test_some_of_the_pairs_keep_their_labels():
    fold = HeldOut(np.arange(4.0), np.arange(4.0) + 10, groups=list("aabb"), strata=list("wvwv"))
    taken = fold.take(np.array([3, 0]))
    assert len(taken) == 2
    assert taken.x[:, 0].tolist() == [3, 0]
    assert taken.y[:, 0].tolist() == [13, 10]
    # Groups and strata that differed differ still.
    assert taken.groups[0] != taken.groups[1]
    assert taken.strata[0] != taken.strata[1]


def test_one_random_pair_of_each_group_in_order():
    fold = HeldOut(np.arange(6.0), np.arange(6.0), groups=[0, 0, 1, 2, 2, 2])
    rng = np.random.default_rng(0)
    drawn = {tuple(fold.one_per_group(rng)) for _ in range(100)}
    # 2 * 1 * 3 choices; one is missed with a chance of 6 * (5/6)^100 < 1e-6.
    assert drawn == {(i, 2, j) for i in (0, 1) for j in (3, 4, 5)}


def test_some_rows_are_no_more_than_tests_look_at(monkeypatch):
    rng = np.random.default_rng(0)
    assert heldout.some_rows(5, rng).tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(heldout, "MAX_TESTED", 3)
    drawn = [heldout.some_rows(5, rng) for _ in range(50)]
    assert all(len(rows) == 3 and (np.diff(rows) > 0).all() for rows in drawn)
    assert set(np.concatenate(drawn)) == set(range(5))
