"""The promises of the table of estimates.

- A row per pair of groups, each the estimate of `tl.lmi` with a p-value, and q over all of them; through h5ad.
- What can't be estimated has NaN and a reason, and does not count for q.
- Mistakes are named before any training; nothing but the table is written.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import benjamini_hochberg, crossfit
from scmi.pp.depth import Counts

HOW = {"pair_key": "clone", "groupby": "day"}


@pytest.fixture(scope="module")
def _cells():
    adata = sm.datasets.lineage(250, n_genes=400, rng=0)
    sm.pp.recipe_lmi(adata, n_top_genes=100)
    return adata


@pytest.fixture
def cells(_cells):
    return _cells.copy()


def test_table(cells, quick_lmi, tmp_path):
    before = cells.copy()
    assert sm.tl.lmi_matrix(cells, **HOW, model=quick_lmi(n_permutations=99)) is None
    table = sm.get.lmi_matrix(cells)
    names = "group_a group_b mi mi_ksg se ci_low ci_high p q n_pairs note"
    assert table.columns.tolist() == names.split()
    assert table[["group_a", "group_b"]].to_numpy().tolist() == [["2", "4"], ["2", "6"], ["4", "6"]]
    clones = {day: set(cells.obs["clone"][cells.obs["day"] == day].dropna()) for day in ("2", "4", "6")}
    assert table["n_pairs"].tolist() == [len(clones[a] & clones[b]) for a, b in (("2", "4"), ("2", "6"), ("4", "6"))]
    np.testing.assert_allclose(table["q"], benjamini_hochberg(table["p"]))
    np.testing.assert_allclose(table[["ci_low", "ci_high"]].mean(axis=1), table["mi"])
    assert (table["note"] == "").all()
    assert set(cells.uns) == set(before.uns) | {"lmi_matrix"}
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    pd.testing.assert_frame_equal(sm.get.lmi_matrix(ad.read_h5ad(tmp_path / "cells.h5ad")), table)
    table["mi"] = 0
    assert (sm.get.lmi_matrix(cells)["mi"] != 0).all()
    assert cells.uns["lmi_matrix"]["params"]["rng"] == 0


@pytest.mark.parametrize("groups", [["2", "6"], ["2", "4", "6"], ["4", "2", "6"]])
def test_equals_single_estimate_whatever_is_beside_it(cells, quick_lmi, groups):
    model = quick_lmi(n_permutations=19)
    sm.tl.lmi_matrix(cells, **HOW, groups=groups, model=model, rng=3)
    assert not hasattr(model, "result_")
    sm.tl.lmi(cells, **HOW, groups=["2", "6"], model=model, rng=3)
    table = sm.get.lmi_matrix(cells)
    (row,) = table[(table["group_a"] == "2") & (table["group_b"] == "6")].to_dict("records")
    one = cells.uns["lmi"]
    names = ["mi", "mi_ksg", "se", "p", "n_pairs"]
    assert [row[name] for name in names] == [one[name] for name in names]
    assert [row["ci_low"], row["ci_high"]] == one["ci"]


def test_a_bug_inside_an_estimate_surfaces(cells, quick_lmi, monkeypatch):
    def planted(*args, **options):
        raise ValueError("planted")

    monkeypatch.setattr(crossfit, "measure", planted)
    with pytest.raises(ValueError, match="planted"):
        sm.tl.lmi_matrix(cells, **HOW, model=quick_lmi(n_permutations=0))
    assert "lmi_matrix" not in cells.uns


def test_too_few_shared(cells, quick_lmi):
    cells.obs.loc[cells.obs["day"] == "4", "clone"] = np.nan
    sm.tl.lmi_matrix(cells, **HOW, model=quick_lmi(n_permutations=19))
    table = sm.get.lmi_matrix(cells).set_index(["group_a", "group_b"])
    assert (
        table["mi"].isna().tolist()
        == table["mi_ksg"].isna().tolist()
        == table["q"].isna().tolist()
        == [True, False, True]
    )
    assert "no barcoded cell" in table.loc[("2", "4"), "note"]
    assert table.loc[("2", "6"), "q"] == table.loc[("2", "6"), "p"]
    assert table["n_pairs"].tolist()[::2] == [0, 0]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"groupby": "time"}, KeyError, "Did not find `groupby='time'`"),
        ({"groups": ["2"]}, ValueError, r"two or more different groups of `.obs\['day'\]`"),
        ({"groups": ["2", "2"]}, ValueError, "two or more different groups"),
        ({"groups": ["2", 6]}, ValueError, r"which has \['2', '4', '6'\]; got \['2', 6\]"),
        ({"pair_key": "barcode"}, KeyError, "barcode"),
        ({"model": sm.LMI(n_permutations=-1)}, ValueError, "`n_permutations` must be at least 0"),
        ({"model": {"k": 5}}, TypeError, "`model` must be an LMI"),
    ],
)
def test_mistakes(cells, options, error, match):
    with pytest.raises(error, match=match):
        sm.tl.lmi_matrix(cells, **(HOW | options))
    assert "lmi_matrix" not in cells.uns


def test_nothing_to_estimate(cells):
    cells.obs["clone"] = [f"own {i}" for i in range(cells.n_obs)]
    with pytest.raises(ValueError, match="No two groups .* can be estimated. The first two: No barcode is shared"):
        sm.tl.lmi_matrix(cells, **HOW)
    with pytest.raises(ValueError, match="is a view"):
        sm.tl.lmi_matrix(cells[:50], **HOW)


def test_nothing_stored(cells):
    with pytest.raises(KeyError, match="Run `sm.tl.lmi_matrix` first"):
        sm.get.lmi_matrix(cells)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*exact copies:UserWarning")
def test_equal_depth(quick_lmi):
    """Day 2 a hundredth as deep as the others: at its depth these say less, and the table and a warning tell it."""
    adata = sm.datasets.lineage(800, n_genes=400, rng=0)
    day2 = (adata.obs["day"] == "2").to_numpy()
    adata.X[day2] = Counts.of(adata.X[day2], None, "X").thinned(0.01, np.random.default_rng(0)).used
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata, n_top_genes=100)
    with pytest.warns(
        UserWarning, match=r"different depths \(\d+ in '2', [\d,]+ in '4' and [\d,]+ in '6' UMIs per cell\)"
    ):
        sm.tl.lmi_matrix(adata, **HOW, counts_layer="counts", model=quick_lmi(n_permutations=0))
    table = sm.get.lmi_matrix(adata)
    depth = {day: adata.layers["counts"][(adata.obs["day"] == day).to_numpy()].sum(axis=1).mean() for day in "246"}
    np.testing.assert_allclose(table["depth_a"], [depth["2"], depth["2"], depth["4"]])
    np.testing.assert_allclose(table["depth_b"], [depth["4"], depth["6"], depth["6"]])
    assert table["mi_equal_depth"].iloc[2] < table["mi_ksg"].iloc[2] - 0.1
    sm.tl.lmi_matrix(adata, **HOW, model=quick_lmi(n_permutations=0), key_added="plain")
    pd.testing.assert_series_equal(sm.get.lmi_matrix(adata, key="plain")["mi"], table["mi"])


def test_equal_depth_without_counts(cells, quick_lmi):
    cells.layers["counts"] = cells.X.copy()
    with pytest.raises(ValueError, match=r"`adata.layers\['counts'\]` must hold counts"):
        sm.tl.lmi_matrix(cells, **HOW, counts_layer="counts", model=quick_lmi())
    with pytest.raises(KeyError, match="Did not find `counts_layer='raw'`"):
        sm.tl.lmi_matrix(cells, **HOW, counts_layer="raw", model=quick_lmi())
