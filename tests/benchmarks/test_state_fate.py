"""Does a real cell's place tell its clone mates' fate? ``pytest -m benchmark tests/benchmarks/test_state_fate.py -s``.

2,081 day-2 cells of Weinreb et al. (2020): x is their place on SPRING, y the fates of their clone mates on days 4 and
6. The file doesn't name clones, so cells whose mates have the very same fates are kept together.
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
    one = fates.groupby(groups).first()
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


def table(place, fates, groups, n_draws=2):
    """Every estimate in bits with its p, of all cells and of one cell a group, with real partners and permuted ones."""
    groups = groups.to_numpy()
    rng = np.random.default_rng(1)
    rows = []
    for partners, y in (("real", fates), ("permuted", permuted(fates, groups, np.random.default_rng(0)))):
        for what, target in (("fate counts", y.to_numpy(np.float64)), ("main fate", main_fate(y))):
            result = sm.lmi(place, target, groups=groups, progress=False)
            alone = [
                sm.lmi(place[one], target[one], n_permutations=0, progress=False).mi_ksg
                for one in (one_of_each(groups, rng) for _ in range(n_draws))
            ]
            rows.append((what, partners, result.mi_ksg, result.p, np.mean(alone)))
        rows.append(("30 neighbours", partners, neighbours(place, main_fate(y), groups), np.nan, np.nan))
    return pd.DataFrame(rows, columns=["y", "partners", "mi", "p", "one_of_a_group"])


def one_of_each(groups, rng):
    shuffled = rng.permutation(len(groups))
    return np.sort(shuffled[np.unique(groups[shuffled], return_index=True)[1]])


def test_the_place_tells_the_fate(cells):
    found = table(*cells)
    print("\n" + found.round(3).to_string(index=False))
    real, shuffled = (found[found["partners"] == partners].set_index("y") for partners in ("real", "permuted"))
    assert (real["p"].dropna() <= 0.01).all()
    assert (shuffled["p"].dropna() > 0.05).all()
    # Mates lie near each other and share their y: that alone is what permuted groups show. The rest is about fate.
    rest = real.loc["main fate", "mi"] - shuffled.loc["main fate", "mi"]
    assert rest == pytest.approx(real.loc["30 neighbours", "mi"], abs=0.2)
    # The mean of two draws of 335 cells, each known to about .1.
    assert shuffled["one_of_a_group"].abs().max() < 0.35
