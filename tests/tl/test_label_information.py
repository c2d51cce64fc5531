"""Labels of cells: slots, groups, what is left out, and what others make of them."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import label_information

HOW = {"groups_key": "clone", "model": sm.LMI(n_permutations=19)}
OBS = ["label_mi_pmi", "label_mi_pmi_local", "label_mi_pmi_local_se"]


@pytest.fixture(scope="module")
def _late(_experiment):
    adata = _experiment[_experiment.obs["day"] == "6"].copy()
    sm.tl.label_information(adata, "fate", **HOW)
    return adata


@pytest.fixture
def late(_late):
    return _late.copy()


def test_slots(late, tmp_path):
    stored, used = late.uns["label_mi"], late.var["highly_variable"]
    plain = {"mi", "se", "ci", "p", "null", "entropy", "share", "mi_ksg", "n_cells", "n_groups"}
    assert set(stored) == plain | {"table", "confusion", "params"}
    assert stored["n_cells"] == late.n_obs == late.obs["label_mi_pmi"].notna().sum()
    assert stored["mi"] == pytest.approx(late.obs["label_mi_pmi"].mean())
    assert late.obsm["X_label_mi"].shape == (late.n_obs, len(stored["table"]))
    assert late.obsm["X_label_mi"].dtype == np.float32
    own = stored["table"]["label"].tolist().index(late.obs["fate"].iloc[0])
    assert late.obsm["X_label_mi"][0, own] == pytest.approx(late.obs["label_mi_pmi"].iloc[0], rel=1e-5)
    for end in ("", "_null", "_p", "_q"):
        assert late.var.loc[used, f"label_mi_r2{end}"].notna().all()
        assert late.var.loc[~used, f"label_mi_r2{end}"].isna().all()
    assert stored["params"]["groups_key"] == "clone" and stored["params"]["rng"] == 0
    late.write_h5ad(tmp_path / "late.h5ad")
    again = ad.read_h5ad(tmp_path / "late.h5ad")
    pd.testing.assert_frame_equal(again.uns["label_mi"]["table"], stored["table"])
    np.testing.assert_array_equal(again.uns["label_mi"]["null"], stored["null"])


@pytest.mark.slow
def test_it_is_the_estimate_of_arrays(late):
    """Cells without a barcode are groups of their own."""
    clone = late.obs["clone"].cat.codes.to_numpy().astype(int)
    clone = np.where(clone < 0, 10_000 + np.arange(len(clone)), clone)
    found = label_information(
        late.X[:, late.var["highly_variable"].to_numpy()], late.obs["fate"], groups=clone, n_permutations=19, rng=0
    )
    assert found.n_groups == late.uns["label_mi"]["n_groups"]
    assert found.mi == pytest.approx(late.uns["label_mi"]["mi"], abs=0.1)
    assert found.entropy == late.uns["label_mi"]["entropy"]


def test_the_picture_says_what_labels_are_told_by(late):
    def told(adata):
        return sm.pl.label_information(adata).get_legend().get_texts()[1].get_text()

    assert told(late) == "told by expression (90 % interval)"
    late.uns["label_mi"]["params"]["use_rep"] = "X_spring"
    assert told(late) == "told by X_spring (90 % interval)"


def test_a_trend_keeps_groups_together(late):
    """Those that were predicted as a whole are not taken apart again."""
    sm.tl.pmi_trend(late, "pseudotime", key="label_mi", window=30, n_resamples=20)
    sm.tl.pmi_trend(late, "pseudotime", key="label_mi", window=30, n_resamples=20, pair_key="clone", key_added="named")
    pd.testing.assert_frame_equal(late.uns["label_mi_trend"]["onset"], late.uns["named"]["onset"])
    clones = late.obs["clone"].nunique() + late.obs["clone"].isna().sum()
    assert late.uns["label_mi_trend"]["onset"]["n_clones"].iloc[0] == clones


def test_the_fate_of_a_late_cell_is_written_in_it(late):
    assert late.uns["label_mi"]["share"] > 0.3
    assert late.uns["label_mi"]["p"] == 0.05


@pytest.mark.slow
def test_clone_mates_are_kept_together(late):
    """The same with a matrix of barcodes."""
    matrix = late.copy()
    matrix.obsm["clones"] = pd.get_dummies(matrix.obs["clone"]).to_numpy(dtype=int)
    sm.tl.label_information(matrix, "fate", groups_key="clones", model=sm.LMI(n_permutations=0))
    assert matrix.uns["label_mi"]["n_groups"] == late.uns["label_mi"]["n_groups"]


def test_copy_and_key(late):
    before = late.copy()
    other = sm.tl.label_information(late, "fate", model=sm.LMI(n_permutations=0), key_added="other", copy=True)
    assert "other" not in late.uns and "other_pmi" in other.obs
    pd.testing.assert_frame_equal(late.obs, before.obs)
    assert np.isnan(other.uns["other"]["p"]) and len(other.uns["other"]["null"]) == 0


def test_a_representation_leaves_no_stale_genes(late):
    late.obsm["rep"] = np.asarray(
        late[:, late.var["highly_variable"]].X.toarray() if hasattr(late.X, "toarray") else late.X
    )[:, :20]
    sm.tl.label_information(late, "fate", use_rep="rep", model=sm.LMI(n_permutations=0))
    assert not [name for name in late.var if name.startswith("label_mi")]


@pytest.mark.slow
def test_another_run_leaves_nothing_of_the_one_before(late):
    """A trend of old pMI would be drawn beside the new."""
    sm.tl.pmi_trend(late, "pseudotime", key="label_mi", pair_key="clone", window=30, n_resamples=5, key_added="mine")
    quick = {"groups_key": "clone", "model": sm.LMI(n_permutations=0)}
    sm.tl.label_information(late, "fate", **quick, key_added="other")
    assert "mine" in late.uns
    sm.tl.label_information(late, "fate", **quick)
    assert "mine" not in late.uns and "other" in late.uns


def test_error_bars_end_at_what_there_is_to_know(late):
    late.uns["label_mi"]["table"]["se"] = 9.0
    table = late.uns["label_mi"]["table"].sort_values("pmi")
    (bars,) = sm.pl.label_information(late).collections
    ends = np.array([segment[:, 0] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends[:, 1], -np.log2(table["p"]))
    assert (ends[:, 0] < table["pmi"]).all()


def test_clones_that_are_not_kept_together_are_told_of(estimated):
    late = estimated[estimated.obs["day"] == "6"].copy()
    with pytest.warns(UserWarning, match=r"\d+ of \d+ cells share a barcode of `clone`.*Pass `groups_key='clone'`"):
        sm.tl.label_information(late, "fate", model=sm.LMI(n_permutations=0))
    late.uns["lmi"]["params"]["pair_key"] = None  # paired by name
    sm.tl.label_information(late, "fate", model=sm.LMI(n_permutations=0))
    # As it is read from a file where each side had a name of its own; others keep what they like under these words.
    late.uns |= {"lmi": {"params": {"pair_key": np.array(["barcode", "clone"])}}, "other": {"params": np.ones(3)}}
    with pytest.warns(UserWarning, match="share a barcode of `clone`"):
        sm.tl.label_information(late, "fate", model=sm.LMI(n_permutations=0))


@pytest.mark.slow
def test_cells_without_a_label(late):
    late.obs["some"] = late.obs["fate"].astype(object)
    late.obs.loc[late.obs_names[::3], "some"] = None
    sm.tl.label_information(late, "some", model=sm.LMI(n_permutations=0))
    pmi = late.obs["label_mi_pmi"]
    assert pmi[::3].isna().all() and pmi[1::3].notna().all()


def test_trend_embedding_and_picture(late):
    sm.tl.pmi_trend(late, "pseudotime", key="label_mi", pair_key="clone", window=30, n_resamples=20)
    assert list(late.uns["label_mi_trend"]) == ["cells", "onset", "params"]
    sm.pl.pmi_embedding(late, basis="spring", key="label_mi")
    ax = sm.pl.label_information(late)
    assert [text.get_text() for text in ax.get_yticklabels()] == late.uns["label_mi"]["table"].sort_values("pmi")[
        "label"
    ].tolist()


@pytest.mark.slow
def test_from_day_2_to_fate(_experiment):
    adata = _experiment.copy()
    sm.pp.clone_fates(adata, "clone", "fate", time_key="day", early="2", late="6")
    early = adata[adata.obs["day"] == "2"].copy()
    sm.tl.label_information(early, "clone_fates", **HOW)
    stored = early.uns["label_mi"]
    assert stored["n_cells"] == (early.obsm["clone_fates"].sum(axis=1) > 0).sum()
    assert -0.3 < stored["mi"] < stored["entropy"]
