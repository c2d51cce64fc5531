"""Does a real cell's place tell its clone mates' fate? ``pytest -m benchmark tests/benchmarks/test_state_fate.py -s``.

2,081 day-2 cells of Weinreb et al. (2020): x is their place on SPRING, y the fates of their clone mates on days 4 and 6.
The file doesn't name clones, so cells whose mates have the very same fates are kept together.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

import scmi as sm
from tests.conftest import DATA

pytestmark = pytest.mark.benchmark

N_NEIGHBOURS = 30


@pytest.fixture(scope="module")
def cells():
    """Places, counts of fates, and groups."""
    folder = DATA / "larry"
    if not folder.exists():
        pytest.skip(f"no {folder}; set SCMI_TEST_DATA")
    return load(folder)


def load(folder):
    fates = pd.read_csv(folder / "larry_day2_clonal_fate_counts.csv.gz").set_index("cell")
    places = pd.read_csv(folder / "larry_all_cells_130887.csv.gz").set_index("cell")
    return places.loc[fates.index, ["SPRING1", "SPRING2"]].to_numpy(), fates, fates.groupby(list(fates)).ngroup()


def permuted(fates, groups, rng):
    """Every group gets the fates of another one."""
    one = fates.groupby(groups.to_numpy()).first()
    return one.iloc[rng.permutation(len(one))].iloc[groups].set_axis(fates.index)


def main_fate(fates):
    return fates.idxmax(axis=1).to_numpy()


def neighbours(place, label, groups):
    """What 30 neighbours of other groups tell about the label: the entropy less the cross-entropy, in bits."""
    labels, code = np.unique(label, return_inverse=True)
    share = np.bincount(code) / len(code)
    # Enough of the nearest that 30 of other groups are among them.
    near = NearestNeighbors(n_neighbors=600).fit(place).kneighbors(return_distance=False)
    bits = np.empty(len(code))
    for i, others in enumerate(near):
        chosen = others[groups[others] != groups[i]][:N_NEIGHBOURS]
        # One more cell, spread over all labels as they are overall.
        expected = (np.bincount(code[chosen], minlength=len(labels)) + share) / (len(chosen) + 1)
        bits[i] = np.log2(expected[code[i]] / share[code[i]])
    return bits.mean()


def table(place, fates, groups, seed=0):
    """Every estimate in bits, with its error and p, on the real partners and on permuted ones."""
    rows = []
    for name, y in (("real", fates), ("permuted", permuted(fates, groups, np.random.default_rng(seed)))):
        for what, target in (("fate counts", y.to_numpy(np.float64)), ("main fate", main_fate(y))):
            result = sm.lmi(place, target, groups=groups.to_numpy(), rng=seed, progress=False)
            rows.append(
                (name, what, result.mi, result.mi_corrected, result.se, result.p, result.params["latent_model"])
            )
        rows.append(
            (name, "30 neighbours", neighbours(place, main_fate(y), groups.to_numpy()), np.nan, np.nan, np.nan, "")
        )
    return pd.DataFrame(rows, columns=["partners", "y", "mi", "mi_corrected", "se", "p", "model"])


def test_the_place_tells_the_fate(cells):
    found = table(*cells)
    print("\n" + found.round(3).to_string(index=False))
    bits = found.set_index(["partners", "y"])
    for what in ("fate counts", "main fate"):
        assert bits.loc[("real", what), "p"] <= 0.01
        assert bits.loc[("permuted", what), "p"] > 0.05
    # The classifier is a lower bound of the information about the main fate, smoothed over 30 cells.
    assert bits.loc[("real", "main fate"), "mi"] == pytest.approx(bits.loc[("real", "30 neighbours"), "mi"], abs=0.2)
