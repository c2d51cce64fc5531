"""The promise of the ROC: points and areas are those counted by hand; what doesn't fit is refused."""

import numpy as np
import pytest

import scmi as sm


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_roc():
    ax = sm.pl.roc([1, 0, 1, 0], {"good": [4, 1, 3, 2], "half": [4.0, 3.0, 2.0, 1.0]})
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [(0, 0), (0, 0.5), (0, 1), (0.5, 1), (1, 1)])
    assert texts(ax) == ["good (AUC 1.00)", "half (AUC 0.75)"]
    assert texts(sm.pl.roc([True, False], [2, 1])) == ["(AUC 1.00)"]
    for labels, scores in (([1, 1], [1, 2]), ([1, 0], [1, np.nan]), ([1, 0], [1, 2, 3]), ([1, 2], [1, 2])):
        with pytest.raises(ValueError, match="labels"):
            sm.pl.roc(labels, scores)
