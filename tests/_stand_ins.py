"""What pages name and can't be had everywhere, made up: each returns names for the page's code, and may leave files.

A block of a page says by ``<!-- data: name -->`` what it needs. What is made up has the form of the real thing.
"""

import anndata as ad
import numpy as np
import pandas as pd

import scmi as sm

__all__ = ["STAND_INS"]


def larry():
    """Cells of three times with a matrix of clones, in the form of CoSpar's."""
    adata = sm.datasets.lineage(200, n_genes=500)
    clones = pd.get_dummies(adata.obs["clone"]).to_numpy()
    obs = pd.DataFrame({"time_info": adata.obs["day"].astype(str)}, index=adata.obs_names)
    return {"larry": ad.AnnData(adata.X, obs=obs, var=adata.var[[]], obsm={"X_clone": clones})}


def state_fate():
    """Places of early cells and the main fate of their clones, among cells of which nothing is known."""
    rng = np.random.default_rng(0)
    columns = ["SPRING1", "SPRING2"]
    names = [f"cell {i}" for i in range(300)]
    obs = pd.DataFrame(rng.normal(size=(300, 2)), columns=columns, index=names)
    obs["neutrophil_pseudotime"] = rng.uniform(0, 6e4, size=300)
    obs["clone"] = pd.Series([f"clone {i // 2}" for i in range(200)], index=names[:200])
    early = obs.iloc[:200]
    fate = pd.Series(np.where(early["SPRING1"] > 0, "monocyte", "neutrophil"), index=early.index)
    return {"cells": ad.AnnData(obs=obs), "places": early[columns], "main_fate": fate, "clone": early["clone"]}


def mnist():
    """Images of two kinds, whose border never varies."""
    rng = np.random.default_rng(0)
    kind = np.arange(100) % 2
    sides = rng.uniform(size=(2, 100, 28, 28)) * (0.5 + kind[:, None, None])
    sides[:, :, [0, -1]] = 0
    return dict(zip("xy", sides.reshape(2, 100, -1), strict=True))


def embeddings():
    """A file of embeddings per protein, as UniProt's, and a table of pairs."""
    import h5py

    rng = np.random.default_rng(0)
    with h5py.File("per-protein.h5", "w") as file:
        for i in range(120):
            file[f"P{i:05d}"] = rng.normal(size=8).astype(np.float16)
    first, second = rng.integers(0, 60, size=600), rng.integers(60, 120, size=600)
    pairs = pd.DataFrame({"ligand": [f"P{i:05d}" for i in first], "receptor": [f"P{i:05d}" for i in second]})
    pairs.drop_duplicates().to_csv("ligand_receptor_pairs.csv")
    return {}


def t_cells():
    """A file of RNA counts with surface proteins and clonotypes beside them."""
    rng = np.random.default_rng(0)
    adata = sm.datasets.lineage(60, n_genes=400)[:200].copy()
    adata.obsm["ADT"] = pd.DataFrame(rng.poisson(20, size=(200, 12)), index=adata.obs_names).add_prefix("protein ")
    adata.obsm["ADT"].columns = adata.obsm["ADT"].columns.astype(str)
    adata.obs = pd.DataFrame({"CTaa": [f"clonotype {i % 60}" for i in range(200)]}, index=adata.obs_names)
    adata.write_h5ad("cite_seq.h5ad")
    return {}


def mudata():
    """Two modalities of the same cells in one object."""
    from mudata import MuData

    rng = np.random.default_rng(0)
    obs = pd.DataFrame(index=[f"cell {i}" for i in range(80)])
    modalities = {}
    for name in ("rna", "adt"):
        var = pd.DataFrame(index=[f"{name} {i}" for i in range(6)])
        modalities[name] = ad.AnnData(rng.normal(size=(80, 6)), obs=obs, var=var)
    return {"mdata": MuData(modalities)}


STAND_INS = {make.__name__: make for make in (larry, state_fate, mnist, embeddings, t_cells, mudata)}
