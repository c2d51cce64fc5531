"""Scores of all pairs are the density ratios of the pairs one by one, ties and all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scmi.estimators import log_density_ratio
from scmi.estimators.neighbours import all_pairs as module
from scmi.estimators.neighbours.all_pairs import all_pairs, rows_at_once
from scmi.estimators.neighbours.ksg import KSG


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(5, 40),
    d=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    k=st.integers(1, 5),
    metric=st.sampled_from(["chebyshev", "euclidean"]),
)
@settings(max_examples=60, deadline=None)
def test_every_pair_has_its_density_ratio(seed, n, d, k, metric):
    rng = np.random.default_rng(seed)
    x, y, reference_x, reference_y = (rng.normal(size=(m, f)) for m, f in ((7, d[0]), (5, d[1]), (n, d[0]), (n, d[1])))
    expected = log_density_ratio(
        np.repeat(x, 5, axis=0), np.tile(y, (7, 1)), reference_x, reference_y, k=k, metric=metric
    )
    np.testing.assert_array_equal(all_pairs(x, y, reference_x, reference_y, KSG(k, metric)).ravel(), expected)


def test_rows_that_fit_are_worked_on_together(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 16 * 100 * 4)
    assert rows_at_once(100) == 4
    assert rows_at_once(10**6) == 1
    x, y, reference_x, reference_y = np.random.default_rng(0).normal(size=(4, 100, 2))
    expected = log_density_ratio(np.repeat(x[:3], 100, axis=0), np.tile(y, (3, 1)), reference_x, reference_y)
    np.testing.assert_array_equal(all_pairs(x[:3], y, reference_x, reference_y, KSG()).ravel(), expected)
