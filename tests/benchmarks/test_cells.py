"""Which cells tell most: ``pytest -m benchmark -s tests/benchmarks/test_cells.py``.

Correlations between two seeds, and with the true pMI of each cell of day 2, of three quantities: the cell's own pMI,
the mean of its neighbourhood in latent space (``lmi_pmi_local``), and the mean of 30 cells on the embedding. Beside
these, the correlation of the neighbourhood's mean with that of the true pMI of the same cells, and the spread of their
difference in units of ``lmi_pmi_local_se``. ``SCMI_SEEDS`` are those of the data ("0 1 2 3").
"""

import os

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import KDTree

import scmi as sm
from scmi.estimators.inference.local import _in_all_spaces, neighbourhoods, size_of_neighbourhood

SEEDS = [int(seed) for seed in os.environ.get("SCMI_SEEDS", "0 1 2 3").split()]

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
    latents = _in_all_spaces(model.folds_, "x", adata[early, adata.var["highly_variable"]].X)
    own_truth = truth[neighbourhoods(latents, size_of_neighbourhood(len(truth)))].mean(axis=1)
    off = (adata.obs["lmi_pmi_local"][early].to_numpy() - own_truth) / adata.obs["lmi_pmi_local_se"][early].to_numpy()
    columns = {
        "the cell alone": [run["lmi_pmi"][early].to_numpy() for run in runs],
        "neighbourhood": [run["lmi_pmi_local"][early].to_numpy() for run in runs],
        "on the embedding": [run["lmi_pmi"][early].to_numpy()[near].mean(axis=1) for run in runs],
    }
    found = {}
    for name, (one, other) in columns.items():
        found[f"{name}, two seeds"] = np.corrcoef(one, other)[0, 1]
        found[f"{name}, truth"] = np.corrcoef(one, truth)[0, 1]
    found["neighbourhood, its truth"] = np.corrcoef(columns["neighbourhood"][1], own_truth)[0, 1]
    found["spread in errors"] = np.nanstd(off)
    return {"n_pairs": adata.uns["lmi"]["n_pairs"], **found}


def test_neighbourhoods_tell_more_of_a_cell_than_its_own_pmi():
    rows = {n: pd.DataFrame([of_two_seeds(n, seed) for seed in SEEDS]).mean() for n in (620, 1350, 3150)}
    table = pd.DataFrame(rows).T
    with pd.option_context("display.width", 200, "display.max_columns", None):
        print(f"\n{table.round(2)}")
    assert (table["neighbourhood, truth"] > table["the cell alone, truth"] + 0.03).all()
