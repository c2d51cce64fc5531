"""The promises that all pictures keep.

- At the width of a column (3.4 in) nothing is cut off, no text lies on other text, and none is smaller than 6 points.
- In a PDF, text is text, and points are one picture.
- Styles are followed, and neither rcParams nor the random state change.
"""

import re

import anndata as ad
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm

WIDTH = 3.4


def genes(ax):
    table = pd.DataFrame({"gene": ["Gata2", "Cpa3", "Lyz2"], "r2": [0.5, 0.3, -0.1], "null": 0.05, "p": 0.1})
    table["q"] = [0.01, 0.02, 0.6]
    return sm.pl.gene_information(ad.AnnData(uns={"lmi_genes": {"table": table}}), ax=ax)


def markov(ax):
    def arm(mi, *between):
        return {"between": list(between), "mi": mi, "ci": [mi - 0.1, mi + 0.1], "null": np.linspace(-0.1, 0.1, 50)}

    stored = {"early_late": arm(0.3, "2", "6, well 2"), "late_late": arm(1.0, "6, well 1", "6, well 2")}
    stored |= {"difference": 0.7, "se": 0.12, "p": 3e-5, "ceiling": arm(1.5, "2, well 1", "2, well 2")}
    return sm.pl.markov_test(ad.AnnData(uns={"markov_test": stored}), ax=ax)


def labels(ax):
    table = pd.DataFrame(
        {"label": ["neutrophil", "monocyte", "basophil"], "p": [0.5, 0.3, 0.2], "pmi": [0.7, 0.2, -0.1]}
    )
    stored = {"table": table.assign(se=0.05), "params": {"label_key": "clone_fates"}}
    return sm.pl.label_information(ad.AnnData(uns={"label_mi": stored}), ax=ax)


def depth(ax):
    at = np.geomspace(35, 35_000, 7)
    law = sm.estimators.DepthLaw(900.0, 1.8)
    curve = pd.DataFrame({"depth": at, "mi": law.information(at)})
    curve = curve.assign(ci_low=0.9 * curve["mi"], ci_high=1.1 * curve["mi"])
    stored = {"depth": 3500.0, "ubar": 900.0, "i_max": 1.8, "i_max_ci": [1.6, 2.0], "depth_90": 3000.0, "curve": curve}
    stored["table"] = curve.iloc[:5].assign(repeat=0)
    return sm.pl.depth_scaling(ad.AnnData(uns={"depth_scaling": stored}), ax=ax)


def trend(adata, ax):
    sm.tl.pmi_trend(adata, "pseudotime", mask_obs="early", window=30, n_resamples=50)
    return sm.pl.pmi_trend(adata, color="fate", ax=ax)


DRAWINGS = {
    "depth_scaling": lambda _, ax: depth(ax),
    "pmi_embedding": lambda adata, ax: sm.pl.pmi_embedding(adata, basis="spring", mark=("pseudotime", 0.5), ax=ax),
    "pmi_trend": trend,
    "estimates": lambda _, ax: sm.pl.estimates(
        {"days 2 and 6": {"mi": 0.4, "se": 0.1, "null": [0.1]}, "b": 0.2}, ax=ax
    ),
    "gene_information": lambda _, ax: genes(ax),
    "history": lambda adata, ax: sm.pl.history(adata, ax=ax),
    "label_information": lambda _, ax: labels(ax),
    "latent": lambda adata, ax: sm.pl.latent(adata, ax=ax),
    "markov_test": lambda _, ax: markov(ax),
    "roc": lambda _, ax: sm.pl.roc([1, 0, 1, 0], {"pMI": [4, 1, 3, 2], "correlation": [4, 3, 2, 1]}, ax=ax),
}


@pytest.fixture(params=DRAWINGS)
def drawing(request, of_networks):
    of_networks.obs["early"] = of_networks.obs["day"] == "2"
    return lambda ax: DRAWINGS[request.param](of_networks, ax)


def test_every_plot_is_here():
    assert set(DRAWINGS) == set(sm.pl.__all__)


def shown(ax):
    """All texts of the axes; ticks beyond the limits have labels that are not drawn."""
    texts = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        texts += [
            text for at, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True) if low <= at <= high
        ]
    if ax.get_legend() is not None:
        texts += ax.get_legend().get_texts()
    return [text for text in texts if text.get_text().strip() and text.get_visible()]


def test_legible_in_a_column(drawing):
    figure, ax = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    drawing(ax)
    figure.canvas.draw()
    page = figure.bbox
    texts = [text for axes in figure.axes for text in shown(axes)]
    # One pixel at most, where letters end in empty space.
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts]
    for i, (name, box) in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1 and page.y0 <= box.y0 < box.y1 <= page.y1, name
        assert [other for other, theirs in boxes[:i] if box.overlaps(theirs)] == [], name
    assert min(text.get_fontsize() for text in texts) >= 6
    assert ax.get_ylabel() or all(label.get_text() for label in ax.get_yticklabels())


def test_text_in_a_pdf_is_text(drawing, tmp_path):
    _, ax = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    drawing(ax)
    with mpl.rc_context({"pdf.fonttype": 42, "pdf.compression": 0}):
        ax.figure.savefig(tmp_path / "x.pdf")
    pdf = (tmp_path / "x.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf
    assert len(re.findall(rb"\bT[jJ]\b", pdf)) >= len(shown(ax))
    clouds = [c for c in ax.collections if isinstance(c, mpl.collections.PathCollection) and len(c.get_offsets()) > 100]
    assert all(cloud.get_rasterized() for cloud in clouds)
    assert not clouds or b"/Subtype /Image" in pdf


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_styles_and_settings(drawing, style):
    with plt.style.context(style):
        before, state = dict(mpl.rcParams), np.random.get_state()[1].copy()
        figure, ax = plt.subplots()
        assert drawing(ax) is ax
        assert dict(mpl.rcParams) == before
        np.testing.assert_array_equal(np.random.get_state()[1], state)
        assert plt.get_fignums() == [figure.number]
        # What is drawn in the style's own colours can be seen on its ground.
        ground = np.array(mpl.colors.to_rgb(ax.get_facecolor()))
        for line in ax.lines:
            if line.get_linestyle() != "None" and line.get_color() != "none":
                assert np.abs(ground - mpl.colors.to_rgb(line.get_color())).max() > 0.2
