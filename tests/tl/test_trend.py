"""The promises of pMI along pseudotime.

- The rolling mean is that of pandas, centred; order of the cells doesn't matter. Falling pMI has no onset.
- Clones are those of the estimate, or of the column that is named.
- Only NaN means off the lineage; results survive h5ad and zarr; mistakes are named.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from tests.conftest import noisy_rise


def cells(pmi, t, clone=None, **columns):
    n = len(pmi)
    clone = np.arange(n) if clone is None else clone
    obs = pd.DataFrame({"lmi_pmi": pmi, "pt": t, "clone": [f"c{i}" for i in clone], **columns})
    obs.index = [f"cell{i}" for i in range(n)]
    return ad.AnnData(obs=obs)


def trend(adata, pseudotime="pt", **options):
    sm.tl.pmi_trend(adata, pseudotime, **{"pair_key": "clone", "window": 5, "n_resamples": 50, **options})
    return adata.uns["lmi_trend"]


def test_cells_in_the_order_of_pseudotime():
    rng = np.random.default_rng(1)
    t, pmi = rng.permutation(30).astype(float), rng.normal(size=30)
    frame = trend(cells(pmi, t))["cells"]
    assert frame["pseudotime"].tolist() == sorted(t)
    assert frame["cell"].tolist() == [f"cell{i}" for i in np.argsort(t)]
    np.testing.assert_allclose(frame["mean"], pd.Series(pmi[np.argsort(t)]).rolling(5, center=True).mean())


def test_falling_has_no_onset():
    t = np.linspace(0, 1, 60)
    found = trend(cells(-t, t))["onset"].iloc[0]
    assert found[["onset", "ci_low", "ci_high"]].isna().all()
    assert found["p"] == 1


def test_columns_of_the_onset():
    t, pmi, clone = noisy_rise(np.random.default_rng(0), n_clones=50)
    found = trend(cells(pmi, t, clone))["onset"]
    names = "lineage onset ci_low ci_high p baseline slope n_cells n_clones window"
    assert found.columns.tolist() == names.split()
    (row,) = found.to_dict("records")
    assert row["ci_low"] <= row["onset"] <= row["ci_high"]
    assert (row["n_cells"], row["n_clones"]) == (200, 50)


@pytest.mark.parametrize(("n", "window"), [(15, 5), (60, 20), (299, 99), (300, 100), (700, 100)])
def test_the_window_adapts_to_few_cells(n, window):
    t = np.linspace(0, 1, n)
    found = trend(cells(np.sin(t), t), window=None, n_resamples=5)
    assert found["onset"]["window"].tolist() == [window]
    assert found["cells"]["mean"].notna().sum() == n - window + 1


def test_fewer_cells_than_a_trend_needs():
    with pytest.raises(
        ValueError, match="has 14 cells with a pseudotime and a pMI, fewer than the 15 of a trend. Check"
    ):
        trend(cells(np.arange(14.0), np.arange(14.0)), window=None)


# AnnData


def test_several_lineages():
    rng = np.random.default_rng(5)
    first, second = rng.uniform(size=60), rng.uniform(size=60)
    first[:20] = np.nan
    found = trend(cells(rng.normal(size=60), first, other=second), ["pt", "other"])
    assert found["onset"]["lineage"].tolist() == ["pt", "other"]
    assert found["onset"]["n_cells"].tolist() == [40, 60]


def test_who_counts():
    t, pmi = np.arange(-1.0, 59), np.ones(60) * 0.5
    pmi[5] = np.nan
    pmi[10:] += np.arange(50)
    adata = cells(pmi, t)
    assert trend(adata)["onset"]["n_cells"].tolist() == [59]
    assert trend(adata, min_pseudotime=0)["onset"]["n_cells"].tolist() == [58]
    assert trend(adata, mask_obs=t > 10)["onset"]["n_cells"].tolist() == [48]


def test_clones_of_the_estimate(estimated):
    early = estimated.obs["day"] == "2"
    found = trend(estimated, "pseudotime", pair_key=None, mask_obs=early)
    used = estimated.obs[early & estimated.obs["lmi_pmi"].notna()]
    assert found["onset"]["n_clones"].tolist() == [used["clone"].nunique()]
    # A cell of two clones joins them.
    clones = pd.get_dummies(estimated.obs["clone"]).astype(float)
    first, second = used["clone"].unique()[:2]
    clones.loc[used.index[used["clone"] == first][0], second] = 1
    estimated.obsm["clones"] = clones.to_numpy()
    joined = trend(estimated, "pseudotime", pair_key="clones", mask_obs=early)
    assert joined["onset"]["n_clones"].tolist() == [used["clone"].nunique() - 1]


@pytest.mark.filterwarnings("ignore:Writing zarr v2:UserWarning")
@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_round_trip(form, tmp_path):
    t, y, clone = noisy_rise(np.random.default_rng(6), n_clones=20)
    adata = cells(y, t, clone)
    stored = trend(adata)
    path = tmp_path / f"x.{form}"
    getattr(adata, f"write_{form}")(path)
    again = getattr(ad, f"read_{form}")(path).uns["lmi_trend"]
    for name in ("cells", "onset"):
        pd.testing.assert_frame_equal(again[name], stored[name], check_dtype=False, check_categorical=False)
    assert again["params"]["window"] == 5


def test_same_seed_same_numbers_and_copy():
    t, y, clone = noisy_rise(np.random.default_rng(7), n_clones=20)
    adata = cells(y, t, clone)
    copied = sm.tl.pmi_trend(adata, "pt", pair_key="clone", window=5, n_resamples=50, copy=True, key_added="other")
    assert "other" not in adata.uns
    pd.testing.assert_frame_equal(copied.uns["other"]["cells"], trend(adata)["cells"])
    pd.testing.assert_frame_equal(copied.uns["other"]["onset"], trend(adata)["onset"])


def test_spike_is_named():
    t = np.where(np.arange(100) < 30, -1.0, np.arange(100.0))
    with pytest.warns(
        UserWarning, match=r"30 of 100 cells have the lowest value of `.obs\['pt'\]`, -1.*min_pseudotime"
    ):
        trend(cells(np.arange(100.0), t))


@pytest.mark.parametrize(
    ("change", "options", "error", "match"),
    [
        ({}, {"pseudotime": "dpt"}, KeyError, "Did not find `pseudotime='dpt'`"),
        ({}, {"pseudotime": "clone"}, TypeError, "pseudotime must be numbers"),
        ({}, {"key": "other"}, KeyError, r"Did not find `.obs\['other_pmi'\]`"),
        ({}, {"pair_key": None}, KeyError, r"Did not find `.uns\['lmi'\]`"),
        ({}, {"pair_key": "clon"}, KeyError, "Did you mean 'clone'"),
        ({"lmi_pmi": np.nan}, {}, ValueError, "has no value in any of the cells"),
        ({"pt": 1.0}, {}, ValueError, "has 1 different values"),
        ({}, {"mask_obs": np.arange(40) > 40}, ValueError, "`mask_obs` selects none of the 40 cells"),
        ({}, {"mask_obs": np.arange(40) == 3}, ValueError, "has 1 cells .* fewer than `window=5`"),
        ({}, {"window": 0}, ValueError, "`window` must be at least 1"),
        ({}, {"confidence_level": 95}, ValueError, "`confidence_level` must be between 0 and 1"),
    ],
)
def test_mistakes(change, options, error, match):
    adata = cells(np.arange(40.0), np.arange(40.0))
    for name, value in change.items():
        adata.obs[name] = value
    with pytest.raises(error, match=match):
        trend(adata, **options)
    assert "lmi_trend" not in adata.uns


def test_a_view_is_refused():
    with pytest.raises(ValueError, match="is a view"):
        trend(cells(np.arange(40.0), np.arange(40.0))[:30])


def test_cells_of_both_groups_are_hardly_meant(estimated):
    match = r"both groups, '2' and '6' of `.obs\['day'\]`. For those of one pass `mask_obs=adata.obs\['day'\] == '2'`"
    with pytest.warns(UserWarning, match=match):
        sm.tl.pmi_trend(estimated, "pseudotime", window=20, n_resamples=20)
    sm.tl.pmi_trend(estimated, "pseudotime", mask_obs=estimated.obs["day"] == "2", window=20, n_resamples=20)


def test_foreign_content_under_the_key(estimated):
    estimated.uns["lmi"] = "mine"
    sm.tl.pmi_trend(estimated, "pseudotime", pair_key="clone", window=20, n_resamples=20)
    assert "lmi_trend" in estimated.uns


def test_days_that_are_numbers_are_named_as_such(estimated):
    """Stored as text they would select no cell."""
    estimated.obs["tp"] = estimated.obs["day"].astype(int)
    estimated.uns["lmi"]["params"] |= {"groupby": "tp", "groups": ["2", "6"]}
    with pytest.warns(UserWarning, match=r"both groups, 2 and 6 .* pass `mask_obs=adata.obs\['tp'\] == 2`"):
        sm.tl.pmi_trend(estimated, "pseudotime", n_resamples=5)
