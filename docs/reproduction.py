"""Draws the paper's Fig. 2 beside ours into docs/images, in some seconds: ``python docs/reproduction.py``.

The environment variable ``SCMI_TABLE`` names the table that ``test_figure_2`` in ``tests/benchmarks`` has written; the
command is in docs/accuracy.md. The published estimates are looked for beside the test data.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from gallery import DATA, save

PUBLISHED = DATA / ".." / "anchors" / "fig2_gaussian_estimates.csv"
HIGHEST = 1.5


def errors():
    """Squared errors in bits squared, one row per estimator and data set."""
    theirs = pd.read_csv(PUBLISHED, index_col=0)
    theirs.columns = ["truth", "d", "k", "estimator", "estimate"]
    theirs = theirs[theirs["estimator"].isin(["KSG", "MINE", "InfoNCE", "LMI"])]
    theirs["estimator"] = "published " + theirs["estimator"]
    ours = pd.read_csv(os.environ["SCMI_TABLE"]).rename(columns={"plain": "mi_ksg", "corrected": "mi"})
    ours = ours.melt(["truth", "d", "k"], ["mi_ksg", "mi"], "estimator", "estimate")
    ours["estimator"] = "ours, " + ours["estimator"]
    table = pd.concat([theirs, ours])
    return table.assign(error=(table["estimate"] - table["truth"]) ** 2)


def figure_2():
    """Mean squared error by dimension and number of informative dimensions."""
    table = errors()
    figure, axes = plt.subplots(ncols=3, nrows=2, figsize=(7, 4.6), layout="constrained", sharex=True, sharey=True)
    for ax, (name, part) in zip(axes.flat, table.groupby("estimator", sort=False), strict=True):
        mse = part.pivot_table(index="k", columns="d", values="error")
        drawn = ax.imshow(mse, origin="lower", aspect="auto", cmap="cividis_r", vmin=0, vmax=HIGHEST)
        ax.set_title(f"{name}\nmean {mse.to_numpy().mean():.3f}", fontsize=9)
        shown = np.arange(0, mse.shape[1], 2)
        ax.set_xticks(shown, mse.columns[shown], rotation=90, fontsize=7)
        ax.set_yticks(np.arange(0, len(mse), 2), mse.index[::2], fontsize=7)
        print(name, f"{mse.to_numpy().mean():.4f}", flush=True)
    figure.supxlabel("dimensions of x and of y", fontsize=9)
    figure.supylabel("informative dimensions k", fontsize=9)
    figure.colorbar(drawn, ax=axes, label="mean squared error (bits²)", extend="max")
    save("figure_2", figure, prefix="reproduction")


if __name__ == "__main__":
    figure_2()
