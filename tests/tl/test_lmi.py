"""The promises of the main job.

- Two AnnData and one with groups give the same numbers; every cell of a drawn pair gets a value and every other NaN.
- Per cell, `.obs` holds the mean over its pairings; weighted by their number it gives the mutual information of `.uns`.
- Same seed, same numbers; the global random states are neither read nor written; inputs are left as they were.
- Dense, sparse, Fortran, read-only, integer and boolean data all serve, and the same values give the same numbers.
- Barcodes that share cells never part across folds.
- Results survive h5ad and zarr; a second run leaves nothing stale; an interrupted one leaves nothing at all.
- Mistakes are named with their slot and the way out, before any training, and nothing is written.
- Shuffled barcodes give next to no information, real ones give some; real cells run at the defaults.
"""

import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
import torch

import scmi as sm
from scmi.estimators import lmi as estimator
from scmi.estimators.settings import PRESETS, Settings
from scmi.pp.pairs import match_clones
from scmi.tl._stored import _per_cell

SLOTS = ("lmi_pmi", "lmi_pmi_sd", "lmi_pmi_local", "lmi_pmi_local_se", "lmi_n")


@pytest.fixture
def one(quick_lmi):
    """How to run on `experiment`."""
    return {"pair_key": "clone", "groupby": "day", "groups": ("2", "6"), "model": quick_lmi()}


@pytest.fixture
def two(quick_lmi):
    """How to run on `days`."""
    return {"pair_key": "clone", "model": quick_lmi()}


@pytest.fixture
def no_training(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr("scmi.estimators.crossfit.fit_fold", train)


def same_uns(a, b):
    assert set(a) == set(b)
    for name, value in a.items():
        if isinstance(value, dict):
            same_uns(value, b[name])
        elif isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, b[name])
        else:
            np.testing.assert_array_equal(value, b[name], name)


def same_result(a, b, key="lmi"):
    for column in SLOTS:
        column = column.replace("lmi", key, 1)
        np.testing.assert_array_equal(a.obs[column], b.obs[column])
        assert a.obs[column].dtype == b.obs[column].dtype
    np.testing.assert_array_equal(a.obsm[f"X_{key}"], b.obsm[f"X_{key}"])
    same_uns(a.uns[key], b.uns[key])


def contents(adata):
    """All that a tool might change, as something to compare."""
    matrices = {"X": adata.X, **{f"layers/{k}": v for k, v in adata.layers.items()}}
    matrices |= {f"obsm/{k}": v for k, v in adata.obsm.items()}
    stored = {k: m.data.tobytes() if sp.issparse(m) else np.asarray(m).tobytes() for k, m in matrices.items()}
    return stored, adata.obs.to_csv(), adata.var.to_csv(), sorted(adata.uns)


def shared_cells(adata):
    """Cells of days 2 and 6 whose barcode is seen on both."""
    clones = adata.obs["clone"].astype(object)
    day = adata.obs["day"]
    both = set(clones[day == "2"].dropna()) & set(clones[day == "6"].dropna())
    return clones.isin(both).to_numpy()


# What is written


def test_slots(experiment, one):
    assert sm.tl.lmi(experiment, **one) is None
    obs, stored = experiment.obs, experiment.uns["lmi"]
    assert [str(obs[column].dtype) for column in SLOTS] == ["float64"] * 4 + ["int64"]
    assert experiment.obsm["X_lmi"].shape == (experiment.n_obs, stored["params"]["n_latent"][0])
    assert experiment.obsm["X_lmi"].dtype == np.float32
    errors = {"se", "se_parts", "ci", "p", "null", "missing", "drift", "settled", "learning"}
    plain = {"params", "mi", "mi_ksg", "correction", "n_pairs", "mi_by_pairing", "mi_by_split", "history", "pairs"}
    assert set(stored) == plain | errors
    assert stored["n_pairs"] == len(set(experiment.obs["clone"][shared_cells(experiment)]))
    assert stored["mi_by_pairing"].shape == (20,)
    assert stored["params"]["groups"] == ["2", "6"]
    assert stored["params"]["pair_key"] == "clone"
    assert (stored["params"]["rng"], stored["params"]["device"], stored["params"]["version"]) == (
        0,
        "cpu",
        sm.__version__,
    )
    assert obs["lmi_n"].max() == 20


def test_error_and_significance(experiment, one, quick_lmi, tmp_path):
    model = quick_lmi(n_permutations=19)
    sm.tl.lmi(experiment, **one | {"model": model})
    stored, result = experiment.uns["lmi"], model.result_
    assert set(stored["se_parts"]) == {"sampling", "pairing"}
    assert stored["se"] == pytest.approx(np.hypot(*stored["se_parts"].values()))
    by_pairing = stored["mi_by_pairing"]
    assert stored["se_parts"]["pairing"] == pytest.approx(by_pairing.std(ddof=1) / np.sqrt(20))
    assert (stored["mi"], stored["mi_ksg"], stored["ci"]) == (result.mi, result.mi_ksg, list(result.ci))
    assert np.mean(stored["ci"]) == pytest.approx(stored["mi"])
    assert stored["p"] == (1 + np.sum(result.null >= result.mi_by_pairing[0] - 1e-9)) / 20
    experiment.write_h5ad(tmp_path / "cells.h5ad")
    same_uns(ad.read_h5ad(tmp_path / "cells.h5ad").uns["lmi"], stored)


def test_drift_is_stored(experiment, one, quick_lmi):
    model = quick_lmi(n_permutations=0)
    sm.tl.lmi(experiment, **one | {"model": model})
    result = model.result_
    stored = experiment.uns["lmi"]["drift"]
    pd.testing.assert_frame_equal(stored.reset_index(drop=True), result.drift)
    whole = stored[stored["n_subsets"] == 1].set_index("k")["mean"]
    # All pairs, with the neighbour of the estimate, are the estimate itself: that of the first pairing.
    assert whole[3] == pytest.approx(result.mi_by_pairing[0], abs=1e-6)
    assert stored["n_pairs"].max() == result.n_pairs
    assert experiment.uns["lmi"]["settled"] is result.settled


@pytest.mark.slow
def test_training_anew(experiment, one, quick_lmi, tmp_path):
    """Whole barcodes change partners; the rest of the result is that of the plain run."""
    plain, anew = quick_lmi(n_permutations=0), quick_lmi(null="retrain", n_permutations=4, n_retrain=2)
    sm.tl.lmi(experiment.copy(), **one | {"model": plain})
    sm.tl.lmi(experiment, **one | {"model": anew})
    stored = experiment.uns["lmi"]
    assert set(stored["se_parts"]) == {"sampling", "pairing", "retraining"}
    assert stored["se"] == pytest.approx(np.sqrt(sum(part**2 for part in stored["se_parts"].values())))
    assert len(stored["null"]) == 4
    assert stored["p"] == (1 + np.sum(stored["null"]["mi"] >= stored["mi_ksg"] - 1e-9)) / 5
    assert (stored["params"]["null"], stored["params"]["n_retrain"]) == ("retrain", 2)
    np.testing.assert_array_equal(anew.result_.pmi, plain.result_.pmi)
    experiment.write_h5ad(tmp_path / "cells.h5ad")
    same_uns(ad.read_h5ad(tmp_path / "cells.h5ad").uns["lmi"], stored)


def test_strata_are_those_of_the_first_population(experiment, one, no_training):
    early = experiment.obs["day"] == "2"
    experiment.obs["batch"] = np.where(early, "a", None)
    with pytest.raises(AssertionError, match="training began"):
        sm.tl.lmi(experiment, **one, strata="batch")
    experiment.obs.loc[early & shared_cells(experiment), "batch"] = None
    with pytest.raises(ValueError, match=r"`.obs\['batch'\]`, given as `strata`, is missing in \d+ paired cells"):
        sm.tl.lmi(experiment, **one, strata="batch")
    with pytest.raises(KeyError, match="Did not find `strata='plate'`"):
        sm.tl.lmi(experiment, **one, strata="plate")


def test_missing_exactly_where_nothing_was_estimated(experiment, one, quick_lmi):
    sm.tl.lmi(experiment, **one | {"model": quick_lmi(n_pairings=3)})
    obs = experiment.obs
    np.testing.assert_array_equal(obs["lmi_pmi"].isna(), obs["lmi_n"] == 0)
    np.testing.assert_array_equal(obs["lmi_pmi_sd"].isna(), obs["lmi_n"] < 2)
    assert not obs["lmi_n"][~shared_cells(experiment)].any()
    assert (obs["lmi_pmi_sd"].dropna() >= 0).all()


def test_every_cell_of_a_shared_barcode_has_a_value_given_enough_pairings(experiment, one, quick_lmi):
    # In a clone of 15 cells, a given one is in none of 300 pairings with chance (14/15)^300 = 1e-9.
    assert experiment.obs.groupby(["day", "clone"], observed=True).size().max() <= 15
    sm.tl.lmi(experiment, **one | {"model": quick_lmi(n_pairings=300)})
    np.testing.assert_array_equal(experiment.obs["lmi_pmi"].notna(), shared_cells(experiment))


def test_cells_by_hand():
    paired, pmi = np.array([0, 2, 0, 2, 0, 3]), np.array([1.0, 2.0, 3.0, 5.0, 8.0, np.nan])
    n, mean, sd = _per_cell(paired, pmi, 5)
    assert n.tolist() == [3, 0, 2, 0, 0]
    np.testing.assert_allclose(mean, [4, np.nan, 3.5, np.nan, np.nan])
    np.testing.assert_allclose(sd, [np.sqrt(13), np.nan, np.sqrt(4.5), np.nan, np.nan])


def test_weighted_mean_over_cells_is_the_information(days, two):
    sm.tl.lmi(*days, **two)
    stored = days[0].uns["lmi"]
    for day in days:
        pmi, n = day.obs["lmi_pmi"], day.obs["lmi_n"]
        assert np.nansum(pmi * n) / n.sum() == pytest.approx(stored["mi_ksg"], rel=1e-12)
        # Every barcode once in every pairing.
        assert n.sum() == 20 * stored["n_pairs"]
    assert stored["mi_ksg"] == pytest.approx(stored["mi_by_pairing"].mean(), rel=1e-12)


def test_cells_hold_what_was_estimated_of_their_pairs(days, two):
    sm.tl.lmi(*days, **two)
    result = two["model"].result_
    for day, rows in zip(days, (result.pairs.row_x, result.pairs.row_y), strict=True):
        per_cell = pd.Series(result.pmi).groupby(rows)
        found = day.obs.iloc[per_cell.size().index]
        np.testing.assert_array_equal(found["lmi_n"], per_cell.size())
        np.testing.assert_allclose(found["lmi_pmi"], per_cell.mean())
        np.testing.assert_allclose(found["lmi_pmi_sd"], per_cell.std(), atol=1e-9)


def test_two_objects_and_one_with_groups_agree(experiment, days, one, two):
    sm.tl.lmi(experiment, **one, rng=3)
    sm.tl.lmi(*days, **two, rng=3)
    for day, label in zip(days, ("2", "6"), strict=True):
        part = experiment[experiment.obs["day"] == label]
        for column in SLOTS:
            np.testing.assert_array_equal(part.obs[column], day.obs[column])
        np.testing.assert_array_equal(part.obsm["X_lmi"], day.obsm["X_lmi"])
        assert part.uns["lmi"]["mi"] == day.uns["lmi"]["mi"]


def test_cells_of_other_groups_are_missing(experiment, one):
    other = np.arange(experiment.n_obs) % 5 == 0
    experiment.obs["day"] = experiment.obs["day"].astype(object).mask(other, "9")
    experiment.X = experiment.X.toarray()
    # What isn't asked for isn't looked at either.
    experiment.X[other] = np.nan
    sm.tl.lmi(experiment, **one)
    np.testing.assert_array_equal(np.isnan(experiment.obsm["X_lmi"]).all(axis=1), other)
    assert np.isfinite(experiment.obsm["X_lmi"][~other]).all()
    assert experiment.obs.loc[other, "lmi_pmi"].isna().all()
    assert not experiment.obs.loc[other, "lmi_n"].any()


@pytest.mark.slow
def test_groups_in_any_sequence_and_of_numbers(experiment, one, tmp_path):
    sm.tl.lmi(experiment, **one)
    for groups in (["2", "6"], np.array(["2", "6"]), pd.Index(["2", "6"])):
        other = experiment.copy()
        sm.tl.lmi(other, **one | {"groups": groups})
        same_result(experiment, other)
        other.write_h5ad(tmp_path / "cells.h5ad")
    numbers = experiment.copy()
    numbers.obs["day"] = numbers.obs["day"].astype(int)
    sm.tl.lmi(numbers, **one | {"groups": (2, 6)})
    same_result(experiment, numbers)


def test_the_two_objects_share_no_memory(days, two):
    a, b = days
    sm.tl.lmi(a, b, **two)
    a.uns["lmi"]["params"]["hidden"].append(0)
    a.uns["lmi"]["mi_by_pairing"][:] = 0
    a.uns["lmi"]["history"]["train"] = 0.0
    del a.uns["lmi"]["mi"]
    assert 0 not in b.uns["lmi"]["params"]["hidden"] and "mi" in b.uns["lmi"]
    assert (b.uns["lmi"]["mi_by_pairing"] != 0).all() and (b.uns["lmi"]["history"]["train"] != 0).all()


def test_key_added_renames_everything(experiment, one):
    before = contents(experiment)
    sm.tl.lmi(experiment, **one, key_added="fate")
    assert list(experiment.obs.columns[-5:]) == [name.replace("lmi", "fate", 1) for name in SLOTS]
    assert "X_fate" in experiment.obsm and "fate" in experiment.uns
    names = [*experiment.obs.columns, *experiment.var.columns, *experiment.obsm, *experiment.uns]
    assert {name for name in names if "lmi" in name} == {"recipe_lmi"}
    for column in experiment.obs.columns[-5:]:
        del experiment.obs[column]
    for column in [name for name in experiment.var.columns if name.startswith("fate_")]:
        del experiment.var[column]
    del experiment.obsm["X_fate"], experiment.uns["fate"]
    assert contents(experiment) == before


def test_copy_of_one(experiment, one):
    before = contents(experiment)
    changed = sm.tl.lmi(experiment, **one, copy=True)
    assert contents(experiment) == before
    sm.tl.lmi(experiment, **one)
    same_result(experiment, changed)


def test_copies_of_two_which_may_be_views(experiment, days, two):
    views = [experiment[experiment.obs["day"] == day] for day in ("2", "6")]
    before = contents(experiment)
    changed = sm.tl.lmi(*views, **two, copy=True)
    assert contents(experiment) == before
    assert all(view.is_view and "lmi" not in view.uns for view in views)
    sm.tl.lmi(*days, **two)
    for expected, found in zip(days, changed, strict=True):
        same_result(expected, found)


def test_second_run_leaves_nothing_stale(experiment, one, quick_lmi):
    first = sm.tl.lmi(experiment, **one | {"model": quick_lmi(n_latent=5)}, copy=True)
    # The first run's day 6 is a group apart in the second: none of its values may stay.
    half = np.arange(experiment.n_obs) % 2 == 0
    for adata in (experiment, first):
        adata.obs["day"] = adata.obs["day"].astype(object).mask(half & (adata.obs["day"] == "6"), "7")
    for adata in (first, experiment):
        sm.tl.lmi(adata, **one | {"model": quick_lmi(n_pairings=4)})
    same_result(first, experiment)


# The model


def test_the_model_is_left_fitted(days, two):
    model = two["model"]
    before = model.get_params()
    sm.tl.lmi(*days, **two, rng=3)
    a, b = (day.X[:, day.var["highly_variable"].to_numpy()] for day in days)
    assert model.get_params() == before
    assert model.result_.mi == days[0].uns["lmi"]["mi"]
    assert [fold.held_out.x.shape[1] for fold in model.folds_] == days[0].uns["lmi"]["params"]["n_latent"]
    np.testing.assert_allclose(model.transform(a), days[0].obsm["X_lmi"], rtol=1e-5, atol=1e-6)  # float32
    assert model.score_pairs(a[:3], b[:4]).shape == (3, 4)


def test_a_fitted_model_is_saved(days, two, tmp_path):
    sm.tl.lmi(*days, **two)
    two["model"].save(tmp_path / "model.npz")
    x = days[0].X[:5, days[0].var["highly_variable"].to_numpy()]
    np.testing.assert_array_equal(sm.LMI.load(tmp_path / "model.npz").predict_y(x), two["model"].predict_y(x))


@pytest.mark.slow
def test_without_a_model_the_defaults_are_taken(experiment, FAST, monkeypatch):
    monkeypatch.setitem(PRESETS, "default", FAST)
    runs = [
        sm.tl.lmi(experiment, pair_key="clone", groupby="day", groups=("2", "6"), copy=True, **options)
        for options in ({}, {"model": None}, {"model": sm.LMI()})
    ]
    assert runs[0].uns["lmi"]["params"]["n_pairings"] == 20
    for run in runs[1:]:
        same_result(runs[0], run)


@pytest.mark.slow
def test_seed_and_bar_are_those_of_the_tool(experiment, one, quick_lmi):
    runs = [
        sm.tl.lmi(experiment, **one | {"model": quick_lmi(**own)}, rng=1, copy=True)
        for own in ({}, {"rng": 5, "progress": True})
    ]
    same_result(*runs)


# Randomness


@pytest.mark.slow
def test_seeds(experiment, one):
    runs = [sm.tl.lmi(experiment, **one, rng=rng, copy=True) for rng in (1, 1, np.random.default_rng(1), 2)]
    # A generator has no seed to be told.
    assert [run.uns["lmi"]["params"].pop("rng") for run in runs] == [1, 1, None, 2]
    same_result(runs[0], runs[1])
    same_result(runs[0], runs[2])
    assert runs[0].uns["lmi"]["mi"] != runs[3].uns["lmi"]["mi"]


@pytest.mark.slow
def test_global_random_states_are_neither_read_nor_written(experiment, one):
    runs = []
    saved = np.random.get_state(), torch.get_rng_state()
    try:
        for seed in (1, 2):
            np.random.seed(seed)
            torch.manual_seed(seed)
            before = np.random.get_state(), torch.get_rng_state()
            runs.append(sm.tl.lmi(experiment, **one, copy=True))
            after = np.random.get_state(), torch.get_rng_state()
            assert after[0][2:] == before[0][2:]
            np.testing.assert_array_equal(after[0][1], before[0][1])
            assert torch.equal(after[1], before[1])
    finally:
        np.random.set_state(saved[0])
        torch.set_rng_state(saved[1])
    same_result(*runs)


# Input


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


FORMS = {
    "dense": np.asarray,
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "float64": lambda x: x.astype(np.float64),
    "csr_matrix": sp.csr_matrix,
    "csc_matrix": sp.csc_matrix,
    "csr_array": sp.csr_array,
    "csc_array": sp.csc_array,
}


@pytest.fixture(scope="session")
def dense_run(_experiment, quick_lmi):
    adata = _experiment.copy()
    adata.X = adata.X.toarray()
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=quick_lmi())
    return adata


@pytest.mark.parametrize("form", FORMS)
def test_same_values_same_numbers(experiment, one, form, dense_run):
    experiment.X = FORMS[form](experiment.X.toarray())
    before = contents(experiment)[0]
    sm.tl.lmi(experiment, **one)
    same_result(experiment, dense_run)
    after = contents(experiment)[0]
    del after["obsm/X_lmi"]
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
@pytest.mark.parametrize("sparse", [False, True])
def test_other_types_of_number(experiment, one, dtype, sparse):
    values = np.rint(experiment.X.toarray()).astype(dtype)
    experiment.X = sp.csr_matrix(values) if sparse else values
    as_float = experiment.copy()
    as_float.X = values.astype(np.float32)
    for adata in (experiment, as_float):
        sm.tl.lmi(adata, **one)
    same_result(experiment, as_float)
    assert experiment.X.dtype == dtype


def test_layer(experiment, one):
    expected = sm.tl.lmi(experiment, **one, copy=True)
    experiment.layers["scaled"] = experiment.X.copy()
    experiment.X = sp.csr_matrix(experiment.shape, dtype=np.float32)
    sm.tl.lmi(experiment, **one, layer="scaled")
    np.testing.assert_array_equal(experiment.obs["lmi_pmi"], expected.obs["lmi_pmi"])
    assert experiment.uns["lmi"]["params"]["layer"] == "scaled"


def test_without_x(experiment, one):
    experiment.layers["scaled"] = experiment.X
    experiment.X = None
    sm.tl.lmi(experiment, **one, layer="scaled")
    assert np.isfinite(experiment.uns["lmi"]["mi"])


@pytest.mark.parametrize("frame", [False, True])
def test_representation(experiment, one, frame):
    values = experiment.obsm["X_spring"]
    experiment.obsm["X_rep"] = pd.DataFrame(values, experiment.obs_names, ["f0", "f1"]) if frame else values
    sm.tl.lmi(experiment, **one, use_rep="X_rep")
    expected = experiment.obs["lmi_pmi"].copy()
    assert expected.notna().any()
    # In other units it says the same; with one column in other units it does not.
    for units, same in ((np.array([1024.0, 1024.0]), True), (np.array([1.0, 1024.0]), False)):
        experiment.obsm["X_rep"] = values * units
        sm.tl.lmi(experiment, **one, use_rep="X_rep")
        assert np.array_equal(experiment.obs["lmi_pmi"], expected, equal_nan=True) == same


def test_principal_components_keep_what_the_genes_tell():
    """Fifty of them, most of them noise: with unit variance each, they told nothing."""
    adata = sm.datasets.lineage(800, n_genes=500, rng=3)
    sm.pp.recipe_lmi(adata)
    sc.pp.pca(adata, n_comps=50)
    model = sm.LMI(n_splits=1, n_permutations=99)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), use_rep="X_pca", model=model)
    # Seeds 0 to 4 of the experiment: .27 to .39, from genes .29 to .44.
    assert adata.uns["lmi"]["mi"] > 0.15
    assert adata.uns["lmi"]["p"] == 0.01


@pytest.mark.slow
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_counts_that_nobody_logged(form, quick_lmi):
    adata = sm.datasets.lineage(150, n_genes=400, rng=0)
    adata.X = form(adata.X.toarray())
    how = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6"), "model": quick_lmi(n_permutations=0)}
    with pytest.warns(UserWarning, match=r"`adata\[day == '[26]'\].X` looks like counts: .* Run `sm.pp.recipe"):
        sm.tl.lmi(adata, **how)
    with pytest.warns(UserWarning, match=r"\.layers\['raw'\]` looks like counts"):
        adata.layers["raw"] = adata.X.copy()
        sm.pp.recipe_lmi(adata)
        sm.tl.lmi(adata, **how, layer="raw")
    sm.tl.lmi(adata, **how)
    adata.X = adata.layers["raw"]
    del adata.uns["log1p"]
    adata.uns["recipe_lmi"] = "mine"
    sm.tl.lmi(adata, **how, use_rep="X_spring")
    sc.pp.log1p(adata)
    sm.tl.lmi(adata, **how)


@pytest.mark.slow
def test_mask_var(experiment, one, tmp_path):
    marked = experiment.var["highly_variable"]
    assert 0 < marked.sum() < experiment.n_vars
    expected = sm.tl.lmi(experiment, **one, copy=True)
    cut = experiment[:, marked].copy()
    sm.tl.lmi(cut, **one, mask_var=None)
    experiment.var["mine"] = marked.astype("boolean")
    for mask in ("mine", marked.to_numpy(), marked, marked.tolist()):
        masked = sm.tl.lmi(experiment, **one, mask_var=mask, copy=True)
        np.testing.assert_array_equal(masked.obs["lmi_pmi"], expected.obs["lmi_pmi"])
        np.testing.assert_array_equal(masked.obs["lmi_pmi"], cut.obs["lmi_pmi"])
        assert isinstance(masked.uns["lmi"]["params"]["mask_var"], str)
        masked.write_h5ad(tmp_path / "cells.h5ad")
    everything = sm.tl.lmi(experiment, **one, mask_var=None, copy=True)
    assert everything.uns["lmi"]["mi"] != expected.uns["lmi"]["mi"]
    del experiment.var["highly_variable"], experiment.var["mine"]
    sm.tl.lmi(experiment, **one)
    np.testing.assert_array_equal(experiment.obs["lmi_pmi"], everything.obs["lmi_pmi"])


def test_other_genes_on_the_other_side(days, two):
    a, b = days[0], days[1][:, 100:350].copy()
    b.var_names = [f"other_{name}" for name in b.var_names]
    sm.tl.lmi(a, b, **two)
    assert a.uns["lmi"]["mi"] == b.uns["lmi"]["mi"]
    assert np.isfinite(b.obsm["X_lmi"]).all()


def test_constant_genes(experiment, one):
    expected = sm.tl.lmi(experiment, **one, copy=True)
    x = experiment.X.toarray()
    marked = experiment.var["highly_variable"].to_numpy()
    x[:, np.flatnonzero(marked)[:3]] = [0, 7.1, -1e6]
    experiment.X = x
    sm.tl.lmi(experiment, **one)
    assert np.isfinite(experiment.uns["lmi"]["mi"])
    assert experiment.uns["lmi"]["mi"] != expected.uns["lmi"]["mi"]


# Pairing


def test_cells_by_name(days, quick_lmi):
    a = days[0]
    b = a[np.random.default_rng(0).permutation(a.n_obs)[:100], :300].copy()
    with pytest.warns(UserWarning, match="nearly deterministic"):  # a cell and itself
        sm.tl.lmi(a, b, model=quick_lmi(n_pairings=1))
    np.testing.assert_array_equal(a.obs["lmi_n"], a.obs_names.isin(b.obs_names))
    # A pair has one value, and both its cells have it.
    np.testing.assert_array_equal(a.obs["lmi_pmi"][b.obs_names], b.obs["lmi_pmi"])
    assert b.uns["lmi"]["n_pairs"] == 100


def test_pair_of_keys(days, two):
    expected = sm.tl.lmi(*days, **two, copy=True)
    days[1].obs = days[1].obs.rename(columns={"clone": "barcode"})
    sm.tl.lmi(*days, **two | {"pair_key": ("clone", "barcode")})
    np.testing.assert_array_equal(days[1].obs["lmi_pmi"], expected[1].obs["lmi_pmi"])
    assert days[0].uns["lmi"]["params"]["pair_key"] == ["clone", "barcode"]


def several_barcodes_per_cell(adata):
    """Every tenth barcoded cell carries its neighbour's barcode as well."""
    codes = adata.obs["clone"].cat.codes.to_numpy()
    cells = np.flatnonzero(codes >= 0)
    matrix = np.zeros((adata.n_obs, codes.max() + 1), dtype=np.int8)
    matrix[cells, codes[cells]] = 1
    tenth = cells[10::10]
    matrix[tenth, codes[tenth - 1]] = codes[tenth - 1] >= 0
    return matrix


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_matrix_of_barcodes_stays_together_across_folds(experiment, one, form):
    experiment.obsm["X_clone"] = form(several_barcodes_per_cell(experiment))
    before = contents(experiment)[0]["obsm/X_clone"]
    early = (experiment.obs["day"] == "2").to_numpy()
    pairing = match_clones(experiment[early], experiment[~early], "X_clone").pairing
    sm.tl.lmi(experiment, **one | {"pair_key": "X_clone"})
    result = one["model"].result_
    assert pairing.cells_are_shared and len(np.unique(pairing.groups)) < len(pairing)
    fold_of_group = pd.Series(result.fold).groupby(pairing.groups[result.pairs.barcode])
    assert (fold_of_group.nunique() == 1).all()
    assert set(result.fold) == {0, 1}
    # Cells neither: one that was estimated by one fold's networks was in the training of the other's only.
    for rows in (result.pairs.row_x, result.pairs.row_y):
        assert (pd.Series(result.fold).groupby(rows).nunique() == 1).all()
    assert contents(experiment)[0]["obsm/X_clone"] == before
    n, pmi = experiment.obs["lmi_n"], experiment.obs["lmi_pmi"]
    np.testing.assert_array_equal(pmi.isna(), n == 0)
    for side in (early, ~early):
        assert np.nansum((pmi * n)[side]) / n[side].sum() == pytest.approx(experiment.uns["lmi"]["mi_ksg"], rel=1e-12)


def test_single_split_estimates_half(experiment, one):
    model = sm.LMI(preset=Settings(hidden=(16,), max_steps=10, cross_fit=False))
    sm.tl.lmi(experiment, **one | {"model": model})
    whole = len(set(experiment.obs["clone"][shared_cells(experiment)]))
    assert experiment.uns["lmi"]["n_pairs"] == pytest.approx(whole / 2, abs=1)
    obs = experiment.obs
    np.testing.assert_array_equal(obs["lmi_pmi"].isna(), obs["lmi_n"] == 0)
    assert obs["lmi_n"].sum() == 2 * 20 * experiment.uns["lmi"]["n_pairs"]
    assert np.isfinite(experiment.obsm["X_lmi"]).all()


# Files


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
@pytest.mark.parametrize("pair_key", ["clone", ("clone", "clone")])
def test_round_trip(experiment, one, kind, pair_key, tmp_path):
    sm.tl.lmi(experiment, **one | {"pair_key": pair_key})
    path = tmp_path / f"cells.{kind}"
    with warnings.catch_warnings():
        # anndata on its own future.
        warnings.filterwarnings("ignore", "Writing zarr v2 data", UserWarning)
        getattr(experiment, f"write_{kind}")(path)
    same_result(experiment, getattr(ad, f"read_{kind}")(path))


@pytest.mark.slow
def test_round_trip_of_cells_paired_by_name(days, quick_lmi, tmp_path):
    a, b = days[0], days[0][:, :300].copy()
    with pytest.warns(UserWarning, match="nearly deterministic"):
        sm.tl.lmi(a, b, model=quick_lmi())
    a.write_h5ad(tmp_path / "cells.h5ad")
    same_result(a, ad.read_h5ad(tmp_path / "cells.h5ad"))


# Mistakes


@pytest.fixture
def fails(no_training, one):
    """It raises before any training, and nothing is written."""

    def check(error, match, *adatas, **options):
        before = [contents(adata) for adata in adatas if isinstance(adata, ad.AnnData)]
        with pytest.raises(error, match=match):
            sm.tl.lmi(*adatas, **{"model": one["model"], **options})
        assert [contents(adata) for adata in adatas if isinstance(adata, ad.AnnData)] == before

    return check


def test_views(experiment, days, fails):
    view = experiment[experiment.obs["day"] == "2"]
    for adatas, name in (((view, days[1]), "adata_a"), ((days[1], view), "adata_b")):
        fails(ValueError, rf"`{name}` is a view.*\.copy\(\)`, or .* with `groupby=` and `groups=`", *adatas)
    # Who gives both groups already isn't told to.
    fails(ValueError, r"`adata_a` is a view.*copy\(\)`\.$", view, pair_key="clone", groupby="day", groups=("2", "6"))
    assert view.is_view


def test_same_object_twice(experiment, fails):
    ways = "are the same object.* pass it once with `groupby=` and `groups=`"
    fails(ValueError, ways, experiment, experiment, pair_key="clone")


def test_no_anndata(days, fails):
    fails(TypeError, "`adata_a` must be an AnnData, got ndarray", np.ones((3, 3)), days[1])
    fails(TypeError, "`adata_b` must be an AnnData, got DataFrame", days[0], days[1].obs)


def test_empty(days, fails):
    fails(ValueError, r"`adata_b` is empty: 0 cells x 400 genes", days[0], days[1][:0].copy(), pair_key="clone")
    fails(ValueError, r"`adata_a` is empty: \d+ cells x 0 genes", days[0][:, :0].copy(), days[1], pair_key="clone")


def test_second_population_missing(experiment, days, fails):
    ways = "`adata_b` is missing. Pass two AnnData, or one with `groupby=` and `groups=`"
    fails(ValueError, ways, experiment, pair_key="clone")
    way = r"`groups` is missing: name the two to compare, of \['2', '6'\] in `.obs\['day'\]`"
    fails(ValueError, way, experiment, pair_key="clone", groupby="day")
    way = "`groupby` is missing: name the `.obs` column that holds the groups"
    fails(ValueError, way, experiment, pair_key="clone", groups=("2", "6"))


def test_groups_with_two_objects(days, fails):
    for options in ({"groupby": "day"}, {"groups": ("2", "6")}):
        fails(ValueError, "with `adata_b` leave them out", *days, pair_key="clone", **options)


def test_missing_groupby(experiment, fails):
    match = r"Did not find `groupby='days'` in `.obs`, which has \['day',.*Did you mean 'day'?"
    fails(KeyError, match, experiment, pair_key="clone", groupby="days", groups=("2", "6"))


def test_absent_group(experiment, fails):
    options = {"pair_key": "clone", "groupby": "day"}
    for groups, name in ((("2", "4"), "'4'"), ((2, 6), "2")):
        match = rf"`groups` names {name}, but `.obs\['day'\]` has \['2', '6'\]"
        fails(ValueError, match, experiment, groups=groups, **options)
    experiment.obs["day"] = experiment.obs["day"].astype(float)
    fails(
        ValueError,
        r"`groups` names '2', but `.obs\['day'\]` has \[2.0, 6.0\]",
        experiment,
        groups=("2", "6"),
        **options,
    )


@pytest.mark.parametrize("groups", ["26", ("2",), ("2", "2"), ("2", "6", "4"), {"2", "6"}])
def test_not_two_groups(experiment, fails, groups):
    match = r"`groups` must name two different groups of `.obs\['day'\]`, first and second, got"
    fails(ValueError, match, experiment, pair_key="clone", groupby="day", groups=groups)


def test_groups_that_are_to_be_pooled(experiment, fails):
    match = r"names one value of `.obs\['day'\]` for each side.*replace\(\{'4': 'pooled', '6': 'pooled'\}\)`"
    fails(ValueError, match, experiment, pair_key="clone", groupby="day", groups=("2", ["4", "6"]))


def test_missing_slots(days, fails):
    fails(KeyError, r"Did not find 'barcode' in `adata_a.obs` or", *days, pair_key="barcode")
    fails(KeyError, r"Did not find `layer='raw'` in `adata_a.layers`", *days, pair_key="clone", layer="raw")
    match = r"Did not find `use_rep='X_pca'` in `adata_a.obsm`, which has \['X_spring'"
    fails(KeyError, match, *days, pair_key="clone", use_rep="X_pca")
    match = r"Did not find `mask_var='mine'` in `adata_a.var`, which has \['program'"
    fails(KeyError, match, *days, pair_key="clone", mask_var="mine")
    days[0].var["mine"] = True
    fails(KeyError, r"Did not find `mask_var='mine'` in `adata_b.var`", *days, pair_key="clone", mask_var="mine")


def test_no_matrix(days, fails):
    days[1].X = None
    fails(ValueError, r"`adata_b.X` is None; pass `layer=` .* or `use_rep=`", *days, pair_key="clone")


def test_unusable_masks(days, fails):
    options = {"pair_key": "clone"}
    fails(TypeError, "`mask_var` needs a boolean column, but .* is category", *days, **options, mask_var="program")
    shape = r"`mask_var` must be a boolean array with one value per gene of `adata_a` \(400\), got "
    fails(ValueError, shape + r"bool of shape \(3,\)", *days, **options, mask_var=np.ones(3, dtype=bool))
    fails(ValueError, shape + r"int64 of shape \(400,\)", *days, **options, mask_var=np.arange(400))
    fails(
        ValueError, "leaves no gene of `adata_a`; pass `mask_var=None`", *days, **options, mask_var=np.zeros(400, bool)
    )


def test_representation_with_layer_or_mask(days, fails):
    for options in ({"layer": "raw"}, {"mask_var": None}):
        match = "`use_rep` names an `.obsm` entry; it can't be combined with `layer` or `mask_var`"
        fails(ValueError, match, *days, pair_key="clone", use_rep="X_spring", **options)


def test_no_barcode_shared(days, fails):
    days[1].obs["clone"] = days[1].obs["clone"].astype(object).map(lambda label: f"other {label}")
    fails(ValueError, "No barcode is shared: .* or pass `pair_key=", *days, pair_key="clone")


def test_too_few_barcodes_shared(days, quick_lmi, fails):
    labels = days[0].obs["clone"].astype(object)
    shared = sorted(set(labels.dropna()) & set(days[1].obs["clone"].dropna()))
    days[0].obs["clone"] = labels.where(labels.isin(shared[:19]))
    match = "Only 19 pairs to estimate from; at least 20 are needed.* Use more cells"
    fails(ValueError, match, *days, pair_key="clone")
    days[0].obs["clone"] = labels.where(labels.isin(shared[:25]))
    fails(
        ValueError,
        "Only 25 pairs to estimate from; at least 32 are needed.* or a smaller k",
        *days,
        pair_key="clone",
        model=quick_lmi(k=15),
    )


def test_one_barcode_for_nearly_all_cells(days, fails):
    labels = days[0].obs["clone"].astype(object).to_numpy(copy=True)
    labels[np.random.default_rng(0).permutation(len(labels))[: int(0.96 * len(labels))]] = "0"
    days[0].obs["clone"] = labels
    days[1].obs["clone"] = days[1].obs["clone"].astype(object).fillna("0")
    fails(ValueError, "barcode '0' covers 9.% of the .* pass `na_values='0'`", *days, pair_key="clone")


def test_barcodes_that_may_not_part(experiment, fails):
    matrix = several_barcodes_per_cell(experiment)
    matrix[np.flatnonzero(matrix.any(axis=1))[0]] = 1
    experiment.obsm["X_clone"] = matrix
    match = "pairs belong to one group and may not part.* Give each cell one barcode"
    fails(ValueError, match, experiment, pair_key="X_clone", groupby="day", groups=("2", "6"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_missing_and_infinite_values(days, fails, value, form):
    b = days[1]
    x = b.X.toarray()
    x[11, np.flatnonzero(b.var["highly_variable"])[4]] = value
    b.X = form(x)
    match = (
        rf"adata_b.X has 1 NaN or infinite values, the first in row '{b.obs_names[11]}', column 'gene_.*'; fill or drop"
    )
    fails(ValueError, match, *days, pair_key="clone")


def test_missing_value_in_a_group(experiment, fails):
    cell = int(np.flatnonzero(experiment.obs["day"] == "6")[3])
    experiment.layers["mine"] = experiment.X.toarray()
    experiment.layers["mine"][cell] = np.nan
    match = rf"adata\[day == '6'\].layers\['mine'\] has 100 NaN .* row '{experiment.obs_names[cell]}'"
    fails(ValueError, match, experiment, pair_key="clone", groupby="day", groups=("2", "6"), layer="mine")


def test_values_that_are_no_numbers(days, fails):
    days[0].obsm["X_text"] = pd.DataFrame({"a": ["x"] * days[0].n_obs}, index=days[0].obs_names)
    days[1].obsm["X_text"] = np.ones((days[1].n_obs, 2))
    fails(
        TypeError,
        r"adata_a.obsm\['X_text'\] holds objects that are not real",
        *days,
        pair_key="clone",
        use_rep="X_text",
    )


def test_unknown_preset(days, fails):
    fails(
        ValueError,
        r"preset='fast' is not known; choose one of \['default', 'paper'\]",
        *days,
        model=sm.LMI(preset="fast"),
    )


@pytest.mark.parametrize("name", ["n_pairings", "n_latent", "k"])
def test_counts(days, quick_lmi, fails, name):
    match = f"`{name}` must be at least 1, got 0"
    fails(ValueError, match, *days, pair_key="clone", model=quick_lmi(**{name: 0}))
    match = f"`{name}` must be an integer, got 2.5"
    fails(TypeError, match, *days, pair_key="clone", model=quick_lmi(**{name: 2.5}))


def test_unknown_null(days, quick_lmi, fails):
    fails(ValueError, r"null='new' is not known", *days, pair_key="clone", model=quick_lmi(null="new"))
    match = "`n_retrain` must be at least 0, got -1"
    fails(ValueError, match, *days, pair_key="clone", model=quick_lmi(n_retrain=-1))


@pytest.mark.parametrize("model", [{"k": 5}, "default", sm.LMI, Settings()])
def test_a_model_of_another_type(days, fails, model):
    fails(TypeError, r"`model` must be an LMI such as `sm.LMI\(k=5\)`, got ", *days, pair_key="clone", model=model)


def test_interruption_leaves_nothing(days, two, quick_lmi, FAST, monkeypatch):
    before = [contents(day) for day in days]
    validations = []

    def tick(done, loss):
        validations.append(done)
        if len(validations) == 3:
            raise KeyboardInterrupt

    @contextmanager
    def bar(*args):
        yield tick

    monkeypatch.setattr(estimator, "progress_bar", bar)
    networks = quick_lmi(preset=replace(FAST, closed_form=False))
    with pytest.raises(KeyboardInterrupt):
        sm.tl.lmi(*days, **two | {"model": networks})
    assert 3 <= len(validations) < 14  # the two folds would have reported 14 times
    assert [contents(day) for day in days] == before


# Warnings: pytest makes errors of those that no test expects


@pytest.mark.parametrize("sparse", [False, True])
def test_duplicated_cells_warn_at_the_line_of_the_user(days, two, sparse):
    a, b = days
    paired = match_clones(a, b, "clone").pairing
    rows = np.unique(paired.rows_x)
    x = a.X.toarray()
    x[rows[1:4]] = x[rows[0]]
    a.X = sp.csr_matrix(x) if sparse else x
    with pytest.warns(UserWarning, match=rf"3 of {len(rows)} paired cells of `adata_a` are exact copies") as seen:
        sm.tl.lmi(a, b, **two)
    # The estimate may have cautions of its own.
    assert {warning.filename for warning in seen} == {__file__}


def test_implausible_barcode_warns_at_the_line_of_the_user(days, two):
    for day in days:
        labels = day.obs["clone"].astype(object).to_numpy(copy=True)
        labels[: int(0.3 * len(labels))] = "0"
        day.obs["clone"] = labels
    with pytest.warns(UserWarning, match="barcode '0' covers .* which is much for one clone") as seen:
        sm.tl.lmi(*days, **two)
    of_barcodes = [warning for warning in seen if "barcode '0'" in str(warning.message)]
    assert [Path(warning.filename) for warning in of_barcodes] == [Path(__file__)] * 2


# What comes out


@pytest.mark.slow
def test_shuffled_barcodes_give_next_to_no_information():
    # Measured over seeds 0 to 4 at 700 clones: 0.26 to 0.39 bits real (sd 0.05), -0.02 to 0.04 shuffled (sd 0.02). The
    # bounds are 4 sd below the mean of the first, and 5 sd about 0 for the second.
    adata = sm.datasets.lineage(700, n_genes=400, rng=0)
    sm.pp.recipe_lmi(adata, n_top_genes=200)
    settings = Settings(hidden=(32, 16), max_steps=100, patience=50)
    options = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
    options["model"] = sm.LMI(preset=settings, n_splits=1, n_pairings=5, n_permutations=0)
    sm.tl.lmi(adata, **options)
    assert adata.uns["lmi"]["mi"] > 0.12

    labels = adata.obs["clone"].astype(object).to_numpy(copy=True)
    late = (adata.obs["day"] == "6").to_numpy()
    labels[late] = np.random.default_rng(0).permutation(labels[late])
    adata.obs["clone"] = labels
    sm.tl.lmi(adata, **options)
    assert abs(adata.uns["lmi"]["mi"]) < 0.1


# Real cells


LARRY = {"pair_key": "X_clone", "groupby": "time_info", "groups": ("4", "6"), "model": sm.LMI(n_splits=1)}


@pytest.fixture(scope="session")
def _larry_run(_larry):
    adata = _larry.copy()
    sm.tl.lmi(adata, **LARRY)
    return adata


def larry_shared(adata):
    """Cells of days 4 and 6 whose barcode is seen on both, straight from the matrix."""
    matrix = sp.csr_matrix(adata.obsm["X_clone"]) != 0
    days = [(adata.obs["time_info"] == day).to_numpy() for day in ("4", "6")]
    both = np.logical_and(*(np.asarray(matrix[day].sum(axis=0)).ravel() > 0 for day in days))
    return (np.asarray(matrix[:, both].sum(axis=1)).ravel() > 0) & (days[0] | days[1])


def test_real_cells(_larry_run):
    adata = _larry_run
    obs, shared = adata.obs, larry_shared(adata)
    assert shared.sum() == 427
    np.testing.assert_array_equal(obs["lmi_pmi"].isna(), obs["lmi_n"] == 0)
    assert obs.loc[~shared, "lmi_pmi"].isna().all()
    assert obs.loc[shared, "lmi_pmi"].notna().mean() > 0.97
    assert adata.uns["lmi"]["n_pairs"] == 113
    assert adata.uns["lmi"]["mi"] > 0.3
    day2 = (obs["time_info"] == "2").to_numpy()
    np.testing.assert_array_equal(np.isnan(adata.obsm["X_lmi"]).all(axis=1), day2)


def test_every_real_cell_of_a_shared_barcode_has_a_value(_larry_run):
    np.testing.assert_array_equal(_larry_run.obs["lmi_pmi"].notna(), larry_shared(_larry_run))


def test_real_cells_again(larry, _larry_run):
    sm.tl.lmi(larry, **LARRY)
    same_result(larry, _larry_run)


def test_real_cells_round_trip(_larry_run, tmp_path):
    _larry_run.write_h5ad(tmp_path / "larry.h5ad")
    read = ad.read_h5ad(tmp_path / "larry.h5ad")
    same_result(read, _larry_run)
    assert len(sm.get.lmi(read).cells) == _larry_run.obs["lmi_pmi"].notna().sum()


def test_real_cells_on_their_embedding(_larry_run):
    grey, coloured = sm.pl.pmi_embedding(_larry_run, basis="X_emb").collections
    assert len(coloured.get_offsets()) == _larry_run.obs["lmi_pmi"].notna().sum()
    assert len(grey.get_offsets()) + len(coloured.get_offsets()) == _larry_run.n_obs


def test_neighbourhoods_are_those_of_all_latent_spaces(experiment, quick_lmi):
    model = quick_lmi(n_permutations=0)
    sm.tl.lmi(experiment, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
    genes = experiment.var["highly_variable"].to_numpy()
    for day, encode in (("2", "encode_x"), ("6", "encode_y")):
        cells = experiment[(experiment.obs["day"] == day) & experiment.obs["lmi_pmi"].notna(), genes]
        spaces = [getattr(fold, encode)(cells.X) for fold in model.folds_]
        points = np.hstack([z / np.sqrt(z.shape[1]) for z in spaces])
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        nearest = np.argsort(apart, axis=1)[:, :30]
        expected = cells.obs["lmi_pmi"].to_numpy()[nearest].mean(axis=1)
        np.testing.assert_allclose(cells.obs["lmi_pmi_local"], expected, atol=1e-9)
        clone = cells.obs["clone"].astype(str).to_numpy()[nearest]
        assert (cells.obs["lmi_pmi_local_se"] > 0).to_numpy()[[len(set(row)) > 1 for row in clone]].all()


def test_the_same_cells_under_other_names(days, quick_lmi):
    """A cell tells all about itself: nobody is to take that for what clone mates share."""
    _, late = days
    copy = late.copy()
    copy.obs_names = "other " + copy.obs_names
    with pytest.warns(UserWarning, match="equal cells of `adata_a` in every gene: are the same cells in both"):
        sm.tl.lmi(late, copy, pair_key="clone", model=quick_lmi(n_permutations=0))
