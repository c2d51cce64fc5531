"""Draws the pictures of what_is_lmi.md into docs/images: ``python docs/what_is_lmi.py``, a minute on one core."""

import matplotlib.pyplot as plt
import numpy as np
from gallery import panel, save

import scmi as sm


def scatter(ax, x, y, title):
    """Pairs in the colours of their pMI, by KSG."""
    pmi = sm.ksg(x, y)
    drawn = ax.scatter(x, y, c=pmi, s=5, cmap="RdBu_r", vmin=-3, vmax=3, linewidths=0)
    ax.set(title=f"{title}: {pmi.mean():.2f} bits", xlabel="progenitor's state", ylabel="descendant's state")
    ax.set(xticks=[], yticks=[])
    return drawn


def pointwise():
    """Pairs of one number each, together and shuffled; and what is left of a bit among ever more columns."""
    figure, (together, apart, columns) = panel(width=9, height=2.9, ncols=3)
    pairs = sm.datasets.gaussian(1500, 1, 1, 1.0, rng=0)
    x, y = pairs.x[:, 0], pairs.y[:, 0]
    scatter(together, x, y, "relatives")
    drawn = scatter(apart, x, np.random.default_rng(0).permutation(y), "shuffled")
    figure.colorbar(drawn, ax=apart, label="pMI (bits)", extend="both")

    sizes = (4, 10, 30, 100, 300, 1000)
    estimates = {"nearest neighbours alone": [], "LMI": []}
    for size in sizes:
        sample = sm.datasets.gaussian(1000, size, 2, 1.0, rng=0)
        scaled = [side / side.std(axis=0) for side in (sample.x, sample.y)]
        estimates["nearest neighbours alone"].append(sm.ksg(*scaled).mean())
        estimates["LMI"].append(sm.lmi(sample.x, sample.y, n_permutations=0, rng=0).mi_corrected)
        print(size, {name: round(float(values[-1]), 2) for name, values in estimates.items()}, flush=True)
    columns.axhline(1, color="0.6", linestyle="--", label="truth")
    for (name, values), color in zip(estimates.items(), ("#D55E00", "#0072B2"), strict=True):
        columns.plot(sizes, values, "o-", color=color, label=name)
    columns.set(xscale="log", ylim=(-0.1, 1.3), xlabel="genes", ylabel="bits", title="1,000 pairs")
    columns.legend(frameon=False, loc="center left", fontsize="small")
    save("pointwise", figure, prefix="what_is_lmi")


def workflow():
    """From paired transcriptomes to latent axes to pMI on the cells: the paper's Fig. 1, with our own functions."""
    adata = sm.datasets.lineage(1200, n_genes=500, rng=0)
    sm.pp.recipe_lmi(adata, n_top_genes=300)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    pairs = adata.uns["lmi"]["pairs"].iloc[:40]
    print({name: adata.uns["lmi"][name] for name in ("mi_corrected", "mi_se", "n_pairs")})

    figure, axes = plt.subplots(ncols=4, figsize=(9, 2.9), layout="constrained", width_ratios=(1, 1, 1.8, 2.2))
    genes = np.flatnonzero(adata.var["highly_variable"])[:60]
    for column, day, ax in zip(pairs.columns[:2], ("2", "6"), axes, strict=False):
        values = adata[pairs[column].to_numpy()].X[:, genes].toarray()
        ax.imshow(values, cmap="Greys", vmax=3, aspect="auto", interpolation="nearest")
        ax.set(
            title=f"day {day}", xlabel="genes", ylabel="pairs of relatives" if day == "2" else "", xticks=[], yticks=[]
        )
    sm.pl.latent(adata, axis=1, ax=axes[2])
    early = (adata.obs["day"] == "2").to_numpy()
    sm.pl.pmi_embedding(adata, basis="spring", mask_obs=early, smooth=15, ax=axes[3])
    axes[3].set(title="pMI of day 2")
    save("workflow", figure, prefix="what_is_lmi")


if __name__ == "__main__":
    workflow()
    pointwise()
