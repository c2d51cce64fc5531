"""The interval of the onset on 100 simulated lineages: ``pytest -m benchmark tests/benchmarks/test_onset.py -s``.

Half an hour on two cores.
"""

import pytest

import scmi as sm

pytestmark = pytest.mark.benchmark


def test_interval_covers_the_breakpoint():
    covered = 0
    for seed in range(100):
        adata = sm.datasets.lineage(rng=seed)
        sm.pp.recipe_lmi(adata)
        sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), rng=seed)
        sm.tl.pmi_trend(adata, "pseudotime", mask_obs=adata.obs["day"] == "2", rng=seed)
        onset = adata.uns["lmi_trend"]["onset"].iloc[0]
        covered += onset["low"] <= adata.uns["truth"]["breakpoint"] <= onset["high"]
        print(
            f"{seed} onset {onset['onset']:.3f} ({onset['low']:.3f} to {onset['high']:.3f}), covered {covered}/{seed + 1}"
        )
    assert covered >= 90
