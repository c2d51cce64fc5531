"""RNA against surface protein of the same cells: as two AnnData or the modalities of a MuData, whatever their order.

Then on real CITE-seq of 320 T cells, with clonotypes as barcodes.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.settings import Settings
from tests.conftest import DATA

LINEAR = sm.LMI(preset=Settings(hidden=(8,), max_steps=5), n_splits=1)


@pytest.fixture
def mdata():
    """Two modalities of 200 cells that share a variable; each lacks some of the other's cells, in another order."""
    mudata = pytest.importorskip("mudata")
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 1))
    names = pd.Index([f"cell{i}" for i in range(200)])
    sides = {}
    for name, n_features, cells in (("rna", 8, np.arange(180)), ("adt", 3, rng.permutation(np.arange(20, 200)))):
        values = shared + 0.6 * rng.normal(size=(200, n_features))
        sides[name] = ad.AnnData(values[cells].astype(np.float32), obs=pd.DataFrame(index=names[cells]))
        sides[name].var_names = [f"{name}{i}" for i in range(n_features)]
    return mudata.MuData(sides)


def test_modalities_of_a_mudata(mdata):
    sm.tl.lmi(mdata["rna"], mdata["adt"], model=LINEAR)
    rna, adt = mdata["rna"].obs, mdata["adt"].obs
    assert mdata["rna"].uns["lmi"]["n_pairs"] == 160
    # 1.4 bits; pairs that were not those of one cell would share none.
    assert mdata["rna"].uns["lmi"]["mi"] > 0.8
    assert set(rna.index[rna["lmi_n"] > 0]) == {f"cell{i}" for i in range(20, 180)}
    both = rna.index[rna["lmi_n"] > 0]
    np.testing.assert_array_equal(rna.loc[both, "lmi_pmi"], adt.loc[both, "lmi_pmi"])
    mdata.pull_obs()
    np.testing.assert_array_equal(mdata.obs.loc[both, "rna:lmi_pmi"].astype(float), rna.loc[both, "lmi_pmi"])


def test_a_whole_mudata_is_no_population(mdata):
    with pytest.raises(TypeError, match=r"must be an AnnData, got MuData. Pass its modalities, as in `mdata\['rna'\]`"):
        sm.tl.lmi(mdata, pair_key="clone", groupby="modality", groups=("rna", "adt"))
    with pytest.raises(ValueError, match="is a view"):
        sm.tl.lmi(mdata[:30]["rna"], mdata["adt"])


@pytest.fixture(scope="module")
def _modalities():
    path = DATA / "cite_tcr" / "trex_example_320.h5ad"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    rna = ad.read_h5ad(path)
    adt = ad.AnnData(rna.obsm["ADT"], obs=rna.obs)
    sm.pp.recipe_lmi(rna)
    sm.pp.recipe_lmi(adt)
    return rna, adt


@pytest.fixture
def modalities(_modalities):
    return tuple(modality.copy() for modality in _modalities)


def test_counts_to_bits_in_five_lines(_modalities):
    path = DATA / "cite_tcr" / "trex_example_320.h5ad"
    rna = ad.read_h5ad(path)
    adt = ad.AnnData(rna.obsm["ADT"])
    sm.pp.recipe_lmi(rna)
    sm.pp.recipe_lmi(adt)
    sm.tl.lmi(rna, adt, model=LINEAR)
    assert rna.uns["lmi"]["n_pairs"] == 320
    assert rna.uns["lmi"]["mi"] > 0.1
    assert rna.obs["lmi_pmi"].notna().all()
    np.testing.assert_array_equal(rna.obs["lmi_pmi"], adt.obs["lmi_pmi"])


def test_cells_are_paired_by_name_whatever_their_order(modalities):
    rna, adt = modalities
    sm.tl.lmi(rna, adt, model=LINEAR)
    turned = adt[::-1].copy()
    sm.tl.lmi(rna, turned, model=LINEAR, key_added="turned")
    assert rna.uns["turned"]["n_pairs"] == 320
    np.testing.assert_allclose(rna.obs["turned_pmi"], rna.obs["lmi_pmi"])
    np.testing.assert_allclose(turned.obs["turned_pmi"][::-1], adt.obs["lmi_pmi"])


def test_a_stranger_s_protein_tells_nothing(modalities):
    rna, adt = modalities
    adt.X = adt.X[np.random.default_rng(0).permutation(320)]
    sm.tl.lmi(rna, adt, model=LINEAR)
    assert rna.uns["lmi"]["mi"] == pytest.approx(0, abs=0.15)


def test_clonotypes_pair_cells_and_missing_ones_do_not(modalities):
    rna, adt = modalities
    missing = rna.obs["CTaa"].isna()
    assert 0 < missing.sum() < 320
    # One clone, real and expanded, is worth the warning that it gets.
    with pytest.warns(UserWarning, match="covers 30% of the 258 barcoded cells"):
        sm.tl.lmi(rna, adt, pair_key="CTaa", model=LINEAR, same_cells=False)
    assert rna.uns["lmi"]["n_pairs"] == rna.obs["CTaa"].nunique()
    assert rna.obs.loc[missing, "lmi_pmi"].isna().all()
    assert (rna.obs.loc[missing, "lmi_n"] == 0).all()
    assert (rna.obs.loc[~missing, "lmi_n"] > 0).any()


@pytest.mark.filterwarnings("ignore:.*covers 30% of the 258 barcoded cells:UserWarning")
def test_most_clonotypes_are_of_one_cell_and_that_is_not_paired_with_itself(modalities):
    rna, adt = modalities
    cells = rna.obs["CTaa"].value_counts()
    several = int((cells > 1).sum())
    with (
        pytest.warns(UserWarning, match=f"{len(cells) - several} barcodes with no other cell are left out"),
        pytest.raises(ValueError, match=f"Only {several} pairs to estimate from"),
    ):
        sm.tl.lmi(rna, adt, pair_key="CTaa", model=LINEAR)
