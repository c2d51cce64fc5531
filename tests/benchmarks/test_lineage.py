"""Lineage tracing with a known truth: ``pytest -m benchmark tests/benchmarks/test_lineage.py -s``.

From 300 to 3,300 shared barcodes, ours at its defaults beside the published protocol (the paper's settings and one
fixed pairing), and ours with the barcodes of one day permuted.
"""

import numpy as np
import pytest

import scmi as sm

pytestmark = pytest.mark.benchmark

# Fresh ones: no default was chosen on them.
SEEDS = (20, 21)


def permuted(adata, rng):
    """Another clone's barcode for every barcoded cell of day 6: relatives on one day stay together."""
    adata = adata.copy()
    labels = adata.obs["clone"].cat.categories.to_numpy()
    other = dict(zip(labels, rng.permutation(labels), strict=True))
    clone = adata.obs["clone"].astype(object).to_numpy(copy=True)
    late = (adata.obs["day"] == "6").to_numpy()
    clone[late] = [other.get(label) for label in clone[late]]
    adata.obs["clone"] = clone
    return adata


@pytest.mark.parametrize("n_clones", [640, 1490, 3180, 7000])
def test_shortfall(n_clones):
    shortfall = {"ours": [], "published": []}
    null = []
    for seed in SEEDS:
        adata = sm.datasets.lineage(n_clones, rng=seed)
        sm.pp.recipe_lmi(adata)
        truth = adata.uns["truth"]["day2_day6"]
        for name, options in (
            ("ours", {}),
            ("published", {"preset": "paper", "n_pairings": 1}),
            ("null", {}),
        ):
            data = permuted(adata, np.random.default_rng(seed)) if name == "null" else adata
            sm.tl.lmi(
                data,
                pair_key="clone",
                groupby="day",
                groups=("2", "6"),
                model=sm.LMI(n_permutations=0, **options),
                rng=seed,
                progress=False,
            )
            found = data.uns["lmi"]
            print(
                f"{found['n_pairs']} barcodes, seed {seed}, {name}: {found['mi']:.3f} of {truth:.3f} bits "
                f"{list(found['params']['latent_model'])}",
                flush=True,
            )
            (null if name == "null" else shortfall[name]).append(found["mi"] - (0 if name == "null" else truth))
    ours, theirs = (-np.mean(values) for values in shortfall.values())
    print(
        f"{n_clones} clones: shortfall {ours:.3f}, published {theirs:.3f}, ratio {ours / theirs:.2f}; "
        f"null {np.mean(null):+.3f}"
    )
    assert ours < 0.7 * theirs
    assert abs(np.mean(null)) < 0.05
