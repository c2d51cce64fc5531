"""The promise that two groups which share too few barcodes are not the end: those that share more are named."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import TooFew


@pytest.fixture
def days():
    """Barcodes that days have in common, by hand: 5 of days 2 and 6, 12 of 2 and 4, 30 of 4 and 6."""
    shared = {("2", "6"): 5, ("2", "4"): 12, ("4", "6"): 30}
    cells = [(day, f"{a}{b}_{i}") for (a, b), n in shared.items() for i in range(n) for day in (a, b)] + [
        ("2", None)
    ] * 10
    obs = pd.DataFrame(cells, columns=["day", "clone"], index=[f"c{i}" for i in range(len(cells))])
    obs["well"] = np.resize(["1", "1", "2", "2"], len(obs))
    return ad.AnnData(np.random.default_rng(0).normal(size=(len(cells), 6)), obs=obs)


def test_pairs_that_share_more_are_named(days):
    match = r"Only 5 pairs.*Of `.obs\['day'\]`, these share more: '4' and '6' \(30 barcodes\), '2' and '4' \(12 bar"
    with pytest.raises(TooFew, match=match):
        sm.tl.lmi(days, pair_key="clone", groupby="day", groups=("2", "6"))
    # Fewer than asked for are no way out, and a matrix of clones is read as a column is.
    days.obsm["clones"] = pd.get_dummies(days.obs["clone"]).to_numpy(dtype=float)
    with pytest.raises(TooFew, match=r"Only 12 pairs.*share more: '4' and '6' \(30 barcodes\)\.$"):
        sm.tl.lmi(days, pair_key="clones", groupby="day", groups=("4", "2"))


def test_none_shares_more(days):
    few = days[days.obs["day"] != "4"].copy()
    with pytest.raises(TooFew, match=r"or another pair_key\.$"):
        sm.tl.lmi(few, pair_key="clone", groupby="day", groups=("2", "6"))


def test_the_markov_test_names_them_too(days):
    with pytest.raises(TooFew, match=r"these share more: '4' and '6' \(30 barcodes\)"):
        sm.tl.markov_test(days, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well", clones="all")
