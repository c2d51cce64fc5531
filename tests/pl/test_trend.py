"""The promises of the picture of a trend.

- Line, band, onset and interval are those stored; bits and pseudotime are named; an onset without a rise isn't drawn.
- The rug has a tick per cell, in the categories' colours, below the data.
- The axes passed are returned; rcParams and data are left alone; mistakes are named and leave no figure behind.
"""

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm


@pytest.fixture
def traced():
    rng = np.random.default_rng(0)
    t = rng.uniform(size=120)
    obs = pd.DataFrame(
        {
            "lmi_pmi": 3 * np.maximum(0, t - 0.4) + 0.3 * rng.normal(size=120),
            "pt": t,
            "flat": rng.uniform(size=120),
            "clone": [f"c{i // 2}" for i in range(120)],
            "fate": pd.Categorical(np.where(t > 0.5, "mono", "neu"), categories=["neu", "mono"]),
        },
        index=[f"cell{i}" for i in range(120)],
    )
    adata = ad.AnnData(obs=obs, uns={"fate_colors": ["#ff0000", "#00ff00"]})
    sm.tl.pmi_trend(adata, ["pt", "flat"], pair_key="clone", window=11, n_resamples=50)
    return adata


def two_stretches(n, gap, window):
    """Pseudotimes 0 to 1 and, a gap later, as long again."""
    rng = np.random.default_rng(0)
    t = np.r_[rng.uniform(size=n), 1 + gap + rng.uniform(size=n)]
    adata = ad.AnnData(obs=pd.DataFrame({"pt": t, "lmi_pmi": rng.normal(size=2 * n)}, index=map(str, range(2 * n))))
    adata.uns["lmi"] = {"params": {}}
    sm.tl.pmi_trend(adata, "pt", window=window, n_resamples=20)
    return adata


@pytest.mark.parametrize(("n", "gap", "window", "broken"), [(300, 1.0, 100, True), (300, 0.2, 100, False)])
def test_nothing_is_drawn_where_there_are_no_cells(n, gap, window, broken):
    adata = two_stretches(n, gap, window)
    line = sm.pl.pmi_trend(adata).lines[1]
    x, y = line.get_data()
    assert (len(x) - 2 * n, np.isnan(x).sum()) == ((1, 1) if broken else (0, 0))
    if broken:
        (at,) = np.flatnonzero(np.isnan(x))
        assert x[at - 1] <= 1 and x[at + 1] >= 1 + gap
        assert np.isfinite([y[at - 1], y[at + 1]]).all()
    np.testing.assert_array_equal(y[~np.isnan(x)], adata.uns["lmi_trend"]["cells"]["mean"])


@pytest.mark.parametrize("window", [5, 40])
def test_a_tail_that_thins_out_is_one_curve(window):
    t = np.random.default_rng(0).exponential(size=120)
    adata = ad.AnnData(obs=pd.DataFrame({"pt": t, "lmi_pmi": np.sin(t)}, index=map(str, range(120))))
    adata.uns["lmi"] = {"params": {}}
    sm.tl.pmi_trend(adata, "pt", window=window, n_resamples=20)
    x, y = sm.pl.pmi_trend(adata).lines[1].get_data()
    assert not np.isnan(x[: np.flatnonzero(~np.isnan(y))[-1]]).any()


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_what_is_drawn(traced):
    ax = sm.pl.pmi_trend(traced, "pt")
    stored = traced.uns["lmi_trend"]
    frame = stored["cells"].query("lineage == 'pt'")
    onset = stored["onset"].iloc[0]
    zero, line, dashed = ax.lines[:3]
    assert zero.get_ydata() == [0, 0]
    np.testing.assert_array_equal(line.get_xydata(), frame[["pseudotime", "mean"]])
    assert list(dashed.get_xdata()) == [onset["onset"]] * 2
    (span,) = ax.patches
    interval = onset[["ci_low", "ci_high"]]
    assert span.get_extents().transformed(ax.transData.inverted()).intervalx == pytest.approx(interval)
    vertices = ax.collections[0].get_paths()[0].vertices
    assert {*frame["low"].dropna()} | {*frame["high"].dropna()} <= {*vertices[:, 1]}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("pt", "pMI (bits)")
    assert labels(ax)[0] == "rolling mean, 95 % band"
    assert (
        labels(ax)[1]
        == f"onset {onset['onset']:.2f}, p = 0.02\n({interval['ci_low']:.2f} to {interval['ci_high']:.2f})"
    )
    assert dashed.get_label() == labels(ax)[1]


def test_an_onset_beyond_the_curve_is_told_and_not_drawn(traced):
    onset, cells = traced.uns["lmi_trend"]["onset"], traced.uns["lmi_trend"]["cells"]
    curve = cells[(cells["lineage"] == "pt") & cells["mean"].notna()]["pseudotime"]
    onset.loc["0", ["onset", "ci_low", "ci_high"]] = [0.001, 0.0002, 0.5]
    ax = sm.pl.pmi_trend(traced, "pt")
    assert [line for line in ax.lines if line.get_linestyle() == "--"] == []
    (span,) = ax.patches
    drawn = span.get_extents().transformed(ax.transData.inverted()).intervalx
    assert drawn == pytest.approx((curve.min(), 0.5))
    assert labels(ax)[1] == "onset before the curve, p = 0.02\n(0.00 to 0.50)"
    onset.loc["0", "onset"] = curve.max() + 1
    assert labels(sm.pl.pmi_trend(traced, "pt"))[1].startswith("onset after the curve, p = 0.02")
    onset.loc["0", ["onset", "ci_high"]] = [0.001, 0.002]
    assert len(sm.pl.pmi_trend(traced, "pt").patches) == 0


def test_several_lineages_and_no_rise(traced):
    traced.uns["lmi_trend"]["onset"]["p"] = [0.01, 0.4]
    ax = sm.pl.pmi_trend(traced)
    assert ax.get_xlabel() == "pseudotime"
    assert len(ax.patches) == 1
    assert [labels(ax)[0], *labels(ax)[2:]] == ["pt", "flat", "no clear rise (p = 0.4)"]
    assert len({line.get_color() for line in ax.lines if line.get_label() in {"pt", "flat"}}) == 2


def test_rug(traced):
    ax = sm.pl.pmi_trend(traced, "pt", color="fate")
    rug = [c for c in ax.collections if isinstance(c, mpl.collections.LineCollection)]
    for row, category, shade in zip(rug, ("neu", "mono"), ("#ff0000", "#00ff00"), strict=True):
        expected = traced.obs.loc[traced.obs["fate"] == category, "pt"].sort_values()
        np.testing.assert_array_equal([s[0, 0] for s in row.get_segments()], expected)
        assert mpl.colors.same_color(row.get_color()[0][:3], shade)
        assert row.get_rasterized()
    assert labels(ax)[-2:] == ["neu", "mono"]
    # A strip without ticks, line or onset.
    low, high = ax.get_ylim()
    least = ax.spines["left"].get_bounds()[0]
    assert low < least <= ax.get_yticks().min()
    rise = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert low + rise.get_ydata()[0] * (high - low) == pytest.approx(least)
    bottom, top = rug[0].get_segments()[0][:, 1]
    assert bottom > rug[1].get_segments()[0][1, 1]
    assert low + top * (high - low) < traced.uns["lmi_trend"]["cells"].query("lineage == 'pt'")["low"].min()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_axes_settings_and_data(traced, style):
    with plt.style.context(style):
        before = dict(mpl.rcParams), traced.copy()
        _, (_, right) = plt.subplots(ncols=2)
        assert sm.pl.pmi_trend(traced, color="fate", ax=right) is right
        assert dict(mpl.rcParams) == before[0]
        assert right.lines[0].get_color() == mpl.rcParams["axes.labelcolor"]
        right.figure.canvas.draw()
    assert list(traced.uns) == list(before[1].uns)
    pd.testing.assert_frame_equal(traced.obs, before[1].obs)


def test_single_column(traced):
    """Nothing leaves a figure of 3.4 in."""
    figure, ax = plt.subplots(figsize=(3.4, 3), layout="constrained")
    sm.pl.pmi_trend(traced, "pt", color="fate", ax=ax)
    figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.x1
    assert legend.y0 >= 0
    assert legend.y1 <= ax.xaxis.label.get_window_extent().y0 + 2


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"key": "other"}, KeyError, r"Did not find `.uns\['other'\]`. Run `sm.tl.pmi_trend` first"),
        ({"pseudotime": "dpt"}, KeyError, r"has no 'dpt', only \['pt', 'flat'\]"),
        ({"color": "type"}, KeyError, "Did not find `color='type'`"),
        ({"color": "pt"}, TypeError, "make it categorical"),
    ],
)
def test_mistakes(traced, options, error, match):
    with pytest.raises(error, match=match):
        sm.pl.pmi_trend(traced, **options)
    assert plt.get_fignums() == []
