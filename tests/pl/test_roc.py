"""The promise of the ROC: points and areas are those counted by hand; what doesn't fit is refused."""

import numpy as np
import pandas as pd
import pytest

import scmi as sm


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_roc():
    ax = sm.pl.roc([1, 0, 1, 0], {"good": [4, 1, 3, 2], "half": [4.0, 3.0, 2.0, 1.0]})
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [(0, 0), (0, 0.5), (0, 1), (0.5, 1), (1, 1)])
    assert texts(ax) == ["good (AUC 1.00)", "half (AUC 0.75)"]
    assert texts(sm.pl.roc([True, False], [2, 1])) == ["(AUC 1.00)"]
    for labels, scores in (([1, 1], [1, 2]), ([1, 0], [1, np.nan]), ([1, 0], [1, 2, 3]), ([1, 2], [1, 2])):
        with pytest.raises(ValueError, match="labels"):
            sm.pl.roc(labels, scores)


@pytest.mark.slow
def test_of_interactions():
    """The mean curves and bands of a result are drawn as they are."""
    rng = np.random.default_rng(0)
    embeddings = {f"P{i}": vector for i, vector in enumerate(rng.normal(size=(120, 4)))}
    pairs = pd.DataFrame({"first": [f"P{i}" for i in range(60)], "second": [f"P{i}" for i in range(60, 120)]})
    found = sm.tl.interactions(embeddings, pairs, n_repeats=2, held_out=0.3, n_shuffles=1)
    ax = sm.pl.roc(found)
    curve = found.roc[found.roc["negatives"] == "random"]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), curve[["fpr", "tpr"]])
    assert texts(ax) == [f"{kind} negatives (AUC {found.auc['mean'][kind]:.2f})" for kind in ("random", "role-matched")]
    with pytest.raises(ValueError, match="leave out `scores`"):
        sm.pl.roc(found, [1.0])
    with pytest.raises(TypeError, match="`scores` is missing"):
        sm.pl.roc([True, False])
