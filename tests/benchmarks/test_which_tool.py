"""The same clones through every tool that answers in bits.

``pytest -m benchmark tests/benchmarks/test_which_tool.py -s``. Days 2 and 6 of a simulated lineage, and days 4 and 6 of
781 real cells of Weinreb et al. (2020): once as they are, and once with other partners. ``SCMI_PEERS`` names the Python
of an environment with the peers (``pip install "numpy<2" "pandas<3" latentmi==0.1.3 torch-mist==0.2.17
diffusion-mi==0.1.0``). They get one cell of each clone and day: the 1,000 most variable genes after the recipe, or
their 10 first components where so many columns are beyond them.
"""

import json
import os
import subprocess
import sys
import time
import warnings

import anndata as ad
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import mutual_info_regression

import scmi as sm
from tests.conftest import DATA

pytestmark = pytest.mark.benchmark

PEERS = {
    "latentmi 0.1.3": """
        import numpy; numpy.NaN = numpy.nan
        from latentmi import lmi
        found = float(numpy.nanmean(lmi.estimate(x, y, quiet=True, epochs=300)[0]))
    """,
    "SMILE, torch-mist 0.2.17": """
        from torch_mist import estimate_mi
        half = len(u) // 2
        found = float(estimate_mi(data=(u[:half], v[:half]), test_data=(u[half:], v[half:]), estimator="smile",
            hidden_dims=[128], max_iterations=2000, verbose=False)[0]) / numpy.log(2)
    """,
    "MINDE, diffusion-mi 0.1.0": """
        from dmi import estimators
        half = len(u) // 2
        model = estimators.MINDEEstimator(x_shape=(10,), y_shape=(10,), learning_rate=1e-3, max_n_steps=5000,
            max_epochs=1000, mi_estimation_interval=10**6)
        model.fit(u[:half], v[:half], u[half:], v[half:])
        found = float(numpy.ravel(model.estimate(u[half:], v[half:]))[0]) / numpy.log(2)
    """,
}
AROUND = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy
data = numpy.load(sys.argv[1])
x, y, u, v = (data[name] for name in "xyuv")
start = time.perf_counter()
{code}
print("\\n" + json.dumps([found, time.perf_counter() - start]))
"""


def arrays(adata, pair_key, groupby, groups):
    """One cell of each clone and day: genes, and their principal components, on both sides."""
    days = [adata[adata.obs[groupby] == group].copy() for group in groups]
    pairs = sm.pp.pair_clones(*days, pair_key=pair_key)
    used = adata.var["highly_variable"].to_numpy()
    dense = [day.X[:, used].toarray().astype(np.float32) for day in days]
    parts = [PCA(10, random_state=0).fit_transform(side).astype(np.float32) for side in dense]
    rows = [pairs[name].to_numpy() for name in ("row_a", "row_b")]
    return [side[row] for side, row in zip(dense, rows, strict=True)], [
        side[row] for side, row in zip(parts, rows, strict=True)
    ]


def lineage():
    adata = sm.datasets.lineage(1490, rng=80)
    sm.pp.recipe_lmi(adata)
    return adata, {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}


def larry():
    adata = ad.read_h5ad(DATA / "larry" / "larry_781_cells.h5ad")
    sm.pp.recipe_lmi(adata)
    return adata, {"pair_key": "X_clone", "groupby": "time_info", "groups": ("4", "6")}


def ours(adata, how, other):
    """Of all cells; with other partners, of the clones' days permuted."""
    if other:
        adata = adata.copy()
        late = np.flatnonzero((adata.obs[how["groupby"]] == how["groups"][1]).to_numpy())
        moved = np.random.default_rng(0).permutation(late)
        adata.X[late] = adata.X[moved]
    start = time.perf_counter()
    sm.tl.lmi(adata, **how, progress=False)
    return adata.uns["lmi"]["mi"], time.perf_counter() - start


def best_gene(x, y):
    """The gene that tells most of itself: what one would do column by column."""
    start = time.perf_counter()
    each = [
        mutual_info_regression(x[:, [j]], y[:, j], random_state=0)[0] for j in range(x.shape[1]) if np.ptp(y[:, j]) > 0
    ]
    return max(each) / np.log(2), time.perf_counter() - start


def raw_ksg(u, v):
    start = time.perf_counter()
    return float(sm.ksg(u / u.std(0), v / v.std(0), metric="euclidean").mean()), time.perf_counter() - start


def peer(code, file):
    python = os.environ.get("SCMI_PEERS")
    if python is None:
        return np.nan, np.nan
    script = AROUND.format(code="\n".join(line.strip() for line in code.strip().splitlines()))
    done = subprocess.run([python, "-c", script, str(file)], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-300:])
        return np.nan, np.nan
    return tuple(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("made", [larry, lineage], ids=lambda made: made.__name__)
def test_the_same_clones(made, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata, how = made()
        sm.lmi(*np.random.default_rng(0).normal(size=(2, 100, 5)), progress=False)  # imports and compiles
        for other in (False, True):
            (x, y), (u, v) = arrays(adata, **how)
            if other:
                moved = np.random.default_rng(0).permutation(len(y))
                y, v = y[moved], v[moved]
            np.savez(tmp_path / "data.npz", x=x, y=y, u=u, v=v)
            rows = {"scmi": ours(adata, how, other), "sm.ksg, 10 components": raw_ksg(u, v)}
            rows["mutual_info_regression, best gene"] = best_gene(x, y)
            rows |= {name: peer(code, tmp_path / "data.npz") for name, code in PEERS.items()}
            for name, (bits, seconds) in rows.items():
                partners = "other partners" if other else "as they are"
                print(f"{made.__name__}, {len(x)} pairs, {partners}: {name:36s} {bits:6.2f} bits {seconds:7.1f} s")
            sys.stdout.flush()
            bits, _ = rows["scmi"]
            assert abs(bits) < 0.15 if other else bits > 0.2
