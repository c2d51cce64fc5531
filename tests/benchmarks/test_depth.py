"""The law of depth on simulated lineages, whose deeper selves are known.

``pytest -m benchmark tests/benchmarks/test_depth.py -s``. Of each lineage of 1,500 clones: the law over depths from 35
to 3,500 UMIs per cell, what data thinned to half of that predict at 3,500, and the estimate of the same cells at
50,000. About four minutes of one core each.
"""

import time
import warnings

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.pp.depth import Counts

pytestmark = pytest.mark.benchmark

SEEDS = range(60, 72)
HOW = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}


def prepared(adata):
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata)
    return adata


def at_half(adata, seed):
    """The same cells, sequenced half as deep."""
    counts = Counts.of(adata.X, None, "counts").thinned(0.5, np.random.default_rng(seed))
    return ad.AnnData(counts.used.astype(np.float32), obs=adata.obs[["day", "clone"]], var=adata.var[[]])


def test_lineages():
    rows = []
    for seed in SEEDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adata = sm.datasets.lineage(1500, rng=seed)
            half = sm.tl.depth_scaling(prepared(at_half(adata, seed)), **HOW, counts_layer="counts", rng=seed)
            full = sm.tl.depth_scaling(prepared(adata), **HOW, counts_layer="counts", rng=seed)
            deep = prepared(sm.datasets.lineage(1500, rng=seed, depth=50_000.0))
            found = []
            for rng in range(2):
                sm.tl.lmi(deep, **HOW, model=sm.LMI(n_permutations=0), rng=rng, progress=False)
                found.append(deep.uns["lmi"]["mi_ksg"])
        today = full.table[full.table["depth"] == full.table["depth"].max()]["mi"].mean()
        predicted = half.law.information(full.depth) / today - 1
        low, high = full.i_max_ci
        rows.append((full.r2, predicted, low <= np.mean(found) <= high, full.i_max, np.mean(found)))
        print(
            f"seed {seed}: R2 {full.r2:.3f}; {today:.3f} bits, predicted from half the depth {predicted:+.1%}; i_max "
            f"{full.i_max:.2f} ({low:.2f} to {high:.2f}), at 50,000 {np.mean(found):.3f}",
            flush=True,
        )
    r2, predicted, covered, i_max, deep = np.array(rows, dtype=float).T
    print(
        f"R2 {np.median(r2):.3f} in the median, {np.mean(r2 >= 0.98):.0%} from .98 on; predicted within 10 %: "
        f"{np.sum(np.abs(predicted) <= 0.1)} of {len(rows)}; covered {np.sum(covered):.0f} of {len(rows)}; i_max less "
        f"the estimate at 50,000: {np.mean(i_max - deep):+.3f}"
    )
    assert np.mean(np.abs(predicted) <= 0.15) > 0.8
    assert covered.mean() > 0.8


def test_thinning_takes_seconds():
    rng = np.random.default_rng(0)
    counts = sp.random(50_000, 2000, density=0.15, format="csr", rng=rng, data_rvs=lambda n: rng.geometric(0.6, n))
    start = time.perf_counter()
    own = Counts.of(counts.astype(np.float32), None, "counts")
    for share in np.geomspace(0.01, 1, 8):
        thinned = own.thinned(share, rng)
        thinned.logged()
        assert thinned.totals.sum() == pytest.approx(share * own.totals.sum(), rel=0.01)
    print(f"{counts.nnz:,} counts at eight depths: {time.perf_counter() - start:.1f} s")
