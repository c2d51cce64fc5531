"""The promises of the picture of estimates beside their null.

- The number is `mi`, the one to report, of results, of what is stored and of tables alike; bars are 90 % intervals.
- What can't be drawn is named, and leaves no figure behind.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inference.permutation import PermutationTest


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_estimates_beside_their_null():
    test = PermutationTest(mi=0.3, null=np.array([0.0, 0.1]), p=0.01, n_pairs=9, kept=0.1)
    uns = {"mi": 0.6, "mi_ksg": 0.5, "se": 0.1}
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
    assert set(texts(ax)) == {"permuted partners", "estimate (90 % interval)"}
    frame = sm.pl.estimates(pd.DataFrame({"mi": [1.0, 2.0], "mi_ksg": 0.5, "null": [0.1, np.nan]}, index=["a", "b"]))
    np.testing.assert_allclose(frame.lines[-1].get_ydata(), [1, 2])
    assert len(frame.collections[0].get_offsets()) == 1
    for error, wrong in ((ValueError, {}), (KeyError, {"a": {"information": 1}}), (KeyError, {"a": None})):
        with pytest.raises(error, match="results"):
            sm.pl.estimates(wrong)


def test_what_is_near_the_most_there_is_has_an_arrow_and_no_bar():
    rows = {"clear": {"mi": 1.0, "se": 0.1, "ci": [0.8, 1.2]}, "most": {"mi": 6.1, "se": 0.01, "ci": [6.0, np.inf]}}
    table = pd.DataFrame({"mi": [1.0, 6.1], "se": [0.1, 0.01], "ci_high": [1.2, np.inf]}, index=list(rows))
    for results in (rows, table):
        ax = sm.pl.estimates(results)
        (bars,) = ax.containers
        assert len(bars[2][0].get_segments()) == 1
        (arrow,) = ax.texts
        assert arrow.xy == (1, 6.1) and arrow.xyann[1] > 0


def test_bars_of_labels_are_called_by_the_label():
    stored = {"mi": 1.0, "p": 0.01, "entropy": 2.0, "share": 0.5}
    adata = ad.AnnData(np.zeros((2, 1)))
    adata.uns["label_mi"] = {**stored, "params": {"label_key": "cell_fate"}}
    adata.uns["pairs"] = {**stored, "params": {"label_key": ["blood", "tumour"]}}
    adata.uns["lmi"] = {"mi": 0.5, "p": 0.01, "params": {"groupby": "day", "groups": ["2", "6"]}}
    names = [text.get_text() for text in sm.pl.estimates(adata).get_xticklabels()]
    assert sorted(names) == ["blood and tumour", "cell fate", "day 2 and 6"]
    adata.uns["within"] = {**stored, "params": {"label_key": "cell_fate", "condition_on": "batch"}}
    names = [text.get_text() for text in sm.pl.estimates(adata).get_xticklabels()]
    assert {"label_mi", "within"} < set(names)


def test_many_permutations_are_a_violin_and_few_are_points():
    null = np.linspace(-0.1, 0.3, 999)
    ax = sm.pl.estimates(
        {"many": {"mi": 0.5, "null": pd.DataFrame({"mi": null})}, "few": {"mi": 0.5, "null": null[:5]}}
    )
    violin, median, points, _ = ax.collections
    outline = violin.get_paths()[0].vertices
    assert (outline[:, 1].min(), outline[:, 1].max()) == pytest.approx((-0.1, 0.3))
    assert median.get_segments()[0][:, 1] == pytest.approx([0.1, 0.1])
    assert len(points.get_offsets()) == 5
    assert texts(ax) == ["permuted partners", "estimate"]


def test_labels_have_their_entropy_and_no_null():
    ax = sm.pl.estimates({"lmi": 0.2, "fate": {"mi": 1.0, "entropy": 1.6, "share": 0.6, "null": np.full(99, -5.0)}})
    dash, _ = ax.collections
    assert dash.get_segments()[0] == pytest.approx(np.array([[0.78, 1.6], [1.22, 1.6]]))
    assert "entropy of the labels" in texts(ax)
    assert ax.get_ylim()[0] > -1


def test_an_object_is_drawn_with_all_its_estimates(estimated):
    ax = sm.pl.estimates(estimated)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["day 2 and 6"]
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), [(0, estimated.uns["lmi"]["mi"])])
    # What is left beyond a covariate is called by that.
    left = {"on": ["cell_cycle"], "mi": 0.1, "se": 0.05, "p": 0.2, "params": {}}
    estimated.uns["lmi_conditional"] = left
    ax = sm.pl.estimates(estimated)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["day 2 and 6", "given cell cycle"]
    del estimated.uns["lmi_conditional"]
    # Two of the same groups are told apart by their keys.
    estimated.uns["again"] = {**estimated.uns["lmi"], "mi": 0.7}
    both = sm.pl.estimates(estimated)
    assert [text.get_text() for text in both.get_xticklabels()] == ["lmi", "again"]
    np.testing.assert_allclose(both.lines[-1].get_ydata(), [estimated.uns["lmi"]["mi"], 0.7])
    for key in ("lmi", "again"):
        del estimated.uns[key]
    with pytest.raises(ValueError, match="holds no estimate in `.uns`. Run `sm.tl.lmi` first"):
        sm.pl.estimates(estimated)
    with pytest.raises(
        TypeError, match="`results` must be an AnnData, a dictionary of results or a DataFrame, got int"
    ):
        sm.pl.estimates(3)


def test_a_stored_estimate_is_drawn_with_its_error(estimated):
    stored = estimated.uns["lmi"]
    ax = sm.pl.estimates({"days": stored})
    ((start, end),) = ax.containers[0][2][0].get_segments()
    assert end[1] - start[1] == pytest.approx(stored["ci"][1] - stored["ci"][0])
    assert (start[1] + end[1]) / 2 == pytest.approx(stored["mi"])
