"""Draws the pictures of what_is_lmi.md into docs/images: ``python docs/what_is_lmi.py``, some seconds."""

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
    """Pairs of one number each, together and shuffled."""
    figure, (together, apart) = panel(width=7, height=2.9, ncols=2)
    pairs = sm.datasets.gaussian(1500, 1, 1, 1.0, rng=0)
    x, y = pairs.x[:, 0], pairs.y[:, 0]
    scatter(together, x, y, "relatives")
    drawn = scatter(apart, x, np.random.default_rng(0).permutation(y), "shuffled")
    figure.colorbar(drawn, ax=apart, label="pMI (bits)", extend="both")
    save("pointwise", figure, prefix="what_is_lmi")


def workflow():
    """From paired transcriptomes to latent axes to pMI on the cells: the paper's Fig. 1, with our own functions."""
    adata = sm.datasets.lineage(500, n_genes=500, rng=0)
    sm.pp.recipe_lmi(adata, n_top_genes=300)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    pairs = adata.uns["lmi"]["pairs"].iloc[:40]
    print({name: adata.uns["lmi"][name] for name in ("mi", "se", "n_pairs")})

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
