"""Pairs are drawn one per barcode and side, and splits never part what belongs together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.inputs.pairing import Pairing, check_enough, halves, linked, most_splits, rowwise, split


def three_clones():
    # Barcode 0: rows 0, 1 of x and row 5 of y; barcode 1: row 2 and rows 6, 7; barcode 2: row 3 and row 8.
    return Pairing(
        np.array([0, 2, 3, 4]), np.array([0, 1, 2, 3]), np.array([0, 1, 3, 4]), np.array([5, 6, 7, 8]), np.arange(3)
    )


def test_every_barcode_once_per_pairing_and_only_its_own_rows():
    draw = three_clones().draw(np.random.default_rng(0), 50)
    for pairing in range(50):
        assert draw.barcode[draw.pairing == pairing].tolist() == [0, 1, 2]
    rows_x = {0: {0, 1}, 1: {2}, 2: {3}}
    rows_y = {0: {5}, 1: {6, 7}, 2: {8}}
    for barcode in range(3):
        # In 50 pairings each of two cells is missed with probability 2^-49.
        assert set(draw.row_x[draw.barcode == barcode]) == rows_x[barcode]
        assert set(draw.row_y[draw.barcode == barcode]) == rows_y[barcode]


def test_only_some_barcodes():
    draw = three_clones().draw(np.random.default_rng(0), 2, np.array([2, 0]))
    assert draw.barcode.tolist() == [2, 0, 2, 0]


def test_a_couple_drawn_for_two_barcodes_is_kept_once():
    both = Pairing(np.array([0, 1, 2]), np.array([4, 4]), np.array([0, 1, 2]), np.array([7, 7]), np.zeros(2, dtype=int))
    draw = both.draw(np.random.default_rng(0), 3)
    assert draw.pairing.tolist() == [0, 1, 2]
    assert set(draw.row_x) == {4}


def test_some_barcodes_with_groups_of_their_own():
    pairing = Pairing(np.array([0, 2, 3, 6]), np.arange(6), np.array([0, 1, 3, 4]), np.arange(10, 14), np.arange(3))
    taken = pairing.take(np.array([2, 0]), np.array([7, 8]))
    assert taken.indptr_x.tolist() == [0, 3, 5]
    assert taken.rows_x.tolist() == [3, 4, 5, 0, 1]
    assert taken.rows_y.tolist() == [13, 10]
    assert taken.groups.tolist() == [7, 8]


def test_what_hangs_together_has_one_code():
    # 1 - 3 - 4 hang together, 0 and 2 are alone.
    assert linked(5, np.array([3, 4]), np.array([1, 3])).tolist() == [0, 1, 2, 1, 1]
    assert linked(3, np.array([], dtype=int), np.array([], dtype=int)).tolist() == [0, 1, 2]


def test_rows_of_barcodes():
    rows_x, rows_y = three_clones().rows_of(np.array([0, 1]))
    assert rows_x.tolist() == [0, 1, 2]
    assert rows_y.tolist() == [5, 6, 7]


def test_rows_pair_with_themselves():
    pairing = rowwise(4, np.array(["b", "a", "b", "c"]))
    draw = pairing.draw(np.random.default_rng(0))
    assert draw.row_x.tolist() == draw.row_y.tolist() == [0, 1, 2, 3]
    assert pairing.groups.tolist() == [1, 0, 1, 2]


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.integers(0, 8), min_size=1, max_size=60), share=st.floats(0.05, 0.95), seed=st.integers(0, 2**32)
)
def test_split_keeps_groups_whole_and_sizes_close(groups, share, seed):
    groups = np.array(groups)
    first, second = split(groups, share, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(groups)))
    assert not set(groups[first]) & set(groups[second])
    sizes = np.bincount(groups)
    if np.count_nonzero(sizes) == 1:
        assert len(second) == 0
        return
    assert len(first) > 0 < len(second)
    # The cut falls on the nearest border between groups, or the nearest but one where a part would be empty.
    assert abs(len(second) - share * len(groups)) <= sizes.max()


def test_too_few_pairs_says_how_many_are_needed():
    with pytest.raises(TooFew, match=r"Only 19 pairs .* at least 20 are needed.* Use more samples\.$"):
        check_enough(rowwise(19), 3)
    with pytest.raises(TooFew, match="at least 42 are needed"):
        check_enough(rowwise(41), 20)
    check_enough(rowwise(20), 3)


def test_one_group_for_most_pairs_cannot_be_split():
    with pytest.raises(TooFew, match=r"70 of 100 pairs belong to one group.*Pass finer groups\.$"):
        check_enough(rowwise(100, np.r_[np.zeros(70), np.arange(1, 31)]), 3)
    tied = np.r_[np.zeros(70, dtype=int), np.arange(1, 31)]  # 70 barcodes of one cell
    with pytest.raises(TooFew, match="Give each cell one barcode"):
        check_enough(Pairing(np.arange(101), tied, np.arange(101), np.arange(100), tied), 3)


def test_cells_take_turns_so_that_none_is_passed_over():
    counts = np.array([1, 2, 5, 20])
    indptr = np.r_[0, np.cumsum(counts)]
    clones = Pairing(indptr, np.arange(28), indptr, np.arange(28), np.arange(4))
    draw = clones.draw(np.random.default_rng(0), 20)
    for barcode, count in enumerate(counts):
        chosen = draw.barcode == barcode
        for rows in (draw.row_x[chosen], draw.row_y[chosen]):
            assert (
                np.bincount(rows, minlength=28)[indptr[barcode] : indptr[barcode + 1]].tolist() == [20 // count] * count
            )


def test_turns_of_the_two_sides_are_independent():
    indptr = np.arange(0, 2001, 2)
    clones = Pairing(indptr, np.arange(2000), indptr, np.arange(2000), np.arange(1000))
    draw = clones.draw(np.random.default_rng(0), 10)
    together = np.mean(draw.row_x % 2 == draw.row_y % 2)
    # Two turns of a round are tied: 5,000 independent coins, standard deviation .007.
    assert together == pytest.approx(0.5, abs=0.03)
    first = draw.pairing == 0
    assert np.mean(draw.row_x[first] % 2) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("n_splits", [2, 5, 7])
def test_several_splits_are_halves_as_different_as_can_be(n_splits):
    made = halves(np.arange(400), n_splits, np.random.default_rng(0))
    assert len(made) == n_splits
    for first, second in made:
        assert sorted([*first, *second]) == list(range(400))
        assert len(first) == len(second) == 200
    firsts = [set(first) for first, _ in made]
    assert {len(a & b) for i, a in enumerate(firsts) for b in firsts[:i]} == {100}


@given(st.lists(st.integers(1, 4), min_size=40, max_size=60), st.integers(0, 99))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_several_splits_keep_groups_whole(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for first, second in halves(groups, 5, np.random.default_rng(seed)):
        assert not set(groups[first]) & set(groups[second])
        # Each block misses its share by no more than the largest group.
        assert abs(len(first) - len(second)) <= 8 * 4


@pytest.mark.parametrize(
    ("groups", "most"),
    [
        (np.arange(40), 7),
        (np.arange(39), 1),
        (np.arange(400) // 20, 1),
        (np.r_[np.zeros(60, int), 1 + np.arange(300)], 1),
    ],
)
def test_few_or_large_groups_are_split_once(groups, most):
    assert most_splits(groups) == most
