"""Noise in the early sample alone breaks the inequality, and the controls of ``sm.tl.markov_test`` tell.

``pytest -m benchmark tests/benchmarks/test_markov_noise.py -s`` prints the table of ``docs/inference.md``; about 10 s a
run on one core.
"""

import numpy as np
import pandas as pd
import pytest

import scmi as sm

from ._wells import sequenced

pytestmark = pytest.mark.benchmark

N_RUNS = 5
N_CLONES = 400
# Each of two fate coordinates of a late cell correlates by this with its progenitor's, and by its square with its
# sister's: -log2(1 - .81) = 2.40 bits, and -log2(1 - .81^2) = 1.54 bits between sisters.
RHO = 0.9
DEPTH = 3500.0
# With genes as loud as those of `sm.datasets.lineage`, 25 counts still tell the state.
STRENGTH = 0.3


def chain(seed, early_depth, strength=STRENGTH):
    """Two early and two late wells of one cell per clone: early sisters in the same state, late ones on their own."""
    rng = np.random.default_rng(seed)
    early = rng.normal(size=(N_CLONES, 2))
    late = [RHO * early + np.sqrt(1 - RHO**2) * rng.normal(size=early.shape) for _ in range(2)]
    states = {("2", "a"): early, ("2", "b"): early, ("6", "1"): late[0], ("6", "2"): late[1]}
    depths = {place: early_depth if place[0] == "2" else DEPTH for place in states}
    return sequenced(states, depths, rng, strength=strength)


def run(early_depth, seed):
    """One data set, its test and its controls, as a row of a table."""
    test = sm.tl.markov_test(
        chain(seed, early_depth),
        pair_key="clone",
        time_key="day",
        times=("2", "6"),
        replicate_key="well",
        counts_layer="counts",
        model=sm.LMI(n_pairings=4, n_permutations=0),
        rng=seed,
    )
    return {
        "early_depth": early_depth,
        "seed": seed,
        "early_late": test.early_late.mi,
        "late_late": test.late_late.mi,
        "p": test.p,
        "equal_depth": test.depth_matched.depth,
        "equal_early_late": test.depth_matched.early_late.mi,
        "equal_late_late": test.depth_matched.late_late.mi,
        "equal_p": test.depth_matched.p,
        "ceiling": test.ceiling.mi,
    }


def summary(table):
    """One row per depth: means over the runs, and how often each test rejects and the ceiling objects."""
    by = table.groupby("early_depth", sort=False)
    means = by[["early_late", "late_late", "equal_depth", "equal_early_late", "equal_late_late", "ceiling"]].mean()
    return means.assign(
        runs=by.size(),
        rejects=by["p"].apply(lambda p: np.mean(p <= 0.05)),
        equal_rejects=by["equal_p"].apply(lambda p: np.mean(p <= 0.05)),
        ceiling_below=by.apply(lambda runs: np.mean(runs["ceiling"] < runs["late_late"]), include_groups=False),
    ).round(2)


@pytest.mark.parametrize("early_depth", [3500.0, 300.0, 100.0, 50.0])
def test_controls_catch_what_noise_breaks(early_depth):
    table = pd.DataFrame([run(early_depth, seed) for seed in range(N_RUNS)])
    print("\n" + summary(table).T.to_string())
    rejected = table[table["p"] <= 0.05]
    # The comparison of the data as they are rejects at 50 counts; none of these runs does at equal depth.
    assert len(rejected) == 0 if early_depth == DEPTH else True
    assert len(rejected) >= 0.8 * N_RUNS if early_depth == 50 else True
    assert (rejected["equal_p"] > 0.05).all()
    assert (rejected["ceiling"] < rejected["late_late"]).all()
