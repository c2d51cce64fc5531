"""The promises of the picture of genes.

- What is drawn is what is stored: positions, fills, labels, names; expression is that of the cells, in their order.
- Mistakes are named and leave no figure behind.
"""

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm


@pytest.fixture
def ranked():
    """Three genes; the first rises along pseudotime, the second falls."""
    t = np.linspace(0, 1, 40)
    table = pd.DataFrame(
        {
            "gene": ["up", "down", "flat"],
            "r2": [0.5, 0.2, -0.1],
            "null": [0.05, 0.06, 0.0],
            "p": 0.1,
            "q": [0.01, 0.05, 0.6],
        }
    )
    order = np.random.default_rng(0).permutation(40)
    return ad.AnnData(
        np.column_stack([np.ones(40), -t, t])[order],
        obs=pd.DataFrame({"pt": t, "late": t > 0.5}, index=[f"c{i}" for i in range(40)]).iloc[order],
        var=pd.DataFrame(index=["flat", "down", "up"]),
        uns={"lmi_genes": {"table": table.set_index(table.index.astype(str))}},
    )


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_dots_are_the_table(ranked):
    ax = sm.pl.gene_information(ranked)
    null, filled, hollow = ax.lines[1:]
    assert list(null.get_xdata()) == [0.05, 0.06, 0.0]
    assert [(x, y) for x, y in filled.get_xydata()] == [(0.5, 0), (0.2, 1)]
    assert [(x, y) for x, y in hollow.get_xydata()] == [(-0.1, 2)]
    assert filled.get_markerfacecolor() != "none" == hollow.get_markerfacecolor()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["up", "down", "flat"]
    assert ax.get_ylabel() == "least p first"
    assert ax.get_ylim() == (2.5, -0.5)
    assert texts(ax) == ["5 % of permutations", "q ≤ 0.05 (2 of 3)", "q > 0.05 (1 of 3)"]
    assert len(sm.pl.gene_information(ranked, n_genes=1).get_yticks()) == 1


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_the_colour_bar_is_named_within_the_page(ranked, layout):
    figure, axes = plt.subplots(ncols=2, layout=layout)
    bar = sm.pl.gene_information(ranked, pseudotime="pt", ax=axes)[1].collections[0].colorbar.ax
    figure.canvas.draw()
    assert bar.get_title(loc="left") == "z-score" and axes[1].get_title() == "smoothed\nexpression"
    (title,) = [text for text in bar.get_children() if getattr(text, "get_text", str)() == "z-score"]
    assert title.get_window_extent().x1 <= figure.bbox.x1


def test_expression_along_pseudotime(ranked):
    _, axes = sm.pl.gene_information(ranked, pseudotime="pt")
    mesh = axes.collections[0]
    z, edges = mesh.get_array(), mesh.get_coordinates()[0, :, 0]
    assert z.shape == (3, 100)
    np.testing.assert_allclose(edges, np.linspace(0, 1, 101))
    # By hand at one place: the mean of the thirty nearest of forty cells, by the tricube of their distance.
    t = np.arange(40) / 39
    apart = np.abs(t - 0.205)
    reach = np.sort(apart)[29] * 1.001
    weights = np.array([(1 - (each / reach) ** 3) ** 3 if each < reach else 0 for each in apart])
    up = weights @ (t - 0.5) / t.std() / weights.sum()
    np.testing.assert_allclose(z[:, 20], [up, -up, 0], atol=1e-9)
    # The ends are the means of cells on one side, and the middle is that of all.
    assert z[0, 0] < -0.8 and z[0, -1] > 0.8 and z[0, 49:51].mean() == pytest.approx(0, abs=1e-9)
    assert mesh.get_clim() == (-z.max(), z.max())
    assert axes.get_xlabel() == "pt"
    assert mesh.get_rasterized()
    _, late = sm.pl.gene_information(ranked, pseudotime="pt", mask_obs="late")
    assert late.collections[0].get_coordinates()[0, 0, 0] == pytest.approx(20 / 39)


def test_a_stretch_without_cells_stays_empty(ranked):
    ranked.obs["gap"] = ranked.obs["pt"] + ranked.obs["late"]
    _, ax = sm.pl.gene_information(ranked, pseudotime="gap")
    mesh = ax.collections[0]
    edges, z = mesh.get_coordinates()[0, :, 0], mesh.get_array()
    empty = np.ma.getmaskarray(z)
    assert (empty == empty[0]).all()
    (at,) = np.flatnonzero(empty[0])[[0, -1]].reshape(1, 2)
    # Places of .02, which stay empty where their middle is in the gap.
    np.testing.assert_allclose([edges[at[0]], edges[at[1] + 1]], [19 / 39, 1 + 20 / 39], atol=0.04)
    assert empty[0].sum() == at[1] - at[0] + 1


def test_genes_that_hardly_change_look_so(ranked):
    """Noise along pseudotime, and cells that are all at two places."""
    ranked.X = np.random.default_rng(0).normal(size=ranked.shape)
    ranked.obs["two"] = ranked.obs["late"].astype(float)
    for pseudotime in ("pt", "two"):
        _, ax = sm.pl.gene_information(ranked, pseudotime=pseudotime)
        assert ax.collections[0].get_clim() == (-0.5, 0.5)
    z = ax.collections[0].get_array()
    shown = ~np.ma.getmaskarray(z)[0]
    assert shown[[0, -1]].all() and shown.sum() == 2


def test_mistakes(ranked):
    for error, message, options in (
        (KeyError, "gene_information` first", {"key": "x"}),
        (KeyError, "pseudotime='x'", {"pseudotime": "x"}),
        (KeyError, "mask_obs='x'", {"pseudotime": "pt", "mask_obs": "x"}),
        (ValueError, "must be boolean", {"pseudotime": "pt", "mask_obs": np.zeros(3, dtype=bool)}),
        (ValueError, "fewer than two values", {"pseudotime": "pt", "mask_obs": np.arange(40) == 0}),
        (KeyError, "layer='x'", {"pseudotime": "pt", "layer": "x"}),
        (ValueError, "n_genes", {"n_genes": 0}),
    ):
        with pytest.raises(error, match=message):
            sm.pl.gene_information(ranked, **options)
    with pytest.raises(KeyError, match="not in `.var_names`"):
        sm.pl.gene_information(ranked[:, ["up"]], pseudotime="pt")
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match="1 entries for 2 panels"):
        sm.pl.gene_information(ranked, pseudotime="pt", ax=plt.subplots()[1])
