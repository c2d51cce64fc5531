"""Labels on both sides: slots of both objects, what is paired, what is refused, and real T cells."""

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import TooFew, shared_label_information
from tests.conftest import DATA

HOW = {"label_key": "cluster", "pair_key": "clone", "model": sm.LMI(n_permutations=99)}
KEYS = {"mi", "se", "ci", "p", "null", "entropy", "share", "mi_plugin", "n_barcodes", "n_cells", "side", "table"}
KEYS |= {"confusion", "params"}


def tissue(name, seed, n=240, n_clones=60):
    """Cells of clones, which keep to one of three clusters; one in five keeps to none, and one in six has no clone."""
    rng = np.random.default_rng(seed)
    clone = rng.integers(0, n_clones, n)
    cluster = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), clone % 3)
    obs = pd.DataFrame(
        {
            "clone": np.where(rng.random(n) < 1 / 6, "NA", [f"c{i}" for i in clone]),
            "cluster": pd.Categorical.from_codes(cluster, ["naive", "memory", "effector"]),
            "donor": [f"d{i % 4}" for i in clone],
            "pt": rng.uniform(size=n),
        },
        index=[f"{name}{i}" for i in range(n)],
    )
    return ad.AnnData(rng.normal(size=(n, 4)), obs=obs, obsm={"spring": rng.normal(size=(n, 2))})


@pytest.fixture
def blood():
    return tissue("blood", 0)


@pytest.fixture
def tumour():
    return tissue("tumour", 1)


def test_slots(blood, tumour, tmp_path):
    assert sm.tl.label_information(blood, tumour, **HOW) is None
    a, b = blood.uns["label_mi"], tumour.uns["label_mi"]
    assert set(a) == set(b) == KEYS
    assert (a["side"], b["side"]) == ("a", "b")
    for name in ("mi", "se", "ci", "p", "entropy", "share", "mi_plugin", "n_barcodes"):
        assert a[name] == b[name]
    assert a["n_cells"] == blood.obs["label_mi_pmi"].notna().sum()
    assert a["table"]["label"].tolist() == ["naive", "memory", "effector"]
    pd.testing.assert_frame_equal(a["confusion"], b["confusion"].T)
    assert a["params"] == {
        "label_key": "cluster",
        "pair_key": "clone",
        "weights": "barcodes",
        "n_permutations": 99,
        "rng": 0,
        "version": sm.__version__,
    }
    for side in (blood, tumour):
        side.write_h5ad(tmp_path / "side.h5ad")
        again = ad.read_h5ad(tmp_path / "side.h5ad")
        for table in ("table", "confusion"):
            pd.testing.assert_frame_equal(again.uns["label_mi"][table], side.uns["label_mi"][table])


def test_both_populations_in_one_object(blood, tumour, tmp_path):
    """The same numbers, in the order of the groups; cells of other groups have none."""
    other = tissue("lymph", 2, n=30)
    both = ad.concat({"tumour": tumour, "lymph": other, "blood": blood}, label="tissue")
    within = {"groupby": "tissue", "groups": ("blood", "tumour"), "strata": "donor"}
    sm.tl.label_information(blood, tumour, **HOW, strata="donor")
    assert sm.tl.label_information(both, **HOW, **within) is None
    a, b, one = blood.uns["label_mi"], tumour.uns["label_mi"], both.uns["label_mi"]
    for name in ("mi", "se", "p", "entropy", "mi_plugin", "mi_pooled", "n_barcodes"):
        assert one[name] == a[name]
    for table, expected in (("table", a["table"]), ("table_b", b["table"]), ("confusion", a["confusion"])):
        pd.testing.assert_frame_equal(one[table], expected)
    pmi = both.obs["label_mi_pmi"]
    for side in (blood, tumour):
        np.testing.assert_array_equal(pmi[side.obs_names], side.obs["label_mi_pmi"])
    assert pmi[other.obs_names].isna().all()
    assert one["params"]["groupby"] == "tissue" and one["params"]["groups"] == ["blood", "tumour"]
    both.write_h5ad(tmp_path / "both.h5ad")
    assert sm.pl.label_information(both).get_ylabel() == "cluster"
    assert [text.get_text() for text in sm.pl.estimates(both).get_xticklabels()] == ["cluster"]
    copied = sm.tl.label_information(both, "cluster", **HOW | {"label_key": None}, **within, copy=True)
    assert copied is not both and copied.uns["label_mi"]["mi"] == one["mi"]


def test_groups_of_one_object_that_are_refused(blood):
    for options, match in (
        ({"groupby": "donor"}, r"`groups` is missing: name the two to compare, of \['d0', 'd1', 'd2', 'd3'\]"),
        ({"groups": ("d0", "d1")}, "`groupby` is missing"),
        ({"groupby": "donor", "groups": ("d0", "d9")}, "`groups` names 'd9'"),
        ({"groupby": "donor", "groups": ("d0", "d1"), "groups_key": "clone"}, "`groups_key` has no meaning"),
    ):
        with pytest.raises(ValueError, match=match):
            sm.tl.label_information(blood, **HOW, **options)
    with pytest.raises(ValueError, match="`pair_key` pairs cells of two populations: pass `adata_b`, or `groupby` and"):
        sm.tl.label_information(blood, **HOW)
    with pytest.raises(ValueError, match="`groupby` and `groups` split one AnnData in two"):
        sm.tl.label_information(blood, blood.copy(), **HOW, groupby="donor", groups=("d0", "d1"))


def test_it_is_the_estimate_of_arrays(blood, tumour):
    sm.tl.label_information(blood, tumour, **HOW, strata="donor")
    of = [side.obs["clone"].to_numpy(dtype=object) for side in (blood, tumour)]
    expected = shared_label_information(
        blood.obs["cluster"], tumour.obs["cluster"], *of, strata=blood.obs["donor"], n_permutations=99
    )
    found = blood.uns["label_mi"]
    assert found["mi_plugin"] == pytest.approx(expected.mi_plugin)
    assert found["entropy"] == pytest.approx(expected.entropy)
    np.testing.assert_allclose(blood.obs["label_mi_pmi"], expected.pmi_a)
    np.testing.assert_allclose(tumour.obs["label_mi_pmi"], expected.pmi_b)
    assert found["p"] == 0.01 and set(found) == KEYS | {"mi_pooled", "strata"}
    assert found["strata"]["stratum"].tolist() == ["d0", "d1", "d2", "d3"]
    assert found["strata"]["n_barcodes"].sum() == found["n_barcodes"]
    assert found["params"]["strata"] == "donor"


def test_cells_that_are_left_out(blood, tumour):
    """Without a barcode, without a label (of whatever spelling), or with a barcode that the other side lacks."""
    blood.obs["cluster"] = blood.obs["cluster"].astype(object)
    blood.obs.loc[blood.obs_names[:3], "cluster"] = ["nan", None, ""]
    tumour.obs["clone"] = tumour.obs["clone"].replace("c1", "NA")
    sm.tl.label_information(blood, tumour, **HOW)
    out = np.arange(240) < 3
    out |= ~blood.obs["clone"].isin(set(tumour.obs["clone"]) - {"NA"}).to_numpy()
    np.testing.assert_array_equal(blood.obs["label_mi_pmi"].isna(), out)
    assert blood.uns["label_mi"]["n_cells"] == (~out).sum()
    assert blood.uns["label_mi"]["table"]["label"].tolist() == ["effector", "memory", "naive"]


@pytest.mark.parametrize("as_they_are", ["matrix", "pair of names", "nullable"])
def test_other_forms_of_the_same(blood, tumour, as_they_are):
    how = dict(HOW)
    sm.tl.label_information(blood, tumour, **how, key_added="expected")
    if as_they_are == "matrix":
        for side in (blood, tumour):
            side.obsm["clones"] = pd.get_dummies(side.obs["clone"].replace("NA", np.nan)).astype(int)
        how["pair_key"] = "clones"
    elif as_they_are == "pair of names":
        tumour.obs = tumour.obs.rename(columns={"cluster": "type", "clone": "clonotype"})
        how |= {"label_key": ("cluster", "type"), "pair_key": ("clone", "clonotype")}
    else:
        blood.obs = blood.obs.astype({"cluster": "string", "clone": "string", "donor": "category"})
        how["strata"] = "donor"
        sm.tl.label_information(blood, tumour, **HOW, strata="donor", key_added="expected")
        tumour.obs["donor"] = tumour.obs["donor"].astype("string")
    sm.tl.label_information(blood, tumour, **how)
    assert blood.uns["label_mi"]["mi_plugin"] == pytest.approx(blood.uns["expected"]["mi_plugin"])
    np.testing.assert_allclose(blood.obs["label_mi_pmi"], blood.obs["expected_pmi"])
    if as_they_are == "pair of names":
        assert blood.uns["label_mi"]["params"]["label_key"] == ["cluster", "type"]
        assert sm.pl.label_information(tumour).get_ylabel() == "type"


def test_two_labels_of_each_cell(blood):
    """Paired by name: clusters of RNA against those of protein, of which every cell is a barcode of its own."""
    protein = blood.copy()
    protein.obs["cluster"] = blood.obs["cluster"].cat.rename_categories({"naive": "CD45RA"})
    sm.tl.label_information(blood, protein, label_key="cluster", model=sm.LMI(n_permutations=99))
    found = blood.uns["label_mi"]
    assert found["mi"] == pytest.approx(found["entropy"]) and found["share"] == pytest.approx(1)
    assert found["n_barcodes"] == found["n_cells"] == 240


def test_weights(blood, tumour):
    for weights in ("barcodes", "couples"):
        sm.tl.label_information(blood, tumour, **HOW, weights=weights, key_added=weights)
    assert blood.uns["couples"]["mi_plugin"] != blood.uns["barcodes"]["mi_plugin"]
    assert blood.uns["couples"]["params"]["weights"] == "couples"


def test_copies(blood, tumour):
    before = blood.copy(), tumour.copy()
    a, b = sm.tl.label_information(blood, tumour, **HOW, copy=True)
    for side, copy, earlier in ((blood, a, before[0]), (tumour, b, before[1])):
        assert "label_mi" in copy.uns and "label_mi" not in side.uns
        pd.testing.assert_frame_equal(side.obs, earlier.obs)


def test_backed_by_a_file(blood, tumour, tmp_path):
    """Results go into the object in memory."""
    blood.write_h5ad(tmp_path / "blood.h5ad")
    backed = ad.read_h5ad(tmp_path / "blood.h5ad", backed="r")
    with pytest.raises(ValueError, match="`adata_a` is backed by a file"):
        sm.tl.label_information(backed, tumour, **HOW, copy=True)
    sm.tl.label_information(blood, tumour, **HOW)
    expected = tumour.uns["label_mi"]["mi_plugin"]
    sm.tl.label_information(backed, tumour, **HOW)
    assert backed.uns["label_mi"]["mi_plugin"] == pytest.approx(expected)
    backed.file.close()


@pytest.mark.slow
def test_nothing_of_the_other_form_is_left(experiment):
    """What one object's estimate wrote under the same key would be drawn beside the new."""
    day2, day6 = (experiment[experiment.obs["day"] == day].copy() for day in ("2", "6"))
    sm.tl.label_information(day6, "fate", groups_key="clone", model=sm.LMI(n_permutations=0))
    sm.tl.pmi_trend(day6, "pseudotime", key="label_mi", pair_key="clone", window=30, n_resamples=5)
    sm.tl.label_information(
        day6, label_key="fate", groups_key="clone", model=sm.LMI(n_permutations=0), key_added="other"
    )
    sm.tl.label_information(day2, day6, label_key="fate", pair_key="clone")
    assert [name for name in day6.obs if name.startswith("label_mi")] == ["label_mi_pmi"]
    assert "X_label_mi" not in day6.obsm and "X_other" in day6.obsm
    assert not [name for name in day6.var if name.startswith("label_mi")]
    assert "label_mi_trend" not in day6.uns and "mi_ksg" not in day6.uns["label_mi"]
    # And back.
    sm.tl.label_information(day6, "fate", groups_key="clone", model=sm.LMI(n_permutations=0))
    assert "side" not in day6.uns["label_mi"] and "X_label_mi" in day6.obsm


def test_trend_embedding_and_picture(blood, tumour):
    sm.tl.label_information(blood, tumour, **HOW, strata="donor")
    sm.tl.pmi_trend(blood, "pt", key="label_mi", window=30, n_resamples=20)
    found = blood.uns["label_mi_trend"]
    assert len(found["cells"]) == blood.uns["label_mi"]["n_cells"]
    assert found["onset"]["n_clones"].iloc[0] == blood.uns["label_mi"]["n_barcodes"]
    with pytest.raises(KeyError, match="Pass `smooth=1`"):
        sm.pl.pmi_embedding(blood, basis="spring", key="label_mi")
    sm.pl.pmi_embedding(blood, basis="spring", key="label_mi", smooth=1)
    plt.close("all")
    ax = sm.pl.label_information(tumour)
    assert ax.get_ylabel() == "cluster"
    assert "the other population's label" in ax.get_legend().get_texts()[1].get_text()
    widths = [bar.get_width() for bar in ax.containers[1]]
    np.testing.assert_allclose(widths, tumour.uns["label_mi"]["table"]["pmi"].sort_values())


def with_donors(side, **donors):
    side.obs.loc[list(donors), "donor"] = list(donors.values())
    return side


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"groups_key": "clone"}, ValueError, "`groups_key` has no meaning for labels on both sides"),
        ({"condition_on": "donor"}, ValueError, "`condition_on` has no meaning"),
        ({"layer": "counts"}, ValueError, "`layer` has no meaning"),
        ({"use_rep": "spring"}, ValueError, "`use_rep` has no meaning"),
        ({"mask_var": None}, ValueError, "`mask_var` has no meaning"),
        ({"weights": "cells"}, ValueError, "weights='cells' is not known"),
        ({"label_key": None}, TypeError, "`label_key` is missing"),
        ({"label_key": ("cluster", "type", "kind")}, TypeError, "`label_key` must be a name, a pair of names"),
        ({"label_key": ("cluster", "clstr")}, KeyError, "`label_key='clstr'` in `adata_b.obs`.*Did you mean 'cluster'"),
        ({"label_key": "pt"}, TypeError, "numbers that are not whole"),
        ({"pair_key": "clne"}, KeyError, "Did not find 'clne' in `adata_a.obs`"),
        ({"strata": "dnr"}, KeyError, "`strata='dnr'` in `adata_a.obs`.*Did you mean 'donor'"),
        ({"strata": "pt"}, ValueError, r"have cells in several strata of `.obs\['pt'\]`.*such as 'c\d+' in \["),
        ({"key_added": "a/b"}, ValueError, "`key_added` must be a name"),
        ({"model": 3}, TypeError, "`model` must be an LMI"),
    ],
)
def test_what_is_refused(blood, tumour, options, error, match):
    before = blood.copy()
    with pytest.raises(error, match=match):
        sm.tl.label_information(blood, tumour, **HOW | options)
    pd.testing.assert_frame_equal(blood.obs, before.obs)
    assert not blood.uns and not tumour.uns


def test_objects_that_are_refused(blood, tumour):
    with pytest.raises(ValueError, match="are the same object"):
        sm.tl.label_information(blood, blood, **HOW)
    with pytest.raises(ValueError, match="hold the same cells.*`pair_key=None`"):
        sm.tl.label_information(blood, blood.copy(), **HOW)
    with pytest.raises(ValueError, match="`adata_b` is a view"):
        sm.tl.label_information(blood, tumour[:200], **HOW)
    with pytest.raises(TypeError, match="`adata_b` must be an AnnData"):
        sm.tl.label_information(blood, tumour.obs, **HOW)
    with pytest.raises(ValueError, match="`adata_b` is empty"):
        sm.tl.label_information(blood, tumour[:0].copy(), **HOW)
    tumour.obs["cluster"] = None
    with pytest.raises(ValueError, match="No cell of `adata_b` has a label in 'cluster'"):
        sm.tl.label_information(blood, tumour, **HOW)


def test_barcodes_that_are_refused(blood, tumour):
    few = tumour[tumour.obs["clone"].isin([f"c{i}" for i in range(16)])].copy()
    with pytest.raises(TooFew, match="Only 15 independent barcodes"):
        sm.tl.label_information(blood, few, **HOW)
    tumour.obs.loc[tumour.obs["clone"] == "c5", "donor"] = None
    with pytest.raises(ValueError, match=r"`.obs\['donor'\]`, given as `strata`, is missing in \d cells"):
        sm.tl.label_information(blood, tumour, **HOW, strata="donor")
    del tumour.obs["donor"]
    with pytest.raises(KeyError, match="`strata='donor'` in `adata_b.obs`"):
        sm.tl.label_information(blood, tumour, **HOW, strata="donor")


@pytest.mark.parametrize(
    ("args", "options", "error", "match"),
    [
        (("cluster",), {"pair_key": "clone"}, ValueError, "`pair_key` pairs cells of two populations: pass `adata_b`"),
        (("cluster",), {"weights": "couples"}, ValueError, "`weights` pairs cells"),
        (("cluster",), {"na_values": "x"}, ValueError, "`na_values` pairs cells"),
        (("cluster",), {"label_key": "cluster"}, TypeError, "`label_key` is given twice"),
        ((), {}, TypeError, "`label_key` must be the name of the labels"),
        ((), {"label_key": ("cluster", "clone")}, TypeError, "a pair of names needs `adata_b`"),
    ],
)
def test_what_one_object_refuses(blood, args, options, error, match):
    with pytest.raises(error, match=match):
        sm.tl.label_information(blood, *args, **options)


def test_t_cells():
    """Zhang et al. (2018): a clonotype's clusters in blood and tumour, per donor and over donors."""
    path = DATA / "tcr" / "tcells_clonotype_cluster_tissue.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    cells = pd.read_csv(path, index_col="cell")
    blood, tumour = (ad.AnnData(obs=cells[cells["tissue"] == name].copy()) for name in ("blood", "tumour"))
    sm.tl.label_information(blood, tumour, label_key="cluster", pair_key="clonotype", strata="donor")
    found = blood.uns["label_mi"]
    assert found["n_barcodes"] == 104 and found["p"] == 0.001
    assert 0.5 < found["mi"] < found["entropy"]
    assert len(found["strata"]) == 12
