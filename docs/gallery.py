"""Draws every picture of gallery.md into docs/images: ``python docs/gallery.py``, a minute or two.

The real data (MNIST, LARRY) are looked for in ``SCMI_TEST_DATA``; without them their pictures are left as they are.
"""

import os
import warnings
from pathlib import Path

import anndata as ad
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score

import scmi as sm

IMAGES = Path(__file__).parent / "images"
DATA = Path(os.environ.get("SCMI_TEST_DATA", Path(__file__).parent / ".." / ".." / "shared" / "data"))
COLUMN = 3.5  # inches, a column of a two-column page
MAX_BYTES = 100_000
N_SPLITS = 10


def save(name, figure, prefix="gallery"):
    """Write a picture, with fewer colours if it would otherwise take more than 100 kB."""
    path = IMAGES / f"{prefix}_{name}.png"
    figure.savefig(path, dpi=160)
    drawn = Image.open(path).convert("RGB")
    drawn.save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        drawn.quantize(256).save(path, optimize=True)
    plt.close(figure)
    print(path.name, path.stat().st_size, flush=True)


def panel(width=COLUMN, height=2.8, ncols=1):
    """New axes of the size of a column."""
    return plt.subplots(ncols=ncols, figsize=(width, height), layout="constrained")


def genes_recovered(adata):
    """How well the ranking finds the genes that the simulator made informative."""
    table = adata.uns["lmi_genes"]["table"]
    informative = adata.var["informative"].reindex(table["gene"]).to_numpy()
    passed = (table["q"] <= 0.05).to_numpy()
    print(
        f"informative genes among {len(table)}: AUC of R2 {roc_auc_score(informative, table['r2']):.3f}, "
        f"of p {roc_auc_score(informative, -table['p']):.3f}; q <= .05: {(passed & informative).sum()} of "
        f"{informative.sum()} informative, {(passed & ~informative).sum()} of {(~informative).sum()} others"
    )


def simulated():
    """A simulated lineage tracing, a quarter of the README's."""
    adata = sm.datasets.lineage(800, n_genes=500)
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata, n_top_genes=300)
    how = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
    sm.tl.lmi(adata, **how)
    early = adata.obs["day"] == "2"

    figure, ax = panel(height=2.9)
    sm.pl.pmi_embedding(adata, basis="spring", mask_obs=early.to_numpy(), ax=ax)
    save("pmi_embedding", figure)

    sm.tl.pmi_trend(adata, "pseudotime", mask_obs=early.to_numpy())
    figure, ax = panel(height=3.2)
    sm.pl.pmi_trend(adata, color="fate", ax=ax)
    save("pmi_trend", figure)

    sm.tl.gene_information(adata, reverse=True)
    genes_recovered(adata)
    sm.tl.gene_information(adata)
    genes_recovered(adata)
    figure, axes = panel(width=7, height=4.2, ncols=2)
    sm.pl.gene_information(adata, pseudotime="pseudotime", mask_obs=early.to_numpy(), ax=axes)
    save("gene_information", figure)

    networks = sm.LMI(preset=sm.estimators.Settings(closed_form=False))
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), key_added="networks", model=networks)
    figure, ax = panel()
    sm.pl.history(adata, key="networks", ax=ax)
    save("history", figure)

    figure, axes = panel(width=7, height=3.2, ncols=2)
    for axis, ax in zip((1, 2), axes, strict=True):
        sm.pl.latent(adata, axis=axis, ax=ax)
    save("latent", figure)

    late = adata[adata.obs["day"] == "6"].copy()
    sm.tl.label_information(late, "fate", groups_key="clone")
    figure, ax = panel(height=2.2)
    sm.pl.label_information(late, ax=ax)
    save("label_information", figure)

    sm.tl.depth_scaling(adata, **how, counts_layer="counts")
    figure, ax = panel(height=3.2)
    sm.pl.depth_scaling(adata, ax=ax)
    save("depth_scaling", figure)
    return adata


def real_against_null():
    """Estimates of smaller experiments, with memory and without, beside those of shuffled barcodes."""
    results = {}
    rng = np.random.default_rng(0)
    for name, n_clones in (("250 clones", 250), ("500 clones", 500)):
        adata = sm.datasets.lineage(n_clones, n_genes=500)
        sm.pp.recipe_lmi(adata, n_top_genes=300)
        how = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
        sm.tl.lmi(adata, **how)
        null = []
        for seed in range(3):
            shuffled = adata.copy()
            for day in ("2", "6"):
                rows = np.flatnonzero(shuffled.obs["day"] == day)
                values = shuffled.obs["clone"].to_numpy()
                values[rows] = rng.permutation(values[rows])
                shuffled.obs["clone"] = values
            sm.tl.lmi(shuffled, **how, rng=seed)
            null.append(shuffled.uns["lmi"]["mi"])
        results[name] = {**adata.uns["lmi"], "null": null}
    figure, ax = panel()
    sm.pl.estimates(results, ax=ax)
    save("estimates", figure)


def classified():
    """Do pMI values tell true pairs from others? Pairs of a Gaussian, by LMI and by their correlation."""
    rng = np.random.default_rng(0)
    sample = sm.datasets.gaussian(2000, 30, 3, 2.0, rng=0)
    model = sm.LMI(rng=0).fit(sample.x[:1500], sample.y[:1500])
    x, y = sample.x[1500:], sample.y[1500:]
    other = rng.permutation(len(x))
    labels = np.repeat([True, False], len(x))
    pmi = np.concatenate([model.pmi(x, y), model.pmi(x, y[other])])
    first = np.concatenate([x[:, 0] * y[:, 0], x[:, 0] * y[other, 0]])
    figure, ax = panel(height=3.2)
    sm.pl.roc(labels, {"pMI": pmi, "first feature": first}, ax=ax)
    save("roc", figure)


def pixels():
    """MNIST zeros and ones, paired by digit (Fig. 10 of the paper): what a pixel of one tells of the other."""
    path = DATA / "mnist" / "mnist_01_train.npz"
    if not path.exists():
        print(f"no {path}")
        return
    file, rng = np.load(path), np.random.default_rng(0)
    sides = []
    for _ in range(2):
        digits = [file[name].reshape(len(file[name]), -1) for name in ("X0", "X1")]
        sides.append(np.concatenate([d[rng.permutation(len(d))[:500]] for d in digits]).astype(np.float32))
    model = sm.LMI(rng=0).fit(*sides)
    information, mean = model.information_y_, sides[1].mean(axis=0).reshape(28, 28)
    r2 = information.r2.reshape(28, 28)
    border = np.ones((28, 28), dtype=bool)
    border[4:-4, 4:-4] = False
    passed = (information.p < 0.05 / 784).reshape(28, 28)
    print(
        f"MNIST: {model.result_.mi:.3f} bits; R2 at most {np.nanmax(r2):.2f}; border of 4 pixels: "
        f"{np.isnan(r2[border]).sum()} of {border.sum()} without variation, largest R2 {np.nanmax(r2[border]):.3f}; "
        f"best 50 pixels' mean ink {mean.ravel()[np.argsort(-np.nan_to_num(r2.ravel(), nan=-1))[:50]].mean():.0f} of "
        f"{mean.mean():.0f} overall; p < .05 / 784 in {passed.sum()}, {passed[border].sum()} of them in the border"
    )
    figure, (left, right) = panel(width=7, height=2.9, ncols=2)
    left.imshow(mean, cmap="gray_r")
    left.set(title="mean image", xticks=[], yticks=[])
    colors = plt.get_cmap("viridis").with_extremes(bad="lightgray")
    drawn = right.imshow(r2, cmap=colors, vmin=0)
    right.set(title="informative pixels (grey: no variation)", xticks=[], yticks=[])
    figure.colorbar(drawn, ax=right, label="held-out $R^2$", extend="min")
    save("mnist", figure)


def larry():
    """781 real cells: which day-6 genes are predicted from day-4 relatives."""
    path = DATA / "larry" / "larry_781_cells.h5ad"
    if not path.exists():
        print(f"no {path}")
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ad.OldFormatWarning)
        adata = ad.read_h5ad(path)
    sm.pp.recipe_lmi(adata)
    sm.tl.lmi(adata, pair_key="X_clone", groupby="time_info", groups=("4", "6"))
    sm.tl.gene_information(adata)
    table = adata.uns["lmi_genes"]["table"]
    print(
        adata.uns["lmi"]["mi"],
        adata.uns["lmi"]["n_pairs"],
        (table["q"] <= 0.05).sum(),
        "genes of",
        len(table),
    )
    print(table.head(20).to_string())
    figure, ax = panel(height=4.2)
    sm.pl.gene_information(adata, ax=ax)
    save("larry", figure)


def fates():
    """Real day-2 cells: where on SPRING, and when, cells begin to tell the main fate of their clone mates."""
    folder = DATA / "larry"
    if not folder.exists():
        print(f"no {folder}")
        return
    fates = pd.read_csv(folder / "larry_day2_clonal_fate_counts.csv.gz", dtype={"cell": str}).set_index("cell")
    cells = pd.read_csv(folder / "larry_all_cells_130887.csv.gz", dtype={"cell": str}).set_index("cell")
    cells["clone"] = fates.groupby(list(fates)).ngroup().astype(str)
    early = cells.loc[fates.index]
    places, main_fate = early[["SPRING1", "SPRING2"]], fates.idxmax(axis=1)
    # Few clones: what a cell is given depends on the halves that they fall into.
    results = [sm.lmi(places, main_fate, groups=early["clone"], rng=seed) for seed in range(N_SPLITS)]
    cells["lmi_pmi"] = pd.Series(np.mean([result.pmi for result in results], axis=0), index=fates.index)
    adata = ad.AnnData(obs=cells[["SPRING1", "SPRING2", "neutrophil_pseudotime", "clone", "lmi_pmi"]].copy())
    sm.tl.pmi_trend(adata, "neutrophil_pseudotime", min_pseudotime=1e4, pair_key="clone")
    onset = adata.uns["lmi_trend"]["onset"].iloc[0]
    print(
        f"main fate: {np.round([result.mi for result in results], 2)} bits, p at most {max(r.p for r in results):.2g}"
    )
    print(onset.to_string())

    figure, ax = panel(height=2.9)
    sm.pl.pmi_embedding(
        adata, basis=("SPRING1", "SPRING2"), smooth=20, mark=("neutrophil_pseudotime", 35e3), size=3, ax=ax
    )
    save("larry_fate_embedding", figure)
    figure, ax = panel(height=3.0)
    sm.pl.pmi_trend(adata, ax=ax)
    ax.axvline(35e3, color="black", linestyle=":", linewidth=1)
    save("larry_fate_trend", figure)


if __name__ == "__main__":
    larry()
    fates()
    classified()
    pixels()
    simulated()
    real_against_null()
