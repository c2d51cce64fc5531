"""Information about labels where the truth is known, beside what a user might take; and real cells.

``pytest -m benchmark -s tests/benchmarks/test_labels.py``. Each test prints the table that it judges.
"""

import time

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scmi as sm
from scmi.estimators import label_information
from tests.conftest import DATA
from tests.estimators.labels._mixtures import mixture

from .test_state_fate import load, main_fate

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]

# Cells, labels, columns, how far centres lie apart, whether shares are uneven, share of mistaken labels.
SETTINGS = [
    (200, 2, 1, 1.0, False, 0.0),
    (200, 2, 100, 1.5, False, 0.0),
    (200, 5, 10, 1.5, True, 0.0),
    (1000, 2, 100, 1.0, False, 0.1),
    (1000, 5, 10, 1.5, True, 0.2),
    (1000, 10, 1000, 1.5, True, 0.0),
    (1000, 40, 10, 2.0, False, 0.0),
    (5000, 10, 50, 1.5, True, 0.1),
    (5000, 40, 100, 2.0, True, 0.0),
    (20000, 10, 100, 1.5, False, 0.0),
]


def held_out_bits(model, x, label):
    """A classifier's own, by cross-validation: entropy less cross-entropy."""
    codes = np.unique(label, return_inverse=True)[1]
    share = np.bincount(codes) / len(codes)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    p = cross_val_predict(model, x, codes, cv=folds, method="predict_proba")
    return float(np.mean(np.log2(np.maximum(p[np.arange(len(codes)), codes], 1e-6) / share[codes])))


PEERS = {
    "logistic": lambda: make_pipeline(
        StandardScaler(), LogisticRegressionCV(Cs=5, cv=3, scoring="neg_log_loss", max_iter=300)
    ),
    "forest": lambda: RandomForestClassifier(300, min_samples_leaf=3, n_jobs=2, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=60, early_stopping=True, random_state=0),
}


def test_mixtures():
    rows = []
    for setting in SETTINGS:
        x, label, bits = mixture(*setting, seed=sum(setting[:3]))
        start = time.perf_counter()
        result = label_information(x, label, n_permutations=99)
        row = {"cells": setting[0], "labels": setting[1], "columns": setting[2], "truth": bits.mean(), "mi": result.mi}
        row |= {"se": result.se, "H": result.entropy, "seconds": time.perf_counter() - start, "ksg": result.mi_ksg}
        if setting[0] <= 1000:  # the others take minutes
            row |= {name: held_out_bits(make(), x, label) for name, make in PEERS.items()}
            one_by_one = mutual_info_classif(x, label, random_state=0)
            row["columns summed"] = one_by_one.sum() / np.log(2)
            row["sm.ksg"] = sm.ksg(x, np.eye(setting[1])[label], metric="euclidean").mean()
        rows.append(row)
        print({name: round(float(value), 3) for name, value in row.items()}, flush=True)
    table = pd.DataFrame(rows)
    error = table["mi"] - table["truth"]
    within = error.abs() <= np.maximum(0.05, 0.05 * table["H"])
    print(f"\n{table.round(3).to_string(index=False)}\nwithin .05 bit or 5 % of H: {within.sum()} of {len(table)}")
    assert (error <= 2 * table["se"]).all()
    assert within.sum() >= len(table) - 2


def test_p_is_valid_and_intervals_cover():
    rng = np.random.default_rng(0)
    p = []
    for seed in range(100):
        label = rng.integers(0, 3, 100)
        p.append(label_information(rng.normal(size=(100, 5)), label, n_permutations=99, rng=seed).p)
    shares = {level: float(np.mean(np.array(p) <= level)) for level in (0.05, 0.1, 0.2, 0.5)}
    print(f"\nshares of p at or below: {shares}; 1 in {np.mean(np.array(p) == 1):.0%}")
    estimates = []
    for seed in range(60):
        result = label_information(*_resampled(seed), n_permutations=0, rng=seed)
        estimates.append((result.mi, result.se))
    mi, se = np.array(estimates).T
    covered = np.mean(np.abs(mi - mi.mean()) < 1.645 * se)
    print(f"mean {mi.mean():.3f}, spread {mi.std(ddof=1):.4f}, error {se.mean():.4f}, 90 % cover {covered:.0%}")
    # Models that find nothing say the same of every cell; then all permutations tie, and p is 1 rather than uniform.
    assert all(share <= level + 2 * np.sqrt(level * (1 - level) / 100) for level, share in shares.items())
    assert 0.8 <= covered <= 0.98


def _resampled(seed):
    """Fresh cells of one and the same mixture of four labels in five columns."""
    rng = np.random.default_rng([3, seed])
    centre = 1.5 * np.random.default_rng(7).normal(size=(4, 3))
    label = rng.integers(0, 4, 400)
    x = rng.normal(size=(400, 5))
    x[:, :3] += centre[label]
    return x, label


def test_place_and_fate():
    """LARRY: 2,081 day-2 cells, place on SPRING, main fate of their clone mates; cells of one fate vector together."""
    folder = DATA / "larry"
    if not folder.exists():
        pytest.skip(f"no {folder}; set SCMI_TEST_DATA")
    place, fates, groups = load(folder)
    for name, labels in (("main fate", main_fate(fates)), ("counts", fates)):
        result = label_information(place, labels, groups=groups)
        print(f"\n{name}: {result} (KSG {result.mi_ksg:.2f}) {set(result.kinds)}")
        print(result.table.round(2).to_string(index=False))
    assert result.p == 0.001


def test_what_others_predict():
    """Bits about neutrophil or monocyte in the predictions of WOT, PBA and FateID, beside the place on SPRING."""
    path = DATA / "larry" / "larry_place_fate.npz"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    stored = np.load(path)
    place = np.stack([stored["x"], stored["y"]], axis=1)[stored["nm_mask"]][: len(stored["truth"])]
    held = stored["truth"]
    counts = np.stack([held, 1 - held], axis=1)
    for name in ("wot", "pba", "fateid"):
        start = time.perf_counter()
        result = label_information(stored[name][:, None], counts, n_permutations=99)
        print(f"{name}: {result}, {time.perf_counter() - start:.0f} s", flush=True)
    assert place.shape[1] == 2


def test_embryonic_lineages():
    path = DATA / "celegans" / "celegans_lineages_583genes.h5ad"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    adata = ad.read_h5ad(path)
    adata.X = np.log1p(adata.X)
    start = time.perf_counter()
    sm.tl.label_information(adata, "lineage", model=sm.LMI(n_permutations=99))
    found = adata.uns["label_mi"]
    print(
        f"\n{found['mi']:.2f} +- {found['se']:.2f} of {found['entropy']:.2f} bits, share {found['share']:.2f}, KSG "
        f"{found['mi_ksg']:.2f}, p {found['p']}, {time.perf_counter() - start:.0f} s"
    )
    assert found["share"] > 0.5


def test_a_large_job():
    rng = np.random.default_rng(0)
    import scipy.sparse as sp

    label = rng.integers(0, 40, 20_000)
    x = sp.random_array((20_000, 2000), density=0.05, rng=rng, format="csr", dtype=np.float32)
    x = x + sp.csr_array(np.where(np.arange(2000) % 40 == label[:, None], rng.random((20_000, 2000)) < 0.05, 0))
    start = time.perf_counter()
    result = label_information(sp.csr_matrix(x), label, n_permutations=99)
    print(f"\n20,000 cells x 2,000 columns, 40 labels: {result}, {time.perf_counter() - start:.0f} s, {result.kinds}")
    assert np.isfinite(result.mi)
