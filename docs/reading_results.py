"""Prints the tables of reading_results.md, but that of cells: ``python docs/reading_results.py``, a few minutes."""

import warnings

import numpy as np
import pandas as pd

import scmi as sm

DAYS = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
SISTERS = {"pair_key": "clone", "time_key": "day", "times": ("2", "6"), "replicate_key": "well"}
SEEDS = 4


def show(title, table):
    """Print a table under its title, as soon as it is there."""
    print(f"\n{title}\n{table.to_string(index=False)}", flush=True)


def experiment(n_clones, *, rng, **how):
    """A simulated lineage tracing of 500 genes after the recipe."""
    adata = sm.datasets.lineage(n_clones, n_genes=500, rng=rng, **how)
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata, n_top_genes=300)
    return adata


def shuffle_barcodes(adata, day, share, rng):
    """Hand the barcodes of a share of one day's cells around among them."""
    barcodes = adata.obs["clone"].to_numpy().copy()
    rows = np.flatnonzero(adata.obs["day"] == day)
    rows = rng.permutation(rows)[: round(share * len(rows))]
    barcodes[rows] = barcodes[rng.permutation(rows)]
    adata.obs["clone"] = barcodes


def how_many_clones():
    """Estimates of ever larger experiments, with their barcodes and with shuffled ones."""
    rows = []
    for depth, n_clones in (
        (3500, 100),
        (3500, 200),
        (3500, 400),
        (3500, 800),
        (3500, 1600),
        (1000, 400),
        (1000, 1600),
    ):
        true, null = [], []
        for seed in range(SEEDS):
            adata = experiment(n_clones, depth=depth, rng=seed)
            sm.tl.lmi(adata, **DAYS)
            true.append(adata.uns["lmi"])
            shuffle_barcodes(adata, "6", 1.0, np.random.default_rng(seed))
            sm.tl.lmi(adata, **DAYS)
            null.append(adata.uns["lmi"])
        bits = [result["mi"] for result in true]
        rows.append(
            {
                "counts per cell": depth,
                "clones": n_clones,
                "shared barcodes": round(np.mean([result["n_pairs"] for result in true])),
                "bits": f"{min(bits):.2f} to {max(bits):.2f}",
                "se": round(np.mean([result["se"] for result in true]), 3),
                "p <= .05": sum(result["p"] <= 0.05 for result in true),
                "shuffled bits": f"{min(r['mi'] for r in null):.2f} to {max(r['mi'] for r in null):.2f}",
                "shuffled p <= .05": sum(result["p"] <= 0.05 for result in null),
            }
        )
    show(f"How many clones ({SEEDS} experiments each)", pd.DataFrame(rows))


def batches():
    """Two batches and nothing else in common: significant, unless partners are permuted within batches."""
    rows = []
    for shift in (0.0, 1.0, 2.0):
        rng = np.random.default_rng(0)
        batch = rng.integers(2, size=600)
        x, y = rng.normal(size=(2, 600, 50)) + shift * batch[:, None]
        plain, within = (sm.lmi(x, y, strata=strata, rng=0) for strata in (None, batch))
        rows.append({"shift (sd)": shift, "bits": round(plain.mi, 2), "p": plain.p, "p within batches": within.p})
    show("Batches", pd.DataFrame(rows).round(3))


def nearly_the_same():
    """Y is x, but for noise: what nearest neighbours can tell ends with their number."""
    rows = []
    for n in (200, 2000):
        for bits in (2.0, 5.0, 10.0):
            sample = sm.datasets.gaussian(n, 20, 1, bits, rng=0)
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                result = sm.lmi(sample.x, sample.y, rng=0)
            warned = "yes" if any("nearly deterministic" in str(one.message) for one in told) else "no"
            rows.append({"pairs": n, "truth": bits, "mi": round(result.mi, 2), "warned": warned})
    show("Nearly deterministic", pd.DataFrame(rows))


def inequality():
    """The Markov test where the truth is known, and where the measurement of the early cells is poor."""
    rows = []
    for case, memory, wrong in (
        ("memory", True, 0.0),
        ("no memory", False, 0.0),
        ("no memory, half of the day-2 barcodes wrong", False, 0.5),
        ("no memory, 90 % of the day-2 barcodes wrong", False, 0.9),
    ):
        adata = experiment(1000, memory=memory, rng=0)
        shuffle_barcodes(adata, "2", wrong, np.random.default_rng(0))
        test = sm.tl.markov_test(adata, **SISTERS, counts_layer="counts")
        rows.append(
            {
                "simulated": case,
                "I(2; 6)": round(test.early_late.mi, 2),
                "I(6; 6')": round(test.late_late.mi, 2),
                "difference": f"{test.difference:+.2f} ({test.ci[0]:+.2f} to {test.ci[1]:+.2f})",
                "p": f"{test.p:.2g}",
                "at equal depth": f"{test.depth_matched.difference:+.2f} (p = {test.depth_matched.p:.2g})",
            }
        )
    show("The data processing inequality", pd.DataFrame(rows))


if __name__ == "__main__":
    batches()
    nearly_the_same()
    inequality()
    how_many_clones()
