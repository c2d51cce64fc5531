"""The accuracy that the defaults promise, at full size: ``pytest -m benchmark tests/benchmarks/test_accuracy.py -s``.

Each test prints the table that it judges.
"""

import numpy as np
import pytest

import scmi as sm

pytestmark = pytest.mark.benchmark


def estimate(d, bits, seed):
    sample = sm.datasets.gaussian(2000, d, bits=bits, rng=seed)
    return sm.lmi(sample.x, sample.y, rng=seed).mi_ksg


@pytest.mark.parametrize("d", [100, 1000])
def test_gaussians_of_one_informative_dimension(d):
    estimates = {bits: [estimate(d, bits, seed) for seed in range(5)] for bits in (1.0, 0.0)}
    for bits, values in estimates.items():
        print(f"d={d} truth={bits} mean={np.mean(values):.3f} sd={np.std(values):.3f} {np.round(values, 3)}")
    assert np.mean(estimates[1.0]) == pytest.approx(1, abs=0.15)
    assert np.mean(estimates[0.0]) == pytest.approx(0, abs=0.03)


def test_lineage_at_its_default_size():
    adata = sm.datasets.lineage()
    sm.pp.recipe_lmi(adata)
    truth = adata.uns["truth"]["day2_day6"]
    shuffled = adata.copy()
    # Another clone's barcode for every barcoded cell of day 6: relatives on one day stay together.
    on_day_6 = (adata.obs["day"] == "6").to_numpy()
    labels = adata.obs["clone"].cat.categories.to_numpy()
    permuted = dict(zip(labels, np.random.default_rng(0).permutation(labels), strict=True))
    clone = adata.obs["clone"].astype(object).to_numpy(copy=True)
    clone[on_day_6] = [permuted.get(label) for label in clone[on_day_6]]
    shuffled.obs["clone"] = clone

    estimates = {"real": [], "shuffled": []}
    for name, data in (("real", adata), ("shuffled", shuffled)):
        for seed in range(3):
            sm.tl.lmi(data, pair_key="clone", groupby="day", groups=("2", "6"), rng=seed)
            estimates[name].append(data.uns["lmi"]["mi_ksg"])
        print(f"lineage {name}: {np.round(estimates[name], 3)}, truth {truth:.3f}")
    assert 0.4 * truth < min(estimates["real"]) <= max(estimates["real"]) < truth
    assert np.mean(estimates["shuffled"]) == pytest.approx(0, abs=0.03)
