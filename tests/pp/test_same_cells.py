"""No cell is paired with itself, and no clone of one stratum with that of another; what was decided is said."""

import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.inputs.missing import means_missing
from scmi.pp.pairs import match_clones


def cells(names, **obs):
    rng = np.random.default_rng(len(names) + ord(names[0][0]))
    return ad.AnnData(rng.normal(size=(len(names), 3)), obs=pd.DataFrame(obs, index=names))


TYPES = [f"t{i}" for i in range(4)] + [f"u{i // 2}" for i in range(6)] + ["v", "v", "v"]
NAMES = [f"cell_{i}" for i in range(len(TYPES))]


@pytest.fixture
def modalities():
    """RNA and protein of 13 cells: 4 alone in their clonotype, three couples, and one of three."""
    return cells(NAMES, ct=TYPES), cells(NAMES, ct=TYPES)


def test_a_cell_is_not_paired_with_itself(modalities):
    with pytest.warns(UserWarning, match="13 cells share a barcode with themselves.*4 barcodes with no other cell"):
        found = match_clones(*modalities, "ct")
    assert found.same_cells
    assert sorted(found.barcodes) == ["u0", "u1", "u2", "v"]
    drawn = found.pairing.draw(np.random.default_rng(0), 50)
    names_a, names_b = (np.array(NAMES)[rows] for rows in (drawn.row_x, drawn.row_y))
    assert (names_a != names_b).all()
    assert set(names_a) == set(names_b) == set(NAMES[4:])
    # Each of the two others of a clonotype of three is as probable: 25 of 50, sd 3.5.
    partners = pd.Series(names_b[names_a == NAMES[-1]]).value_counts()
    assert set(partners.index) == set(NAMES[-3:-1])
    assert partners.min() > 3


def test_the_switch_decides_otherwise(modalities):
    found = match_clones(*modalities, "ct", same_cells=False)
    assert len(found.barcodes) == 8 and not found.same_cells
    numbered = [one[:].copy() for one in modalities]
    for one in numbered:
        one.obs_names = [str(i) for i in range(one.n_obs)]
    assert not match_clones(*numbered, "ct").same_cells  # row numbers are no names
    with pytest.warns(UserWarning, match="share a barcode with themselves"):
        assert match_clones(*numbered, "ct", same_cells=True).same_cells
    other = modalities[1].copy()
    other.obs_names = [f"other_{i}" for i in range(other.n_obs)]
    with pytest.raises(ValueError, match="no cell name in common"):
        match_clones(modalities[0], other, "ct", same_cells=True)


def test_names_that_coincide_by_accident(caplog):
    """10x barcodes used again in another lane: the same name, and seldom the same clone."""
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(60)]
    lanes = [cells(names, clone=rng.permutation([f"c{i // 2}" for i in range(60)])) for _ in "ab"]
    with caplog.at_level(logging.INFO, logger="scmi"):
        found = match_clones(*lanes, "clone")
    assert not found.same_cells
    assert "60 cells have a name that occurs in both objects: taken as different cells" in caplog.text


def test_nothing_but_themselves():
    names = [f"cell_{i}" for i in range(30)]
    both = [cells(names, ct=names) for _ in "ab"]
    with pytest.raises(TooFew, match="which leaves no pair. To pair two modalities of each cell, pass `pair_key=None`"):
        match_clones(*both, "ct")


def test_the_estimate_says_and_stores_it(quick_lmi):
    types = [f"u{i // 3}" for i in range(90)]
    names = [f"cell_{i}" for i in range(90)]
    both = [cells(names, ct=types) for _ in "ab"]
    with pytest.warns(UserWarning, match="hold the same cells"):
        sm.tl.lmi(*both, pair_key="ct", model=quick_lmi(n_pairings=3))
    assert both[0].uns["lmi"]["params"]["same_cells"]
    pairs = both[0].uns["lmi"]["pairs"]
    assert (pairs["cell_a"] != pairs["cell_b"]).all()


@pytest.fixture
def mice():
    """One barcode list in two mice."""
    mouse = np.repeat(["wt", "ko"], 40)
    clone = np.tile([f"b{i}" for i in range(40)], 2)
    return tuple(cells([f"{p}{i}" for i in range(80)], clone=clone, mouse=mouse) for p in "ab")


def test_barcodes_of_two_mice_are_two_clones(mice, quick_lmi):
    with pytest.warns(UserWarning, match="40 of 40 shared barcodes occur in more than one stratum of `mouse`"):
        sm.tl.lmi(*mice, pair_key="clone", strata="mouse", model=quick_lmi())
    stored = mice[0].uns["lmi"]
    assert stored["n_pairs"] == 80
    of_pair = [
        day.obs["mouse"][stored["pairs"][side]].to_numpy() for day, side in zip(mice, ("cell_a", "cell_b"), strict=True)
    ]
    assert (of_pair[0] == of_pair[1]).all()


def test_strata_that_the_populations_do_not_share_forbid_nothing(mice, quick_lmi):
    """Wells of an early and of a late plate."""
    mice[0].obs["mouse"] = mice[0].obs["mouse"].replace({"wt": "early 1", "ko": "early 2"})
    sm.tl.lmi(*mice, pair_key="clone", strata="mouse", model=quick_lmi())
    assert mice[0].uns["lmi"]["n_pairs"] == 40
    del mice[1].obs["mouse"]
    sm.tl.lmi(*mice, pair_key="clone", strata="mouse", model=quick_lmi())
    assert mice[0].uns["lmi"]["n_pairs"] == 40


def test_cells_without_a_stratum_are_in_no_pair(mice):
    strata = mice[0].obs["mouse"].to_numpy(dtype=object).copy()
    strata[:10] = None
    with pytest.warns(UserWarning, match="occur in more than one stratum"):
        found = match_clones(*mice, "clone", strata=("mouse", strata, mice[1].obs["mouse"].to_numpy(dtype=object)))
    assert len(found.barcodes) == 70


@pytest.mark.parametrize(
    "label",
    ["", " ", "NA", "na", "N/A", "<NA>", "nan", "NaN", "None", "null", "NULL", "unassigned", "Unassigned", "-1", -1]
    + [-1.0, "None_None", "NA_NA", "nan-nan", "null|null", "NA;None", "unassigned_unassigned"],
)
def test_what_means_no_barcode(label):
    assert means_missing(label)


@pytest.mark.parametrize("label", ["0", 0, 1, "none1", "NANA", "c-1", "NA_12", "nanog", "A", "-12", True, False, 0.5])
def test_what_is_a_barcode(label):
    assert not means_missing(label)


@pytest.mark.parametrize("form", [np.array, pd.DataFrame])
def test_negative_entries_of_a_matrix_are_refused(form):
    day2, day6 = cells([f"a{i}" for i in range(30)]), cells([f"b{i}" for i in range(30)])
    for day in (day2, day6):
        matrix = np.where(np.eye(30, dtype=int) == 1, 1, -1)
        day.obsm["X_clone"] = pd.DataFrame(matrix, index=day.obs_names) if form is pd.DataFrame else matrix
    with pytest.raises(ValueError, match="870 negative entries; its entries count barcodes, 0 for none"):
        match_clones(day2, day6, "X_clone")


def test_names_without_a_partner_are_told_of_once(quick_lmi):
    day2, day6 = cells([f"a{i}" for i in range(100)]), cells([f"a{i + 70}" for i in range(100)])
    with pytest.warns(UserWarning, match="70 of 100 cell names of the smaller object have no partner") as told:
        sm.tl.lmi(day2, day6, model=quick_lmi())
    assert sum("no partner" in str(one.message) for one in told) == 1
