"""The promises of pMI along pseudotime.

- The rolling mean is that of pandas, centred; order of the cells doesn't matter.
- Without noise the onset is found exactly, whether the rise goes on, slows down or ends; shift and scale carry over.
- The band and the interval resample clones: clone mates that agree make both wider. The interval covers the truth.
- Without a rise p is seldom small; with one it is. Falling pMI has no onset.
- Only NaN means off the lineage; results survive h5ad and zarr; mistakes are named.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.tl._hinge import fit_rise, onset_test, resample_clones, resampled_onsets
from scmi.tl.trend import rolling_band, rolling_mean


def cells(pmi, t, clone=None, **columns):
    n = len(pmi)
    clone = np.arange(n) if clone is None else clone
    obs = pd.DataFrame({"lmi_pmi": pmi, "pt": t, "clone": [f"c{i}" for i in clone], **columns})
    obs.index = [f"cell{i}" for i in range(n)]
    return ad.AnnData(obs=obs)


def trend(adata, pseudotime="pt", **options):
    sm.tl.pmi_trend(adata, pseudotime, **{"pair_key": "clone", "window": 5, "n_resamples": 50, **options})
    return adata.uns["lmi_trend"]


def noisy(rng, n_clones=150, size=4, rise=1.0, shared=0.5, sd=0.8):
    """Clones of `size` cells at one pseudotime, whose noise has the share `shared` in common; the onset is .35."""
    clone = np.repeat(np.arange(n_clones), size)
    t = rng.uniform(size=n_clones)[clone]
    noise = np.sqrt(shared) * rng.normal(size=n_clones)[clone] + np.sqrt(1 - shared) * rng.normal(size=len(clone))
    return t, rise * np.maximum(0, t - 0.35) / 0.65 + sd * noise, clone


# Rolling mean and band


def test_rolling_mean_by_hand():
    np.testing.assert_array_equal(rolling_mean(np.array([1.0, 2, 6, 7]), 3), [np.nan, 3, 5, np.nan])
    np.testing.assert_array_equal(rolling_mean(np.array([1.0, 3, 7]), 2), [np.nan, 2, 5])


@pytest.mark.parametrize("window", [1, 4, 7, 20])
def test_rolling_mean_is_that_of_pandas(window):
    values = np.random.default_rng(0).normal(size=20)
    expected = pd.Series(values).rolling(window, center=True).mean()
    np.testing.assert_allclose(rolling_mean(values, window), expected, atol=1e-12)


def test_band_by_hand():
    # Clones of (0, 1), (2); drawn twice the first, both, twice the second.
    counts = np.array([[2, 0], [1, 1], [0, 2]], dtype=np.int32)
    low, high = rolling_band(np.array([0.0, 1, 5]), np.array([0, 0, 1]), counts, 3, 1 - 1e-9)
    assert (low[1], high[1]) == pytest.approx((0.5, 5))
    assert np.isnan(low[[0, 2]]).all()


def test_band_is_wider_for_clone_mates_that_agree():
    t, pmi, clone = noisy(np.random.default_rng(0), rise=0, shared=1)
    width = {}
    for name, labels in (("clones", clone), ("cells", np.arange(len(clone)))):
        frame = trend(cells(pmi, t, labels), window=100, n_resamples=200)["cells"]
        width[name] = (frame["high"] - frame["low"]).mean()
    # Clones of 4 equal cells: twice as wide.
    assert width["clones"] / width["cells"] == pytest.approx(2, rel=0.15)


def test_cells_in_the_order_of_pseudotime():
    rng = np.random.default_rng(1)
    t, pmi = rng.permutation(30).astype(float), rng.normal(size=30)
    frame = trend(cells(pmi, t))["cells"]
    assert frame["pseudotime"].tolist() == sorted(t)
    assert frame["cell"].tolist() == [f"cell{i}" for i in np.argsort(t)]
    np.testing.assert_allclose(frame["mean"], pd.Series(pmi[np.argsort(t)]).rolling(5, center=True).mean())


# Onset


@pytest.mark.parametrize(
    ("bend", "after"), [(1.0, 0.0), (0.7, 0.0), (0.6, 0.5)], ids=["hinge", "plateau", "slower rise"]
)
def test_onset_without_noise(bend, after):
    t = np.sort(np.random.default_rng(2).uniform(size=400))
    y = -0.2 + 2 * np.clip(t - 0.3137, 0, bend - 0.3137) + after * np.maximum(0, t - bend)
    rise = fit_rise(t, y, np.arange(400))
    assert rise.onset == pytest.approx(0.3137, abs=1e-4)
    assert (rise.baseline, rise.slope) == pytest.approx((-0.2, 2), abs=1e-3)
    assert rise.slope_after == pytest.approx(after, abs=1e-3)


def test_shift_and_scale():
    t, y, clone = noisy(np.random.default_rng(3))
    ours = fit_rise(t, y, clone)
    moved = fit_rise(1e4 + 3e4 * t, 5 + 2 * y, clone)
    assert moved.onset == pytest.approx(1e4 + 3e4 * ours.onset, rel=1e-4)
    assert moved.slope == pytest.approx(2 * ours.slope / 3e4, rel=1e-2)
    assert moved.baseline == pytest.approx(5 + 2 * ours.baseline, rel=1e-2)


def test_interval_covers_the_truth():
    covered, wrong = 0, 0
    for seed in range(20):
        t, y, clone = noisy(np.random.default_rng(seed))
        found = trend(cells(y, t, clone), n_resamples=100)["onset"].iloc[0]
        covered += found["low"] <= 0.35 <= found["high"]
        wrong += not found["low"] <= found["onset"] <= found["high"]
    # 95 % are meant to; of 20, 16 or fewer would occur once in 60.
    assert covered >= 17
    assert wrong == 0


def test_interval_is_not_everything():
    t, y, clone = noisy(np.random.default_rng(4), n_clones=500, rise=3)
    onsets = resampled_onsets(t, y, clone, resample_clones(500, 100, np.random.default_rng(0)))
    assert np.quantile(onsets, 0.975) - np.quantile(onsets, 0.025) < 0.2


def test_p_values():
    def p(seed, rise):
        rng = np.random.default_rng(seed)
        t, y, clone = noisy(rng, n_clones=80, rise=rise)
        return onset_test(t, y, clone, 99, rng)

    null = [p(seed, 0.0) for seed in range(60)]
    # Binomial with 60 and 0.1: more than 13 once in 300. Cells taken for independent would give about 20.
    assert np.mean(np.array(null) <= 0.1) <= 13 / 60
    assert 0.3 < np.mean(null) < 0.7
    assert max(p(seed, 3.0) for seed in range(5)) == 0.01


def test_falling_has_no_onset():
    t = np.linspace(0, 1, 60)
    found = trend(cells(-t, t))["onset"].iloc[0]
    assert found[["onset", "low", "high"]].isna().all()
    assert found["p_value"] == 1


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
    t, y, clone = noisy(np.random.default_rng(6), n_clones=20)
    adata = cells(y, t, clone)
    stored = trend(adata)
    path = tmp_path / f"x.{form}"
    getattr(adata, f"write_{form}")(path)
    again = getattr(ad, f"read_{form}")(path).uns["lmi_trend"]
    for name in ("cells", "onset"):
        pd.testing.assert_frame_equal(again[name], stored[name], check_dtype=False, check_categorical=False)
    assert again["params"]["window"] == 5


def test_same_seed_same_numbers_and_copy():
    t, y, clone = noisy(np.random.default_rng(7), n_clones=20)
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
    match = r"cells of both groups, '2' and '6' of `.obs\['day'\]`. For those of one pass `mask_obs=adata.obs\['day'\] == '2'`"
    with pytest.warns(UserWarning, match=match):
        sm.tl.pmi_trend(estimated, "pseudotime", window=20, n_resamples=20)
    sm.tl.pmi_trend(estimated, "pseudotime", mask_obs=estimated.obs["day"] == "2", window=20, n_resamples=20)


def test_foreign_content_under_the_key(estimated):
    estimated.uns["lmi"] = "mine"
    sm.tl.pmi_trend(estimated, "pseudotime", pair_key="clone", window=20, n_resamples=20)
    assert "lmi_trend" in estimated.uns
