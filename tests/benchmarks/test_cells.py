"""Which cells tell most: ``pytest -m benchmark -s tests/benchmarks/test_cells.py``.

Correlations between two seeds, and with the true pMI of each cell of day 2, of three quantities: the cell's own pMI,
the mean of its neighbourhood in latent space (``lmi_pmi_local``), and the mean of 30 cells on the embedding.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import KDTree

import scmi as sm

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore:.*exact copies:UserWarning")]


def of_two_seeds(n_clones, data_seed):
    adata = sm.datasets.lineage(n_clones, rng=data_seed)
    sm.pp.recipe_lmi(adata)
    runs = []
    for seed in (0, 1):
        model = sm.LMI(n_permutations=0, progress=False)
        sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), rng=seed, model=model)
        runs.append(adata.obs[["lmi_pmi", "lmi_pmi_local"]].copy())
    early = ((adata.obs["day"] == "2") & adata.obs["lmi_pmi"].notna()).to_numpy()
    truth, places = adata.obs["true_pmi"][early].to_numpy(), adata.obsm["X_spring"][early]
    near = KDTree(places).query(places, k=30)[1]
    columns = {
        "the cell alone": [run["lmi_pmi"][early].to_numpy() for run in runs],
        "neighbourhood": [run["lmi_pmi_local"][early].to_numpy() for run in runs],
        "on the embedding": [run["lmi_pmi"][early].to_numpy()[near].mean(axis=1) for run in runs],
    }
    found = {}
    for name, (one, other) in columns.items():
        found[f"{name}, two seeds"] = np.corrcoef(one, other)[0, 1]
        found[f"{name}, truth"] = np.corrcoef(one, truth)[0, 1]
    return {"n_pairs": adata.uns["lmi"]["n_pairs"], **found}


def test_neighbourhoods_tell_more_of_a_cell_than_its_own_pmi():
    rows = {n: pd.DataFrame([of_two_seeds(n, seed) for seed in range(4)]).mean() for n in (620, 1350, 3150)}
    table = pd.DataFrame(rows).T
    with pd.option_context("display.width", 200, "display.max_columns", None):
        print(f"\n{table.round(2)}")
    assert (table["neighbourhood, truth"] > table["the cell alone, truth"] + 0.03).all()
