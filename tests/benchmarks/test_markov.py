"""The Markov test keeps its level and has power, on simulated lineages: ``pytest -m benchmark tests/benchmarks/test_markov.py -s``.

Each test prints the table that it judges. A run of 100 data sets takes about an hour of one core.
"""

import anndata as ad
import numpy as np
import pytest

import scmi as sm

pytestmark = pytest.mark.benchmark

N_RUNS = 100
# About 370 barcodes are then in all three samples; with 2,750 clones, 677.
N_CLONES = 1500


def experiment(seed, *, memory, n_clones=N_CLONES, early_depth=3500.0):
    """Days 2 and 6 after the recipe, raw counts kept; day 2 sequenced at a depth of its own."""
    early, late = (
        adata[adata.obs["day"] == day]
        for day, adata in (
            ("2", sm.datasets.lineage(n_clones, memory=memory, depth=early_depth, rng=seed)),
            ("6", sm.datasets.lineage(n_clones, memory=memory, rng=seed)),
        )
    )
    adata = ad.concat([early, late])
    adata.layers["counts"] = adata.X.copy()
    sm.pp.recipe_lmi(adata)
    return adata


def markov(seed, *, counts_layer=None, **options):
    adata = experiment(seed, **options)
    return sm.tl.markov_test(
        adata,
        pair_key="clone",
        time_key="day",
        times=("2", "6"),
        replicate_key="well",
        counts_layer=counts_layer,
        n_permutations=0,
        rng=seed,
    )


def shares(name, tests):
    rejected = np.mean([test.p <= 0.05 for test in tests])
    difference = np.array([test.difference for test in tests])
    print(
        f"\n{name}: {np.mean([test.late_late.n_pairs for test in tests]):.0f} barcodes, difference {difference.mean():+.3f} "
        f"bits (sd {difference.std(ddof=1):.3f}, mean se {np.mean([test.se for test in tests]):.3f}), rejects {rejected:.0%}"
    )
    return rejected


@pytest.mark.parametrize("early_depth", [3500.0, 1000.0])
def test_level_with_markov_dynamics(early_depth):
    tests = [markov(seed, memory=False, early_depth=early_depth) for seed in range(N_RUNS)]
    assert shares(f"Markov, day 2 at {early_depth:g} counts", tests) <= 0.05


def test_power_with_memory():
    tests = [markov(seed, memory=True, n_clones=2750) for seed in range(N_RUNS)]
    assert shares("memory", tests) >= 0.8


@pytest.mark.parametrize("early_depth", [300.0, 100.0])
def test_equal_depth_catches_what_noise_alone_breaks(early_depth):
    """As day 2 gets shallower, the test on the data as they are may reject for that alone; that at equal depth must not."""
    tests = [markov(seed, memory=False, early_depth=early_depth, counts_layer="counts") for seed in range(N_RUNS // 5)]
    shares(f"Markov, day 2 at {early_depth:g} counts", tests)
    assert shares("the same at equal depth", [test.depth_matched for test in tests]) <= 0.05
