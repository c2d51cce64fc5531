"""The law of information and depth: its shape, its inverse, and refits of what it made and of what was published."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scmi.estimators.inference.depth import DepthLaw, covariance_of_depths, draws_of, fit_depth_law, influence

DEPTH = np.geomspace(30, 3000, 8)
laws = st.builds(DepthLaw, ubar=st.floats(50, 3000), i_max=st.floats(0.2, 5))


@given(law=laws)
def test_shape(law):
    """Nothing at depth 0, all at unlimited depth, and rising in between."""
    assert law.information(0.0) == pytest.approx(0, abs=1e-9)
    assert law.information(1e12) == pytest.approx(law.i_max, abs=1e-6)
    assert (np.diff(law.information(np.geomspace(1, 1e6, 50))) > 0).all()


def test_by_hand():
    # Half of the noise is beaten at ubar: 1 - log2((1 + 1) / (1 + 1/4)) / 2.
    assert DepthLaw(100.0, 1.0).information(100.0) == pytest.approx(1 - np.log2(1.6) / 2)


@given(law=laws, share=st.floats(0.05, 0.95))
def test_inverse(law, share):
    assert law.information(law.depth_of(share)) == pytest.approx(share * law.i_max, rel=1e-6)


@given(law=laws)
def test_what_a_law_made_is_found_again(law):
    found = fit_depth_law(DEPTH, law.information(DEPTH))
    np.testing.assert_allclose(found.information(DEPTH), law.information(DEPTH), atol=1e-3)


def test_errors_weigh():
    """An estimate known badly hardly counts."""
    law = DepthLaw(300.0, 1.0)
    mi, se = law.information(DEPTH), np.full(8, 0.01)
    mi[-1], se[-1] = mi[-1] + 0.5, 10.0
    assert fit_depth_law(DEPTH, mi, se).i_max == pytest.approx(1, abs=0.01)
    assert fit_depth_law(DEPTH, mi).i_max > 1.2


def test_no_end_in_sight():
    """A channel of unlimited capacity, which no measurement tells from a very large one."""
    mi = np.log2(1 + DEPTH / 1000) / 2
    law = fit_depth_law(DEPTH, mi)
    assert not law.ends_within(3000)
    np.testing.assert_allclose(law.information(DEPTH), mi, atol=0.01)


@pytest.mark.parametrize("mi", [np.zeros(8), np.full(8, -0.02)])
def test_nothing_shared(mi):
    law = fit_depth_law(DEPTH, mi)
    assert law.i_max == 0
    assert (law.information(DEPTH) == 0).all()
    assert np.isnan(law.depth_of(0.9))


def test_draws_spread_as_the_estimates_do():
    """Errors common to all depths, in proportion to the information, end in i_max and leave ubar."""
    law, rng = DepthLaw(300.0, 1.0), np.random.default_rng(0)
    mi = law.information(DEPTH)
    draws = np.array(draws_of(DEPTH, mi, np.ones(8), 0.1**2 * np.outer(mi, mi), 300, rng))
    # Over 300 draws a standard deviation is known to 4 %.
    assert draws[:, 1].std() == pytest.approx(0.1, rel=0.15)
    by_itself = np.array(draws_of(DEPTH, mi, np.ones(8), 0.1**2 * np.eye(8), 300, rng))
    assert by_itself[:, 0].std() > 3 * draws[:, 0].std()


# From the README of the table: fitted by its authors' law to all seeds, with standard errors.
PUBLISHED = {
    ("LARRY", "PCA"): (2370, 441, 1.90, 0.09),
    ("LARRY", "scVI"): (598, 54, 1.86, 0.04),
    ("PBMC", "PCA"): (5017, 1012, 4.10, 0.12),
    ("PBMC", "scVI"): (4861, 656, 5.18, 0.08),
    ("MERFISH", "scVI"): (558, 93, 2.56, 0.09),
}


@pytest.mark.parametrize("of", PUBLISHED, ids=" ".join)
def test_published_means(anchors, of):
    table = pd.read_csv(anchors / "noise_scaling_mi_by_depth.csv")
    one = table[(table["dataset"] == of[0]) & (table["representation"] == of[1])]
    depth, mi = (one[column].to_numpy(dtype=float) for column in ("umis_per_cell", "mi_bits_mean"))
    law = fit_depth_law(depth, mi)
    ubar, se_ubar, i_max, se_i_max = PUBLISHED[of]
    assert law.ubar == pytest.approx(ubar, abs=se_ubar)
    assert law.i_max == pytest.approx(i_max, abs=se_i_max)
    r2 = 1 - np.sum((mi - law.information(depth)) ** 2) / np.sum((mi - mi.mean()) ** 2)
    assert r2 > 0.98


def test_influence_and_covariance_by_hand():
    pmi, group = np.array([1.0, 3.0, np.nan, 2.0]), np.array([0, 0, 1, 2])
    # About their mean of 2 the first group has -1 and 1, the third 0, over three known ones.
    np.testing.assert_allclose(influence(pmi, group, 2.0), [0, 0, 0])
    np.testing.assert_allclose(influence(pmi, group, 1.0), [2 / 3, 0, 1 / 3])
    # The deeper one comes first, in two repeats; groups move both depths alike, and errors set the size.
    table = pd.DataFrame({"depth": [9.0, 1.0, 9.0, 1.0], "se": [0.3, np.nan, 0.5, np.nan]})
    influences = np.array([[2.0, -2], [1, -1], [4, -4], [1, -1]])
    found = covariance_of_depths(table, influences)
    # Shallow: as the groups say, 1 + 1; deep: .4 squared; between them the product of both roots.
    np.testing.assert_allclose(found, [[2, 0.4 * np.sqrt(2)], [0.4 * np.sqrt(2), 0.16]])
