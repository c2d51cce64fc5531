"""The promises of the picture of a Markov test.

- Estimates, intervals and difference are those stored, in bits; controls are drawn where there are such.
- The axes passed are returned; data and rcParams are left alone; a missing result leaves no figure behind.
"""

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import scmi as sm


def estimate(mi, *between):
    return {
        "between": list(between),
        "mi": mi,
        "se": 0.1,
        "ci": [mi - 0.16, mi + 0.16],
        "p": 0.001,
        "null": np.linspace(-0.1, 0.1, 101),
        "n_pairs": 300,
    }


@pytest.fixture
def tested():
    test = {
        "early_late": estimate(0.3, "2", "6, well 2"),
        "late_late": estimate(1.0, "6, well 1", "6, well 2"),
        "difference": 0.7,
        "se": 0.12,
        "p": 3e-5,
    }
    lower = {**test, "early_late": estimate(0.2, "2", "6, well 2"), "depth": 1234}
    ceiling = estimate(1.5, "2, well 1", "2, well 2")
    return ad.AnnData(
        np.zeros((1, 1)), uns={"markov_test": test, "with": {**test, "depth_matched": lower, "ceiling": ceiling}}
    )


def points(ax):
    return sorted((float(x), float(y)) for line in ax.lines if line.get_marker() == "o" for x, y in line.get_xydata())


def test_what_is_drawn(tested):
    ax = sm.pl.markov_test(tested)
    assert points(ax) == [(0, 0.3), (1, 1.0)]
    bars = [segment[:, 1] for box in ax.containers if hasattr(box, "has_yerr") for segment in box[2][0].get_segments()]
    np.testing.assert_allclose(bars, [[0.14, 0.46], [0.84, 1.16]])
    violins = [body for body in ax.collections if isinstance(body, mpl.collections.PolyCollection)]
    spans = [np.ptp(body.get_paths()[0].vertices[:, 1]) for body in violins]
    np.testing.assert_allclose(spans, [0.2, 0.2])
    assert ax.texts[-1].get_text() == "+0.70\n± 0.12\nbits\np = 3e-05"
    assert [label.get_text().split("\n")[0] for label in ax.get_xticklabels()] == ["2", "6, well 1"]
    assert ax.get_ylabel() == "mutual information (bits)"
    assert ax.get_ylim()[0] < -0.1 and ax.get_ylim()[1] > 1.16


def test_controls(tested):
    ax = sm.pl.markov_test(tested, key="with")
    assert [y for _, y in points(ax)] == [0.2, 0.3, 1.0, 1.0]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"at 1,234 counts per cell", "ceiling: I(2, well 1; 2, well 2)", "permuted partners"} == set(labels)
    assert 1.5 in {line.get_ydata()[0] for line in ax.lines}


def test_no_permutations_and_no_errors(tested):
    test = tested.uns["markov_test"]
    for arm in (test["early_late"], test["late_late"]):
        arm["null"], arm["ci"] = np.empty(0), [np.nan, np.nan]
    test["se"] = test["p"] = np.nan
    ax = sm.pl.markov_test(tested)
    assert points(ax) == [(0, 0.3), (1, 1.0)]
    assert ax.get_legend() is None
    assert ax.texts[-1].get_text() == "+0.70\nbits"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_axes_and_settings(tested, style):
    with plt.style.context(style):
        before = dict(mpl.rcParams)
        _, (_, right) = plt.subplots(ncols=2)
        assert sm.pl.markov_test(tested, key="with", ax=right) is right
        assert dict(mpl.rcParams) == before
        right.figure.canvas.draw()


def test_nothing_stored(tested):
    for key in ("other", "markov_test"):
        tested.uns.pop("markov_test", None)
        with pytest.raises(KeyError, match=r"Run `sm.tl.markov_test` first"):
            sm.pl.markov_test(tested, key=key)
    assert plt.get_fignums() == []


def test_an_estimate_near_the_most_there_is_has_an_arrow_and_no_bar(tested):
    tested.uns["markov_test"]["late_late"]["ci"][1] = np.inf
    ax = sm.pl.markov_test(tested)
    assert sum(getattr(text, "xyann", None) == (0, 18) for text in ax.texts) == 1
    assert np.isfinite(ax.get_ylim()).all()
    assert [len(bars[2]) for bars in ax.containers] == [1, 0]
