"""Information against depth: slots, questions, what is thinned, and that today's depth gives what the tools give."""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.pp.depth import Counts

HOW = {"pair_key": "clone", "groupby": "day", "groups": ("4", "6"), "counts_layer": "counts"}


@pytest.fixture(scope="module")
def _counted():
    adata = sm.datasets.lineage(300, n_genes=400, rng=0)
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata, n_top_genes=100)
    return adata


@pytest.fixture
def counted(_counted):
    return _counted.copy()


@pytest.fixture(scope="module")
def _scaled(_counted, quick_lmi):
    adata = _counted.copy()
    return adata, sm.tl.depth_scaling(adata, **HOW, n_depths=4, n_repeats=2, model=quick_lmi())


@pytest.mark.slow
def test_slots(_scaled, tmp_path):
    adata, result = _scaled
    stored = adata.uns["depth_scaling"]
    fields = {"depth", "ubar", "ubar_ci", "i_max", "i_max_ci", "r2", "share", "depth_90", "depth_90_ci", "plateau"}
    assert set(stored) == fields | {"predicted", "table", "curve", "params"}
    assert result.i_max == stored["i_max"] and result.depth == stored["depth"]
    assert stored["i_max_ci"][0] <= stored["i_max"] <= stored["i_max_ci"][1]
    table = stored["table"]
    assert list(table.columns) == ["depth", "repeat", "mi", "se"]
    assert table["repeat"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(table["depth"][:4], np.geomspace(0.01, 1, 4) * stored["depth"])
    assert (stored["predicted"]["ci_low"] <= stored["predicted"]["mi"]).all()
    assert result.share == pytest.approx(result.law.information(result.depth) / result.i_max)
    assert stored["params"]["pair_key"] == "clone" and stored["params"]["rng"] == 0
    adata.write_h5ad(tmp_path / "scaled.h5ad")
    again = ad.read_h5ad(tmp_path / "scaled.h5ad")
    pd.testing.assert_frame_equal(again.uns["depth_scaling"]["table"], table)
    sm.pl.depth_scaling(again)


def test_what_the_interval_of_the_plateau_leaves_open_is_not_told(_scaled):
    _, found = _scaled
    for ci, said in (
        ((100.0, 2500.0), "whether that is the plateau can't be told"),
        ((500.0, 2000.0), "about where the plateau begins"),
        ((100.0, 900.0), "on the plateau"),
    ):
        assert said in str(replace(found, depth=1000.0, depth_90=800.0, depth_90_ci=ci, plateau=True))


def test_depth_is_the_mean_of_paired_cells(_scaled):
    adata, result = _scaled
    means = []
    for day, other in (("4", "6"), ("6", "4")):
        shared = adata.obs.loc[adata.obs["day"] == other, "clone"].dropna()
        paired = ((adata.obs["day"] == day) & adata.obs["clone"].isin(shared)).to_numpy()
        means.append(adata.layers["counts"][paired].sum(axis=1).mean())
    assert result.depth == pytest.approx(np.mean(means))


def test_todays_depth_is_what_the_recipe_makes(counted):
    """But for its scaling to unit variance, which the estimator does too, and values that it clips."""
    used = counted.var["highly_variable"].to_numpy()
    logged = Counts.of(counted.layers["counts"], used, "counts").thinned(1.0, np.random.default_rng(0)).logged()
    recipe = counted.X[:, used].toarray() * counted.var.loc[used, "std"].to_numpy()
    clipped = counted.X[:, used].toarray() >= 10
    assert clipped.mean() < 0.01
    np.testing.assert_allclose(logged.toarray()[~clipped], recipe[~clipped], rtol=1e-4, atol=1e-5)


def test_depth_tells(_scaled):
    _, result = _scaled
    by_depth = result.table.groupby("depth")["mi"].mean()
    assert by_depth.iloc[-1] > by_depth.iloc[0] + 0.1
    assert "bits at unlimited depth" in str(result) and "UMIs per cell" in str(result)


@pytest.mark.slow
def test_same_seed_same_numbers(counted, quick_lmi):
    first, second = (
        sm.tl.depth_scaling(counted, **HOW, n_depths=3, n_repeats=1, model=quick_lmi(), rng=3).table for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_one_side_is_thinned(counted, quick_lmi, monkeypatch):
    """The other one stays as `tl.lmi` would use it."""
    shapes = []
    thinned = Counts.thinned
    monkeypatch.setattr(Counts, "thinned", lambda self, *how: shapes.append(self.used.shape) or thinned(self, *how))
    early, late = (counted[counted.obs["day"] == day].copy() for day in ("4", "6"))
    del late.layers["counts"]
    result = sm.tl.depth_scaling(
        early, late, pair_key="clone", counts_layer="counts", thin="a", n_depths=3, n_repeats=1, model=quick_lmi()
    )
    assert shapes == [(early.n_obs, 100)] * 3
    shared = early.obs["clone"].isin(late.obs["clone"].dropna())
    assert result.depth == pytest.approx(early.layers["counts"][shared.to_numpy()].sum(axis=1).mean())
    assert early.uns["depth_scaling"]["i_max"] == late.uns["depth_scaling"]["i_max"]


@pytest.mark.slow
def test_counts_in_x(counted, quick_lmi):
    raw = ad.AnnData(counted.layers["counts"], obs=counted.obs, var=counted.var[["highly_variable"]])
    how = {name: value for name, value in HOW.items() if name != "counts_layer"}
    of_x = sm.tl.depth_scaling(raw, **how, n_depths=3, n_repeats=1, model=quick_lmi())
    of_layer = sm.tl.depth_scaling(counted, **HOW, n_depths=3, n_repeats=1, model=quick_lmi())
    pd.testing.assert_frame_equal(of_x.table, of_layer.table)


@pytest.mark.slow
def test_labels(counted):
    late = counted[counted.obs["day"] == "6"].copy()
    result = sm.tl.depth_scaling(
        late, label_key="fate", groups_key="clone", counts_layer="counts", depths=[50, 300, 2000], n_repeats=1
    )
    assert result.table["mi"].iloc[-1] > result.table["mi"].iloc[0]
    sm.tl.label_information(late, "fate", groups_key="clone", model=sm.LMI(n_permutations=0))
    # Over partitions into parts, .03 bit.
    assert result.table["mi"].iloc[-1] == pytest.approx(late.uns["label_mi"]["mi"], abs=0.15)


@pytest.mark.slow
def test_nothing_shared(counted, quick_lmi):
    """Barcodes of one day permuted: no law is forced on noise."""
    rng = np.random.default_rng(0)
    counted.obs["other"] = counted.obs["clone"].astype(object)
    late = np.flatnonzero(counted.obs["day"] == "6")
    counted.obs.iloc[late, counted.obs.columns.get_loc("other")] = rng.permutation(
        counted.obs["clone"].to_numpy()[late]
    )
    result = sm.tl.depth_scaling(counted, **HOW | {"pair_key": "other"}, n_depths=4, n_repeats=1, model=quick_lmi())
    assert result.table["mi"].abs().max() < 0.25
    assert result.i_max_ci[0] < 0.1
    assert isinstance(str(result), str)


BAD = {
    "no counts": ({"counts_layer": None}, ValueError, r"adata\[day == '4'\].X` must hold counts: whole numbers"),
    "no layer": ({"counts_layer": "raw"}, KeyError, "Did not find `counts_layer='raw'`.*which has"),
    "too deep": ({"depths": [10, 100, 1e6]}, ValueError, "today's is .*: counts can only be thinned"),
    "too few depths": ({"depths": [10, 100, 100]}, ValueError, "three or more different UMIs per cell"),
    "negative depth": ({"depths": [-1, 10, 100]}, ValueError, "all positive"),
    "n_depths": ({"n_depths": 2}, ValueError, "`n_depths` must be at least 3"),
    "n_repeats": ({"n_repeats": 0}, ValueError, "`n_repeats` must be"),
    "thin": ({"thin": "c"}, ValueError, "thin='c' is not known"),
    "layer": ({"layer": "counts"}, ValueError, "`layer` names that of a population that is not thinned"),
    "groups_key": ({"groups_key": "clone"}, ValueError, "goes with `label_key`"),
    "labels and pairs": ({"label_key": "fate"}, ValueError, "leave out `pair_key`, `groupby`, `groups`"),
    "key": ({"key_added": "a/b"}, ValueError, "`key_added` must be a name"),
    "model": ({"model": 3}, TypeError, "`model` must be an LMI"),
    "column": ({"pair_key": "clon"}, KeyError, "clon"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(counted, name):
    how, error, match = BAD[name]
    before = set(counted.uns)
    with pytest.raises(error, match=match):
        sm.tl.depth_scaling(counted, **(HOW | how))
    assert set(counted.uns) == before


def test_bad_objects(counted):
    with pytest.raises(TypeError, match="must be an AnnData"):
        sm.tl.depth_scaling(counted.obs, **HOW)
    with pytest.raises(ValueError, match="is a view"):
        sm.tl.depth_scaling(counted[:300], **HOW)
    with pytest.raises(ValueError, match="no second population to thin"):
        sm.tl.depth_scaling(counted, label_key="fate", thin="b", counts_layer="counts")
    counted.layers["counts"].data[:] = 0.5
    with pytest.raises(ValueError, match="must hold counts"):
        sm.tl.depth_scaling(counted, **HOW)
