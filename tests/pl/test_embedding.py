"""The promises of pMI on an embedding.

- Every cell is drawn once, where the embedding has it: coloured by its pMI, or grey without a value or outside the
  mask.
- Colours reach from the 2 % to the 98 % quantile of the coloured cells, or to `vmin` and `vmax`; the colour bar says
  bits.
- The axes passed are the axes returned; rcParams and data are left alone.
- Mistakes are named with their slot and the way out, and leave no figure behind.
"""

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.pl import _embedding


def drawn(ax):
    grey, coloured = ax.collections
    return np.asarray(grey.get_offsets()), np.asarray(coloured.get_offsets()), coloured


def test_every_cell_is_drawn_once_at_its_place(estimated):
    has_value = estimated.obs["lmi_pmi_local"].notna().to_numpy()
    grey, coloured, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring"))
    np.testing.assert_array_equal(grey, estimated.obsm["X_spring"][~has_value])
    np.testing.assert_array_equal(coloured, estimated.obsm["X_spring"][has_value])
    np.testing.assert_array_equal(points.get_array(), estimated.obs["lmi_pmi_local"][has_value])
    assert len(grey) + len(coloured) == estimated.n_obs
    assert len(grey) and len(coloured)


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_colour_bars_do_not_run_into_the_axes_beside_them(estimated, layout):
    figure, axes = plt.subplots(ncols=2, layout=layout)
    bars = [drawn(sm.pl.pmi_embedding(estimated, basis="spring", ax=ax))[2].colorbar.ax for ax in axes]
    figure.canvas.draw()
    right_end = max(bars[0].get_tightbbox().x1, bars[0].yaxis.get_tightbbox().x1)
    assert right_end < axes[1].yaxis.label.get_window_extent().x0
    assert bars[1].get_tightbbox(for_layout_only=False).x1 <= figure.bbox.x1


def test_the_middle_of_a_diverging_map(estimated):
    pmi = estimated.obs["lmi_pmi_local"].dropna()
    low, high = np.quantile(pmi, [0.02, 0.98])
    reach = max(abs(low - 0.1), abs(high - 0.1))
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring", vcenter=0.1, cmap="RdBu_r"))
    assert points.get_clim() == pytest.approx((0.1 - reach, 0.1 + reach))
    assert points.norm(0.1) == pytest.approx(0.5)
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring", vcenter=0, vmin=-1, vmax=3))
    assert list(points.norm([-1, 0, 3])) == pytest.approx([0, 0.5, 1])
    with pytest.raises(ValueError, match="`vcenter=5` must be between the limits of the colours, -1 and 3 bits"):
        sm.pl.pmi_embedding(estimated, basis="spring", vcenter=5, vmin=-1, vmax=3)


def test_colour_limits(estimated):
    pmi = estimated.obs["lmi_pmi_local"].dropna()
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring"))
    assert points.get_clim() == pytest.approx((pmi.quantile(0.02), pmi.quantile(0.98)))
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring", vmin=-1, vmax=2, cmap="magma"))
    assert points.get_clim() == (-1, 2)
    assert points.get_cmap().name == "magma"
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring", vmin=0))
    assert points.get_clim() == pytest.approx((0, pmi.quantile(0.98)))


def test_colour_limits_are_those_of_the_masked_cells(estimated):
    early = estimated.obs["day"] == "2"
    *_, points = drawn(sm.pl.pmi_embedding(estimated, basis="spring", mask_obs=early))
    pmi = estimated.obs.loc[early, "lmi_pmi_local"].dropna()
    assert points.get_clim() == pytest.approx((pmi.quantile(0.02), pmi.quantile(0.98)))


def test_labels(estimated):
    ax = sm.pl.pmi_embedding(estimated, basis="spring")
    assert drawn(ax)[2].colorbar.ax.get_title(loc="left") == "pMI\n(bits)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("SPRING1", "SPRING2")


@pytest.mark.parametrize("basis", ["spring", "X_spring"])
def test_both_names_of_a_basis(estimated, basis):
    ax = sm.pl.pmi_embedding(estimated, basis=basis)
    assert ax.get_xlabel() == "SPRING1"
    assert sum(map(len, drawn(ax)[:2])) == estimated.n_obs


def test_basis_as_a_frame(estimated):
    estimated.obsm["X_frame"] = pd.DataFrame(
        estimated.obsm["X_spring"], index=estimated.obs_names, columns=["first", "second"]
    )
    grey, coloured, _ = drawn(sm.pl.pmi_embedding(estimated, basis="frame"))
    assert len(grey) + len(coloured) == estimated.n_obs


def test_axes_passed_are_returned(estimated):
    _, (left, right) = plt.subplots(ncols=2)
    assert sm.pl.pmi_embedding(estimated, basis="spring", ax=right) is right
    assert not left.collections
    assert len(plt.get_fignums()) == 1


def test_axes_of_its_own(estimated):
    first, second = (sm.pl.pmi_embedding(estimated, basis="spring") for _ in range(2))
    assert first.figure is not second.figure


def test_it_can_be_drawn(estimated):
    sm.pl.pmi_embedding(estimated, basis="spring").figure.canvas.draw()


def test_settings_and_data_are_left_alone(estimated):
    before = dict(mpl.rcParams), estimated.copy()
    sm.pl.pmi_embedding(estimated, basis="spring", mask_obs=estimated.obs["day"] == "2")
    assert dict(mpl.rcParams) == before[0]
    pd.testing.assert_frame_equal(estimated.obs, before[1].obs)
    assert list(estimated.uns) == list(before[1].uns)


def test_mask(estimated):
    early = (estimated.obs["day"] == "2").to_numpy()
    estimated.obs["early"] = early
    expected = estimated.obsm["X_spring"][early & estimated.obs["lmi_pmi_local"].notna()]
    for mask in (early, "early", estimated.obs["early"], list(early)):
        grey, coloured, _ = drawn(sm.pl.pmi_embedding(estimated, basis="spring", mask_obs=mask))
        np.testing.assert_array_equal(coloured, expected)
        assert len(grey) + len(coloured) == estimated.n_obs


def test_sizes(estimated):
    grey, coloured = sm.pl.pmi_embedding(estimated, basis="spring", size=8, na_color="red").collections
    assert (grey.get_sizes().tolist(), coloured.get_sizes().tolist()) == ([4], [8])
    assert mpl.colors.same_color(grey.get_facecolor()[0], "red")


def test_default_sizes_are_those_of_the_axes(estimated):
    """Twice the width and height, four times the area, until points are as large as they get."""
    area = {}
    for inches in (1, 2, 9):
        _, ax = plt.subplots(figsize=(inches, inches))
        area[inches] = sm.pl.pmi_embedding(estimated, basis="spring", ax=ax).collections[1].get_sizes()[0]
    assert area[2] / area[1] == pytest.approx(4, rel=1e-6)
    assert area[9] == 30
    one = estimated[estimated.obs["lmi_pmi_local"].notna()][:1]
    assert sm.pl.pmi_embedding(one, basis="spring").collections[1].get_sizes() == [30]


def test_key(estimated):
    estimated.obs["other_pmi_local"] = 1.0
    grey, coloured, _ = drawn(sm.pl.pmi_embedding(estimated, basis="spring", key="other"))
    assert (len(grey), len(coloured)) == (0, estimated.n_obs)


def test_a_single_value(estimated):
    estimated.obs["lmi_pmi_local"] = np.where(np.arange(estimated.n_obs) == 7, 0.5, np.nan)
    ax = sm.pl.pmi_embedding(estimated, basis="spring")
    grey, coloured, _ = drawn(ax)
    assert (len(grey), len(coloured)) == (estimated.n_obs - 1, 1)
    ax.figure.canvas.draw()


def test_a_view_serves(estimated):
    view = estimated[estimated.obs["day"] == "2"]
    grey, coloured, _ = drawn(sm.pl.pmi_embedding(view, basis="spring"))
    assert len(grey) + len(coloured) == view.n_obs


def test_two_columns_as_basis(estimated):
    estimated.obs[["first", "second"]] = estimated.obsm["X_spring"]
    ax = sm.pl.pmi_embedding(estimated, basis=("first", "second"))
    has_value = estimated.obs["lmi_pmi_local"].notna().to_numpy()
    np.testing.assert_array_equal(drawn(ax)[1], estimated.obsm["X_spring"][has_value])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("first", "second")


def test_several_objects_share_limits(estimated):
    early, late = (estimated[estimated.obs["day"] == day].copy() for day in ("2", "6"))
    late.obs["lmi_pmi_local"] += 5
    axes = sm.pl.pmi_embedding([early, late], basis="spring", title=["early", "late"])
    together = np.concatenate([one.obs["lmi_pmi_local"].dropna() for one in (early, late)])
    for ax, one, title in zip(axes, (early, late), ("early", "late"), strict=True):
        grey, coloured, points = drawn(ax)
        assert points.get_clim() == pytest.approx(tuple(np.quantile(together, [0.02, 0.98])))
        assert len(grey) + len(coloured) == one.n_obs
        assert ax.get_title() == title
    assert len(axes[0].figure.axes) == 3
    _, given = plt.subplots(ncols=2)
    assert sm.pl.pmi_embedding([early, late], basis="spring", ax=given) == list(given)


def line_of_cells():
    obs = pd.DataFrame({"lmi_pmi": [0.0, 3, 6, np.nan, 9], "pt": [0.0, 1, 2, 3, np.nan]}, index=list("abcde"))
    points = np.column_stack([[0.0, 1, 2.5, 2.6, 10], np.zeros(5)])
    graph = np.zeros((5, 5))
    graph[0, 1] = graph[1, 0] = 0.5
    graph[2, 3] = graph[3, 2] = 1
    return ad.AnnData(obs=obs, obsm={"X_line": points}, obsp={"connectivities": sp.csr_matrix(graph)})


def test_smoothing_by_hand():
    adata = line_of_cells()
    for smooth, expected in (
        (1, [0, 3, 6, 9]),
        (2, [1.5, 1.5, 4.5, 7.5]),
        ("connectivities", [1, 2, 6, 9]),
        (9, [4.5] * 4),
    ):
        *_, points = drawn(sm.pl.pmi_embedding(adata, basis="line", smooth=smooth))
        np.testing.assert_allclose(points.get_array(), expected)
    assert adata.obs["lmi_pmi"].tolist()[:3] == [0, 3, 6]


def test_mark(monkeypatch):
    monkeypatch.setattr(_embedding, "N_MARKED", 1)
    ax = sm.pl.pmi_embedding(line_of_cells(), basis="line", smooth=1, mark=("pt", 1.2))
    (star,) = ax.lines
    assert star.get_xydata().tolist() == [[1, 0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["pt 1.2"]


# Mistakes


def fails(adata, error, match, **options):
    with pytest.raises(error, match=match):
        sm.pl.pmi_embedding(adata, **{"basis": "spring", **options})
    assert plt.get_fignums() == []


def test_missing_basis(estimated):
    fails(estimated, KeyError, r"Did not find 'tsne' or 'X_tsne' in `.obsm`, which has \[.*'X_spring'", basis="tsne")


def test_basis_of_three_dimensions(estimated):
    estimated.obsm["X_deep"] = np.zeros((estimated.n_obs, 3))
    fails(estimated, ValueError, r"`.obsm\['X_deep'\]` has shape \(\d+, 3\); a picture needs two", basis="deep")


def test_no_estimate(experiment, estimated):
    fails(experiment, KeyError, r"Did not find `.obs\['lmi_pmi_local'\]`. Run `sm.tl.lmi` first")
    fails(estimated, KeyError, r"Did not find `.obs\['other_pmi_local'\]`.* pass its `key_added` as `key`", key="other")


def test_no_value(estimated):
    unpaired = estimated.obs["lmi_pmi"].isna().to_numpy()
    fails(
        estimated, ValueError, r"`.obs\['lmi_pmi_local'\]` has no value in any of the cells to use", mask_obs=unpaired
    )
    estimated.obs["lmi_pmi_local"] = np.nan
    fails(estimated, ValueError, "has no value in any of the cells to use")


def test_wrong_mask(estimated):
    needs = r"`mask_obs` must be boolean with one value per cell \(\d+\), got "
    fails(estimated, ValueError, needs + "bool of shape", mask_obs=np.ones(3, dtype=bool))
    fails(estimated, ValueError, needs + "int64 of shape", mask_obs=np.ones(estimated.n_obs, dtype=np.int64))
    fails(estimated, ValueError, needs + "object of shape", mask_obs="day")
    fails(estimated, KeyError, "Did not find `mask_obs='early'` in `.obs`, which has", mask_obs="early")


def test_wrong_options(estimated):
    fails(estimated, KeyError, "Did not find 'one' of `basis` in `.obs`", basis=("one", "two"))
    fails(estimated, ValueError, r"two `.obs` columns, got \['day'\]", basis=["day"])
    fails(estimated, KeyError, "Did not find `smooth='knn'` in `.obsp`", smooth="knn")
    fails(estimated, ValueError, "`smooth` must be at least 1", smooth=0)
    fails(estimated, KeyError, "Did not find 'dpt' of `mark`", mark=("dpt", 1))
    fails([estimated] * 2, ValueError, "For several objects, `mask_obs` must name", mask_obs=np.ones(3, dtype=bool))
    fails([estimated] * 2, ValueError, "`title` has 1 entries for 2 objects", title=["early"])
