"""Counts of cells of known state, one cell of every clone in each well."""

import anndata as ad
import numpy as np
import pandas as pd

import scmi as sm
from scmi.datasets import draw_counts, draw_genes


def sequenced(states, depths, rng, *, strength=1.0):
    """The wells after the recipe, raw counts kept.

    ``states`` and ``depths`` are by (day, well): two fate coordinates of every clone's cell, and mean counts per cell;
    ``strength`` scales how loudly genes show the state.
    """
    base, loadings, _ = draw_genes(500, rng)
    samples = []
    for (day, well), state in states.items():
        n = len(state)
        phase = rng.uniform(0, 2 * np.pi, n)
        features = np.column_stack([np.zeros(n), state, np.cos(phase), np.sin(phase)])
        counts = draw_counts(features, base, strength * loadings, depths[day, well], rng)
        clone = [f"clone {i}" for i in range(n)]
        obs = pd.DataFrame({"day": day, "well": well, "clone": clone}, index=[f"{day}{well} {i}" for i in clone])
        samples.append(ad.AnnData(counts, obs=obs))
    adata = ad.concat(samples)
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata, n_top_genes=400)
    return adata
