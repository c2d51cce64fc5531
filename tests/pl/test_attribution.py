"""The promises of the pictures of genes, estimates, trainings, latent axes and ROC.

- What is drawn is what is stored: positions, fills, labels, names, limits.
- Mistakes are named and leave no figure behind.
"""

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inference import PermutationTest


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
    assert ax.get_ylim() == (2.5, -0.5)
    assert texts(ax) == ["5 % of permutations", "q ≤ 0.05 (2 of 3)", "q > 0.05 (1 of 3)"]
    assert len(sm.pl.gene_information(ranked, n_genes=1).get_yticks()) == 1


def test_expression_along_pseudotime(ranked):
    _, axes = sm.pl.gene_information(ranked, pseudotime="pt")
    mesh = axes.collections[0]
    z = mesh.get_array()
    assert z.shape == (3, 8)
    up = ((np.arange(40) / 39).reshape(8, 5).mean(axis=1) - 0.5) / (np.arange(40) / 39).std()
    np.testing.assert_allclose(z, [up, -up, np.zeros(8)], atol=1e-12)
    edges = mesh.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, [*np.arange(0, 40, 5) / 39, 1])
    assert axes.get_xlabel() == "pt"
    assert mesh.get_rasterized()
    _, late = sm.pl.gene_information(ranked, pseudotime="pt", mask_obs="late")
    assert late.collections[0].get_coordinates()[0, 0, 0] == pytest.approx(20 / 39)


def test_a_stretch_without_cells_stays_empty(ranked):
    ranked.obs["gap"] = ranked.obs["pt"] + ranked.obs["late"]
    _, ax = sm.pl.gene_information(ranked, pseudotime="gap")
    mesh = ax.collections[0]
    edges, z = mesh.get_coordinates()[0, :, 0], mesh.get_array()
    (empty,) = np.flatnonzero(np.ma.getmaskarray(z)[0])
    np.testing.assert_allclose(edges[empty : empty + 2], [19 / 39, 1 + 20 / 39])
    assert np.ma.getmaskarray(z).sum() == 3
    assert z.shape == (3, 9)


def test_mistakes_of_gene_information(ranked):
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


def test_estimates_beside_their_null():
    test = PermutationTest(mi=0.3, null=np.array([0.0, 0.1]), p=0.01, n_pairs=9)
    uns = {"mi": 0.5, "mi_corrected": 0.6, "mi_se": 0.1}
    ax = sm.pl.estimates({"test": test, "uns": uns, "number": 0.2})
    null = ax.collections[0].get_offsets()
    assert sorted(null[:, 1]) == [0.0, 0.1]
    assert np.abs(null[:, 0]).max() < 0.5
    (bars,) = ax.containers
    ((start, end),) = bars[2][0].get_segments()
    assert (*start, *end) == pytest.approx((1, 0.6 - 0.16448536, 1, 0.6 + 0.16448536))
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), [(0, 0.3), (1, 0.6), (2, 0.2)])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["test", "uns", "number"]
    assert "bits" in ax.get_ylabel()
    assert set(texts(ax)) == {"permuted pairs", "estimate (90 % interval)"}
    frame = sm.pl.estimates(pd.DataFrame({"mi": [1.0, 2.0], "null": [0.1, np.nan]}, index=["a", "b"]))
    np.testing.assert_allclose(frame.lines[-1].get_ydata(), [1, 2])
    assert len(frame.collections[0].get_offsets()) == 1
    for error, wrong in ((ValueError, {}), (KeyError, {"a": {"information": 1}}), (KeyError, {"a": None})):
        with pytest.raises(error, match="results"):
            sm.pl.estimates(wrong)


def test_a_stored_estimate_is_drawn_with_its_error(estimated):
    stored = estimated.uns["lmi"]
    ax = sm.pl.estimates({"days": stored})
    ((start, end),) = ax.containers[0][2][0].get_segments()
    assert end[1] - start[1] == pytest.approx(stored["mi_ci"][1] - stored["mi_ci"][0])
    assert (start[1] + end[1]) / 2 == pytest.approx(stored["mi_corrected"])


def test_history_marks_what_was_kept(estimated):
    ax = sm.pl.history(estimated)
    frame = estimated.uns["lmi"]["history"]
    for fold, kind in enumerate(estimated.uns["lmi"]["params"]["latent_model"]):
        losses = frame[frame["fold"] == fold]
        train, validation, dot = ax.lines[3 * fold : 3 * fold + 3]
        np.testing.assert_array_equal(train.get_ydata(), losses["train"])
        np.testing.assert_array_equal(validation.get_xydata(), losses[["step", "validation"]])
        assert dot.get_ydata()[0] == losses["validation"].min()
        assert (f"{kind} model used" in texts(ax)[fold]) == (kind != "network")
    with pytest.raises(KeyError, match="Run `sm.tl.lmi` first"):
        sm.pl.history(estimated, key="other")


def test_latent_draws_held_out_pairs_on_axes_of_the_others():
    """Two correlated dimensions behind a rotation and a shift, in 400 pairs: r is .95 and .8 within .05."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(400, 2))
    r = np.array([0.95, 0.8])
    other = r * shared + np.sqrt(1 - r**2) * rng.normal(size=(400, 2))
    a, b = (ad.AnnData(obs=pd.DataFrame(index=[f"{name}{i}" for i in range(400)])) for name in "ab")
    a.obsm["X_lmi"] = shared @ np.array([[1.0, 2.0], [-2.0, 1.0]]) + 5
    b.obsm["X_lmi"] = other @ np.array([[0.0, 3.0], [1.0, 0.0]])
    pairs = pd.DataFrame({"cell_a": a.obs_names, "cell_b": b.obs_names, "fold": np.arange(400) % 2})
    a.uns["lmi"] = b.uns["lmi"] = {"pairs": pairs, "params": {}}
    for axis in (1, 2):
        ax = sm.pl.latent(a, b[rng.permutation(400)], axis=axis)
        points = ax.collections[0].get_offsets()
        assert len(points) == 200
        assert np.corrcoef(points.T)[0, 1] == pytest.approx(r[axis - 1], abs=0.05)
        assert ax.get_title() == f"r = {np.corrcoef(points.T)[0, 1]:.2f}, 200 held-out pairs"
        # Standard deviations of the other fold's pairs.
        assert list(points.std(axis=0)) == pytest.approx([1, 1], abs=0.15)
    for error, message, call in (
        (ValueError, "have 2 dimensions", lambda: sm.pl.latent(a, b, axis=3)),
        (KeyError, "100 paired cells are not in `adata_b`", lambda: sm.pl.latent(a, b[:300])),
        (KeyError, "400 paired cells are not in `adata_a`", lambda: sm.pl.latent(b, a)),
        (KeyError, "other", lambda: sm.pl.latent(a, b, key="other")),
    ):
        with pytest.raises(error, match=message):
            call()


def test_latent_of_an_estimate(estimated):
    ax = sm.pl.latent(estimated)
    pairs = estimated.uns["lmi"]["pairs"]
    assert len(ax.collections[0].get_offsets()) == (pairs["fold"] == 0).sum()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("day 2, canonical axis 1", "day 6, canonical axis 1")


def test_roc():
    ax = sm.pl.roc([1, 0, 1, 0], {"good": [4, 1, 3, 2], "half": [4.0, 3.0, 2.0, 1.0]})
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [(0, 0), (0, 0.5), (0, 1), (0.5, 1), (1, 1)])
    assert texts(ax) == ["good (AUC 1.00)", "half (AUC 0.75)"]
    assert texts(sm.pl.roc([True, False], [2, 1])) == ["(AUC 1.00)"]
    for labels, scores in (([1, 1], [1, 2]), ([1, 0], [1, np.nan]), ([1, 0], [1, 2, 3]), ([1, 2], [1, 2])):
        with pytest.raises(ValueError, match="labels"):
            sm.pl.roc(labels, scores)
