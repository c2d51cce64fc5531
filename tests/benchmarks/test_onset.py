"""The interval of the onset on 100 simulated lineages: ``pytest -m benchmark tests/benchmarks/test_onset.py -s``.

Twenty minutes on one core. Seeds that the method was not made on.
"""

import numpy as np
import pandas as pd
import pytest

import scmi as sm

# Some cells of a simulation show the same counts.
pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore:.*exact copies:UserWarning")]

SEEDS = range(100, 200)


def test_interval_covers_the_breakpoint():
    rows = []
    for seed in SEEDS:
        adata = sm.datasets.lineage(rng=seed)
        truth = adata.uns["truth"]["breakpoint"]
        # Genes are chosen, and scaled, by the cells that are compared.
        adata = adata[adata.obs["day"] != "4"].copy()
        sm.pp.recipe_lmi(adata)
        how = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
        # Permutations serve the test of the estimate, not pMI.
        sm.tl.lmi(adata, **how, model=sm.LMI(n_permutations=0), rng=seed, progress=False)
        sm.tl.pmi_trend(adata, "pseudotime", mask_obs=adata.obs["day"] == "2", rng=seed)
        onset = adata.uns["lmi_trend"]["onset"].iloc[0]
        rows.append(onset)
        print(f"{seed} onset {onset['onset']:.3f} ({onset['ci_low']:.3f} to {onset['ci_high']:.3f})", flush=True)
    found = pd.DataFrame(rows)
    covered = int(((found["ci_low"] <= truth) & (truth <= found["ci_high"])).sum())
    width, error = found["ci_high"] - found["ci_low"], found["onset"] - truth
    print(
        f"covered {covered} of {len(found)}; width {width.median():.2f} in the middle, {width.max():.2f} at most; "
        f"onset off by {error.mean():+.3f}, sd {error.std():.3f}; no change rejected in {(found['p'] <= 0.05).sum()}"
    )
    assert covered >= 90
    assert np.median(width) < 0.35
