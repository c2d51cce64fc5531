"""A warning of a kind comes once per call; nullable columns work; nothing stale is left to be drawn."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi._warnings import one_of_a_kind, warn


def test_a_kind_once_per_call():
    with pytest.warns(UserWarning) as told, one_of_a_kind():
        for _ in range(3):
            warn("a", "first kind")
            with one_of_a_kind():
                warn("b", "second kind")
    assert [str(one.message) for one in told] == ["first kind", "second kind"]
    assert all(one.filename == __file__ for one in told)
    with pytest.warns(UserWarning) as told:
        warn("a", "first kind")
        warn("a", "first kind")
    assert len(told) == 2


@pytest.mark.filterwarnings("default:The estimate has not settled")
@pytest.mark.filterwarnings("default:Training reached its budget")
def test_many_estimates_warn_once(experiment, quick_lmi):
    embeddings = {f"P{i}": row for i, row in enumerate(np.random.default_rng(0).normal(size=(160, 4)))}
    pairs = pd.DataFrame({"first": [f"P{i}" for i in range(80)], "second": [f"P{i}" for i in range(80, 160)]})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sm.tl.interactions(
            embeddings, pairs, n_repeats=3, held_out=0.3, n_shuffles=2, model=quick_lmi(n_permutations=0)
        )
    texts = [str(one.message)[:30] for one in told if one.category is UserWarning]
    assert texts and len(texts) == len(set(texts))


def test_a_null_that_is_not_at_0_is_told_of():
    """Strata that tell of both sides: within each, partners are as informative."""
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1], 150)
    x, y = (6.0 * strata[:, None] + rng.normal(size=(300, 2)) for _ in "ab")
    with pytest.warns(UserWarning, match=r"Permuted partners give \d\.\d+ bits where they should give 0"):
        result = sm.lmi(x, y, strata=strata, n_permutations=19)
    assert result.null.mean() > 2 * result.se
    ax = sm.pl.estimates({"two batches": result})
    assert any("not at 0" in text.get_text() for text in ax.get_legend().get_texts())
    ax = sm.pl.estimates({"fine": {"mi": 0.5, "se": 0.1, "null": [0.01, -0.02]}})
    assert not any("not at 0" in text.get_text() for text in ax.get_legend().get_texts())
    plt.close("all")


def test_a_new_estimate_drops_what_others_made_of_the_old_one(estimated, quick_lmi):
    early = estimated.obs["day"] == "2"
    sm.tl.pmi_trend(estimated, "pseudotime", mask_obs=early, window=20, n_resamples=20)
    sm.tl.pmi_trend(estimated, "pseudotime", mask_obs=early, window=20, n_resamples=20, key_added="mine")
    sm.tl.gene_information(estimated, key_added="genes")
    estimated.uns["other_trend"] = {"params": {"key": "other"}}
    sm.tl.lmi(estimated, pair_key="clone", groupby="day", groups=("2", "6"), model=quick_lmi())
    assert not {"lmi_trend", "mine", "genes", "lmi_genes"} & set(estimated.uns)
    assert "other_trend" in estimated.uns
    with pytest.raises(KeyError, match="Run `sm.tl.pmi_trend` first"):
        sm.pl.pmi_trend(estimated)


@pytest.fixture
def nullable(experiment):
    """Columns as pandas and h5ad return them where values may be missing."""
    obs = experiment.obs
    obs["time"] = pd.array(obs["day"].astype(int), dtype="Int64")
    obs["label"] = pd.array(obs["day"].astype(str), dtype="string")
    obs["early"] = pd.array(obs["day"] == "2", dtype="boolean")
    for column in ("time", "label", "early"):
        obs.loc[obs.index[:3], column] = pd.NA
    obs["score"] = pd.array(obs["pseudotime"], dtype="Float64")
    experiment.var["used"] = pd.array(np.arange(experiment.n_vars) % 2 == 0, dtype="boolean")
    experiment.var.loc[experiment.var.index[0], "used"] = pd.NA
    experiment.obsm["rep"] = pd.DataFrame(
        np.asarray(experiment[:, :5].to_df()), index=experiment.obs_names
    ).convert_dtypes()
    experiment.obsm["spring2"] = pd.DataFrame(experiment.obsm["X_spring"], index=experiment.obs_names).convert_dtypes()
    return experiment


@pytest.mark.slow
def test_nullable_columns_work_wherever_plain_ones_do(nullable, quick_lmi):
    how = {"pair_key": "clone", "model": quick_lmi(n_permutations=9)}
    for groupby, groups in (("time", (2, 6)), ("label", ("2", "6"))):
        sm.tl.lmi(nullable, groupby=groupby, groups=groups, **how)
        assert np.isnan(nullable.obs["lmi_pmi"].iloc[:3]).all()
        sm.tl.lmi_matrix(nullable, groupby=groupby, groups=groups, **how)
    sm.tl.lmi(nullable, groupby="time", groups=(2, 6), use_rep="rep", **how)
    sm.tl.lmi(nullable, groupby="time", groups=(2, 6), mask_var="used", **how)
    sm.tl.conditional_information(nullable, "score", model=how["model"])
    sm.tl.pmi_trend(nullable, "score", mask_obs="early", window=20, n_resamples=20)
    for basis in ("spring2", ("score", "pseudotime")):
        sm.pl.pmi_embedding(nullable, basis=basis, mask_obs="early", smooth=5)


def test_cells_without_coordinates_are_nobodys_neighbours(estimated):
    estimated.obsm["X_gap"] = estimated.obsm["X_spring"].copy()
    estimated.obsm["X_gap"][:5] = np.nan
    sm.pl.pmi_embedding(estimated, basis="gap", smooth=5)


def test_colours_of_another_list_of_categories_are_not_used(estimated):
    sm.tl.pmi_trend(estimated, "pseudotime", mask_obs=estimated.obs["day"] == "2", window=20, n_resamples=20)
    estimated.obs["fate"] = estimated.obs["fate"].astype("category")
    categories = estimated.obs["fate"].cat.categories
    estimated.uns["fate_colors"] = ["#000000"] * (len(categories) - 1)
    ax = sm.pl.pmi_trend(estimated, color="fate")
    shown = {text.get_text() for text in ax.get_legend().get_texts()}
    early = estimated.obs["fate"][(estimated.obs["day"] == "2") & estimated.obs["lmi_pmi"].notna()]
    assert set(early.dropna().astype(str)) <= shown


def test_complex_columns_are_refused(estimated):
    estimated.obs["z"] = estimated.obs["pseudotime"] + 1j
    with pytest.raises(TypeError, match="complex"):
        sm.tl.pmi_trend(estimated, "z", window=20, mask_obs=estimated.obs["day"] == "2")
    with pytest.raises(TypeError, match="complex"):
        sm.pl.pmi_embedding(estimated, basis=("z", "pseudotime"))


def test_whole_numbers_can_not_hold_bits(quick_lmi):
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = quick_lmi(n_permutations=0).fit(x, x[::-1])
    with pytest.raises(TypeError, match="`out` holds int64, which would cut bits"):
        model.score_pairs(x[:5], x[:5], out=np.zeros((5, 5), dtype=int))


def test_two_vectors_of_one_name_are_refused(tmp_path):
    import h5py

    with pytest.raises(ValueError, match="names 1 vectors twice, the first '1'"):
        sm.pp.read_embeddings({1: [0.0], "1": [1.0]})
    with h5py.File(tmp_path / "e.h5", "w") as file:
        for group in ("human", "mouse"):
            file[f"{group}/INS"] = [0.0, 1.0]
    with pytest.raises(ValueError, match="names 1 vectors twice, the first 'INS'"):
        sm.pp.read_embeddings(tmp_path / "e.h5")
