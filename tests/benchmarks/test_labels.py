"""Information about labels where the truth is known, beside what a user might take; and real cells.

``pytest -m benchmark -s tests/benchmarks/test_labels.py``. Each test prints the table that it judges.
"""

import time

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scmi as sm
from scmi.estimators import label_information, shared_label_information
from scmi.estimators.labels.joint import Joint, permuted
from tests.conftest import DATA
from tests.estimators.labels._couples import agreeing, couples, truth
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


# Labels on both sides


def blocks(share, tau):
    """For the share tau of barcodes both labels are of the same half of the labels; they are independent otherwise."""
    half = np.arange(len(share)) < len(share) // 2
    together = np.outer(share, share) * (half[:, None] == half)
    together /= together.sum()
    return (1 - tau) * np.outer(together.sum(1), together.sum(0)) + tau * together


def with_bits(table, share, bits):
    """The table of this kind that has so many bits; or the one that has most."""
    of = [table(share, tau) for tau in np.linspace(0, 1, 1001)]
    return min(of, key=lambda joint: abs(truth(joint) - bits))


def as_joint(sides):
    """The table as the estimate makes it."""
    rows = []
    for label, barcode in sides:
        counts = np.zeros((barcode.max() + 1, label.max() + 1))
        np.add.at(counts, (barcode, label), 1)
        rows.append(counts / counts.sum(axis=1, keepdims=True))
    return Joint(*rows, np.ones(len(rows[0])), np.zeros(len(rows[0]), np.int64))


def jackknife(joint):
    """Leaving out each barcode."""
    n = len(joint)
    left = [joint.take(np.delete(np.arange(n), i)).parts.sum() for i in range(n)]
    return n * joint.parts.sum() - (n - 1) * np.mean(left)


def miller_madow(joint):
    """The second-order bias, with the variance of every share over barcodes in the place of a multinomial's."""
    of_pairs = (joint.a[:, :, None] * joint.b[:, None, :]).reshape(len(joint), -1)
    terms = []
    for shares in (of_pairs, joint.a, joint.b):
        shares = shares[:, shares.any(axis=0)]
        terms.append((shares.var(axis=0) / shares.mean(axis=0)).sum() / len(joint))
    return joint.parts.sum() - (terms[0] - terms[1] - terms[2]) / (2 * np.log(2))


def test_what_chance_gives():
    """Bias of what might be taken off, in bits; by barcodes, labels, and how labels go together."""
    rows = []
    for table in (agreeing, blocks):
        for n, n_sets in ((30, 40), (100, 30), (1000, 4)):
            for n_labels in (3, 8, 15):
                share = np.random.default_rng(n_labels).dirichlet(np.full(n_labels, 2.0))
                for bits in (0.0, 0.2, 0.5, 1.0):
                    for size, stray in ((1, 0.0), (3, 0.2)):
                        joint = with_bits(table, share, bits)
                        found = []
                        for i in range(n_sets):
                            sides = couples(joint, n, np.random.default_rng([n, i]), mean_size=size, stray=stray)
                            drawn = as_joint(sides)
                            left = drawn.parts.sum() - permuted(drawn, 30, np.random.default_rng(i)).bits.mean()
                            result = shared_label_information(
                                *(s[0] for s in sides), *(s[1] for s in sides), n_permutations=0
                            )
                            found.append((drawn.parts.sum(), jackknife(drawn), miller_madow(drawn), left, result.mi))
                        bias = np.array(found) - truth(joint, stray)
                        names = ("none", "jackknife", "Miller-Madow", "permuted mean", "stretched")
                        rows += [
                            {
                                "table": table.__name__,
                                "n": n,
                                "labels": n_labels,
                                "bits": bits,
                                "size": size,
                                "off": name,
                            }
                            | {"bias": b, "error": e}
                            for name, b, e in zip(names, bias.mean(0), np.sqrt((bias**2).mean(0)), strict=True)
                        ]
    table = pd.DataFrame(rows)
    for values in ("bias", "error"):
        print(f"\n{values}, mean over sizes:")
        print(table.pivot_table(values, ["table", "n", "labels", "bits"], "off").round(2).to_string())
    print(table.assign(bias=table["bias"].abs()).groupby("off")[["bias", "error"]].agg(["mean", "max"]).round(3))
    kept = table[table["off"] == "stretched"]
    assert kept.loc[kept["bits"] == 0, "bias"].abs().max() < 0.06  # nothing is found where nothing is
    mean = table.assign(bias=table["bias"].abs()).groupby("off")["bias"].mean()
    assert mean.idxmin() == "stretched"


def test_intervals_and_p_of_shared_labels():
    """Coverage of 90 % intervals, and whether p is uniform under the null: by weights, also where sizes go together."""
    rows = []
    for n, n_labels in ((40, 3), (40, 8), (100, 3), (100, 8), (300, 8)):
        share = np.random.default_rng(n_labels).dirichlet(np.full(n_labels, 2.0))
        for bits in (0.0, 0.5):
            for weights in ("barcodes", "couples"):
                for equal in (False, True):
                    joint, found = with_bits(agreeing, share, bits), []
                    for i in range(100):
                        rng = np.random.default_rng([n, i])
                        (a, x), (b, y) = couples(joint, n, rng, mean_size=3, stray=0.2, equal_sizes=equal)
                        result = shared_label_information(a, b, x, y, weights=weights, n_permutations=99, rng=i)
                        found.append((result.mi, result.se, result.p))
                    mi, se, p = np.array(found).T
                    row = {
                        "n": n,
                        "labels": n_labels,
                        "weights": weights,
                        "equal sizes": equal,
                        "truth": truth(joint, 0.2),
                    }
                    row |= {"mi": mi.mean(), "spread": mi.std(ddof=1), "se": se.mean()}
                    row |= {"cover": np.mean(np.abs(mi - row["truth"]) < 1.645 * se), "p <= .05": np.mean(p <= 0.05)}
                    # Ties of whole hundredths aside.
                    row |= {"p <= .2": np.mean(p <= 0.2), "KS": kstest(p - rng.uniform(0, 0.01, 100), "uniform").pvalue}
                    rows.append(row)
    table = pd.DataFrame(rows)
    print(f"\n{table.round(3).to_string(index=False)}")
    null, by_barcode = table["truth"] < 1e-9, table["weights"] == "barcodes"
    assert (table.loc[null, "p <= .05"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)).all()
    assert table.loc[null & by_barcode, "KS"].min() > 0.001
    assert table.loc[by_barcode, "cover"].between(0.78, 1).all()


def test_within_donors():
    """Donors of unlike composition, in which labels agree for four in ten barcodes; or for none."""
    rows = []
    for n, n_donors in ((100, 2), (100, 5), (100, 12), (400, 12)):
        for n_labels in (4, 8, 15):
            rng = np.random.default_rng([n_donors, n_labels])
            shares = rng.dirichlet(2 * n_labels * rng.dirichlet(np.full(n_labels, 2.0)), n_donors)
            for tau in (0.0, 0.4):
                found = []
                for i in range(40):
                    rng, a, b, donor = (
                        np.random.default_rng([n, i]),
                        [],
                        [],
                        np.repeat(np.arange(n_donors), n // n_donors),
                    )
                    for share in shares:
                        (of_a, _), (of_b, _) = couples(agreeing(share, tau), n // n_donors, rng)
                        a, b = [*a, *of_a], [*b, *of_b]
                    barcode = np.arange(len(a))
                    plain = shared_label_information(a, b, barcode, barcode, n_permutations=0)
                    result = shared_label_information(a, b, barcode, barcode, strata=donor, n_permutations=39, rng=i)
                    found.append((plain.mi, result.mi, result.se, result.mi_pooled, result.p <= 0.05))
                plain, mi, se, pooled, small = np.array(found).T
                within = np.mean([truth(agreeing(share, tau)) for share in shares])
                row = {"n": n, "donors": n_donors, "labels": n_labels, "within": within, "mi": mi.mean()}
                row |= {"spread": mi.std(ddof=1), "se": se.mean(), "cover": np.mean(np.abs(mi - within) < 1.645 * se)}
                rows.append(row | {"pooled": pooled.mean(), "without strata": plain.mean(), "p <= .05": small.mean()})
    table = pd.DataFrame(rows)
    print(f"\n{table.round(2).to_string(index=False)}")
    null = table["within"] < 1e-9
    assert table.loc[null, "mi"].abs().max() < 0.06
    assert table.loc[null, "p <= .05"].max() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
    assert table.loc[~null, "p <= .05"].min() > 0.8


def test_t_cells():
    """Zhang et al. (2018): a clonotype's clusters in blood, or normal tissue, and in tumour; over and per donor."""
    path = DATA / "tcr" / "tcells_clonotype_cluster_tissue.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    cells = pd.read_csv(path, index_col="cell")
    rows, donors = [], {}
    for here in ("blood", "normal"):
        for weights in ("barcodes", "couples"):
            for strata in (None, "donor"):
                one, tumour = (ad.AnnData(obs=cells[cells["tissue"] == name].copy()) for name in (here, "tumour"))
                how = {"label_key": "cluster", "pair_key": "clonotype", "weights": weights, "strata": strata}
                sm.tl.label_information(one, tumour, **how)
                found = one.uns["label_mi"]
                row = {
                    "tissues": f"{here}, tumour",
                    "weights": weights,
                    "within": strata or "",
                    "n": found["n_barcodes"],
                }
                row |= {name: found[name] for name in ("mi", "se", "entropy", "share", "p", "mi_plugin")}
                rows.append(row | {"low": found["ci"][0], "high": found["ci"][1]})
            table = found["strata"].set_index("stratum")
            donors[here, weights] = table["mi"].map("{:.2f}".format) + " (" + table["p"].map("{:.2g}".format) + ")"
    print(f"\n{pd.DataFrame(rows).round(3).to_string(index=False)}\n\nper donor, bits (p):")
    print(pd.DataFrame(donors).to_string())
    assert all(row["p"] == 0.001 for row in rows)
