"""The mean under many permutations is that of as many calls of KSG on permuted arrays, one after the other."""

import numpy as np
import pytest

from scmi.estimators.neighbours.ksg import KSG, parted
from scmi.estimators.neighbours.permuted import permuted_sums, sorted_blocks


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize(("n", "decimals", "k"), [(5, 9, 3), (60, 9, 1), (150, 0, 3)])
def test_null_equals_ksg_on_permuted_arrays(n, decimals, k, metric, monkeypatch):
    # Several blocks of rows and chunks of permutations; at no decimals, ties and copies.
    monkeypatch.setattr("scmi.estimators.neighbours.permuted.BLOCK_ENTRIES", 40 * n)
    monkeypatch.setattr("scmi.estimators.neighbours.permuted.RADIUS_ENTRIES", 5 * n)
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)).round(decimals), rng.normal(size=(n, 2)).round(decimals)
    permutations = rng.permuted(np.tile(np.arange(n, dtype=np.int32), (12, 1)), axis=1)
    ksg, (u, v) = KSG(k, metric), parted(x, y, metric)  # where there are ties, the noise goes with its row
    expected = [ksg.of_parted(x, y[p], u, v[p]).mean() for p in permutations]
    np.testing.assert_allclose(permuted_sums(x, y, permutations, KSG(k, metric)) / n, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
def test_where_both_sides_are_labels_copies_are_counted(metric):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 3, size=(2, 60, 1)).astype(float)
    permutations = rng.permuted(np.tile(np.arange(60, dtype=np.int32), (5, 1)), axis=1)
    ksg, (u, v) = KSG(3, metric), parted(x, y, metric)
    expected = [ksg.of_parted(x, y[p], u, v[p]).sum() for p in permutations]
    np.testing.assert_array_equal(permuted_sums(x, y, permutations, KSG(3, metric)), expected)


def test_others_by_hand_in_the_order_of_their_distance(monkeypatch):
    monkeypatch.setattr("scmi.estimators.neighbours.permuted.BLOCK_ENTRIES", 6)  # two rows of three at once
    # 0 and 1 are 1 apart in x and 9 in y, 0 and 2 are 3 and 1, 1 and 2 are 2 and 8.
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [9.0], [1.0]])
    starts, orders, distances = zip(*sorted_blocks(x, y, metric="chebyshev"), strict=True)
    assert starts == (0, 2)
    assert np.vstack(orders).tolist() == [[2, 1], [2, 0], [0, 1]]
    assert np.vstack(distances).tolist() == [[3, 9], [8, 9], [3, 8]]
    squared = np.vstack([block[2] for block in sorted_blocks(x, y, metric="euclidean")])
    assert squared.tolist() == [[9, 81], [64, 81], [9, 64]]
