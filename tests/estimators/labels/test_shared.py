"""Labels on both sides: against tables counted by hand and one couple at a time, enumerated truths, and bad input."""

import numpy as np
import pandas as pd
import polars
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scmi.estimators import TooFew, shared_label_information
from scmi.estimators.inputs.pairing import Pairing
from scmi.estimators.labels.couples import Strata, shared_labels
from scmi.estimators.labels.targets import as_targets
from tests.estimators.labels._couples import agreeing, bits_between, couples, truth

QUICK = {"n_permutations": 99}
BARCODES = np.arange(40)


def estimate(sides, **options):
    (label_a, barcode_a), (label_b, barcode_b) = sides
    return shared_label_information(label_a, label_b, barcode_a, barcode_b, **QUICK | options)


def counted(sides, weights, stratum=None):
    """Labels x labels and what is expected of them, one couple of cells at a time."""
    (label_a, barcode_a), (label_b, barcode_b) = ((np.asarray(labels), barcode) for labels, barcode in sides)
    shared = sorted(set(barcode_a) & set(barcode_b))
    stratum = dict.fromkeys(shared, 0) if stratum is None else stratum
    p, of_a, of_b, of_stratum = {}, {}, {}, {}
    for code in shared:
        a, b, k = label_a[barcode_a == code], label_b[barcode_b == code], stratum[code]
        for i in a:
            for j in b:
                w = 1.0 if weights == "couples" else 1 / (len(a) * len(b))
                for table, key in ((p, (i, j)), (of_a, (k, i)), (of_b, (k, j)), (of_stratum, k)):
                    table[key] = table.get(key, 0) + w
    total = sum(of_stratum.values())
    p = {key: value / total for key, value in p.items()}
    q = {
        (i, j): sum(of_a.get((k, i), 0) * of_b.get((k, j), 0) / n for k, n in of_stratum.items()) / total for i, j in p
    }
    return p, q


def uneven(seed, n=60, n_labels=4):
    """Clones of several cells and labels, some of them on one side only, in three strata."""
    rng = np.random.default_rng(seed)
    joint = agreeing(rng.dirichlet(np.full(n_labels, 3.0)), 0.5)
    (label_a, a), (label_b, b) = couples(joint, n, rng, mean_size=2.5, stray=0.3)
    keep_a, keep_b = a % 7 != 0, b % 5 != 0
    return [(label_a[keep_a], a[keep_a]), (label_b[keep_b], b[keep_b])]


def test_one_bit_by_hand():
    label = np.repeat(["x", "y"], 20)
    result = shared_label_information(label, label, BARCODES, BARCODES)
    assert result.mi_plugin == pytest.approx(1)
    assert result.mi == pytest.approx(1) and result.share == pytest.approx(1) and result.entropy == pytest.approx(1)
    assert result.p == 0.001
    np.testing.assert_allclose(result.pmi_a, 1)
    assert result.confusion.to_numpy().tolist() == [[1.0, -np.inf], [-np.inf, 1.0]]
    assert result.mi_pooled == result.mi and len(result.strata) == 0
    assert str(result).endswith("of 1.00, a share of 1.00, p = 0.001, 40 barcodes with 40 and 40 cells")


def test_independent_by_hand():
    label_a, label_b = np.repeat(["x", "y"], 20), np.tile(["x", "y"], 20)
    result = shared_label_information(label_a, label_b, BARCODES, BARCODES)
    assert result.mi_plugin == pytest.approx(0, abs=1e-12) and result.p == 1
    # Other partners give (2 - 1)^2 / (2 ln 2 40) = .018 bits, at first order.
    assert result.mi == pytest.approx(-0.018, abs=0.004)
    assert abs(result.null.mean()) < 1e-9
    np.testing.assert_allclose(result.pmi_a, 0, atol=1e-12)


def test_a_large_clone_by_hand():
    """Thirty clones of one cell a side that say nothing, and one of 6 x 5 cells, x here and u there."""
    label_a = ["x"] * 15 + ["y"] * 15 + ["x"] * 6
    label_b = ["u", "v"] * 15 + ["u"] * 5
    barcode_a, barcode_b = [*range(30), *[30] * 6], [*range(30), *[30] * 5]
    for weights, of_xu, total in (("barcodes", 9, 31), ("couples", 38, 60)):
        p = np.array([[of_xu, 7], [7, 8]]) / total
        result = shared_label_information(label_a, label_b, barcode_a, barcode_b, weights=weights)
        assert result.mi_plugin == pytest.approx(bits_between(p, np.outer(p.sum(1), p.sum(0))))
        assert (result.n_barcodes, result.n_cells_a, result.n_cells_b) == (31, 36, 35)
        assert result.table_a["p"].tolist() == pytest.approx(p.sum(1).tolist())
    assert result.table_a["n"].tolist() == [21, 15]


@pytest.mark.parametrize("weights", ["barcodes", "couples"])
@pytest.mark.parametrize("with_strata", [False, True])
def test_one_couple_at_a_time(weights, with_strata):
    sides = uneven(0)
    stratum = {code: code % 3 for code in range(60)} if with_strata else None
    p, q = counted(sides, weights, stratum)
    options = {"strata": sides[0][1] % 3} if with_strata else {}
    result = estimate(sides, weights=weights, **options)
    assert result.mi_plugin == pytest.approx(sum(p[key] * np.log2(p[key] / q[key]) for key in p))
    for (i, j), share in p.items():
        assert result.confusion.loc[str(i), str(j)] == pytest.approx(np.log2(share / q[i, j]))
    (label_a, a), (label_b, b) = sides
    bits = {key: np.log2(p[key] / q[key]) for key in p}
    of_a = [[bits[i, j] for j in label_b[b == code]] for i, code in zip(label_a, a, strict=True)]
    of_b = [[bits[i, j] for i in label_a[a == code]] for j, code in zip(label_b, b, strict=True)]
    for found, of_partners in ((result.pmi_a, of_a), (result.pmi_b, of_b)):
        expected = [np.mean(values) if values else np.nan for values in of_partners]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert result.n_cells_a == np.isfinite(result.pmi_a).sum()


@pytest.mark.parametrize("weights", ["barcodes", "couples"])
def test_the_parts_add_up(weights):
    result = estimate(uneven(1), weights=weights, strata=uneven(1)[0][1] % 3)
    for table in (result.table_a, result.table_b):
        assert table["mi"].sum() == pytest.approx(result.mi_pooled)
        assert table["p"].sum() == pytest.approx(1)
        np.testing.assert_allclose(table["pmi"] * table["p"], table["mi"])
    assert result.share == pytest.approx(result.mi / result.entropy)
    assert result.strata["n_barcodes"].sum() == result.n_barcodes
    assert set(result.strata["stratum"]) == {"0", "1", "2"}


def test_couples_average_to_the_whole():
    """A cell's pMI, by its couples' weights, is the plug-in of the whole."""
    sides = uneven(2)
    for weights in ("barcodes", "couples"):
        result = estimate(sides, weights=weights)
        a, b = sides[0][1], sides[1][1]
        in_couples = np.isfinite(result.pmi_a)
        partners = np.array([(b == code).sum() for code in a[in_couples]])
        mates = np.array([(a == code).sum() for code in a[in_couples]])
        w = partners if weights == "couples" else 1 / mates
        assert np.average(result.pmi_a[in_couples], weights=w) == pytest.approx(result.mi_plugin)


# Against the truth. Of 20 data sets each; bounds are four standard errors of their mean, beside the bias that the table
# in docs/labels.md has for them (at most .1 for labels that agree).


@pytest.mark.parametrize(
    ("n", "n_labels", "tau", "stray"),
    [(40, 3, 0.0, 0.0), (40, 3, 0.6, 0.0), (100, 8, 0.4, 0.2), (100, 15, 0.0, 0.0), (100, 15, 0.5, 0.0)],
)
def test_the_truth(n, n_labels, tau, stray):
    joint = agreeing(np.random.default_rng(n_labels).dirichlet(np.full(n_labels, 2.0)), tau)
    found = [
        estimate(couples(joint, n, np.random.default_rng([n, i]), mean_size=2 if stray else 1, stray=stray), rng=i)
        for i in range(20)
    ]
    mi, plugin = np.array([(result.mi, result.mi_plugin) for result in found]).T
    expected = truth(joint, stray)
    assert abs(mi.mean() - expected) < 0.1 * (tau > 0) + 4 * mi.std(ddof=1) / np.sqrt(20)
    assert plugin.mean() > mi.mean()


def test_the_error_is_the_spread():
    """Sixty data sets; the spread of sixty is told to 9 %."""
    joint = agreeing(np.array([0.5, 0.3, 0.2]), 0.6)
    found = np.array(
        [
            (result.mi, result.se)
            for i in range(60)
            for result in [estimate(couples(joint, 100, np.random.default_rng([7, i]), mean_size=2, stray=0.1), rng=i)]
        ]
    )
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(ddof=1), rel=0.3)
    covered = np.abs(found[:, 0] - truth(joint, 0.1)) < 1.645 * found[:, 1]
    assert covered.mean() > 0.78  # 90 % less three errors of a share of sixty


@pytest.mark.parametrize("equal_sizes", [False, True])
@pytest.mark.parametrize("weights", ["barcodes", "couples"])
def test_p_is_valid(weights, equal_sizes):
    """Also where clones are large on both sides, which other tests would take for dependence."""
    joint = agreeing(np.array([0.4, 0.3, 0.2, 0.1]), 0.0)
    p = np.array(
        [
            estimate(
                couples(joint, 40, np.random.default_rng([3, i]), mean_size=3, equal_sizes=equal_sizes),
                weights=weights,
                rng=i,
            ).p
            for i in range(60)
        ]
    )
    for level in (0.1, 0.3):  # three errors of a share of sixty
        assert (p <= level).mean() < level + 3 * np.sqrt(level * (1 - level) / 60)
    assert p.min() < 0.15


def donors(tau, n_donors=5, n=100, seed=0):
    """Donors whose cells prefer one label on both sides; within them labels agree for the share tau of barcodes."""
    rng = np.random.default_rng(seed)
    sides = [([], []), ([], [])]
    for donor in range(n_donors):
        share = np.full(4, 0.1)
        share[donor % 4] = 0.7
        for (label, barcode), side in zip(couples(agreeing(share, tau), n // n_donors, rng), sides, strict=True):
            side[0].append(label)
            side[1].append(barcode + donor * n)
    sides = [(np.concatenate(labels), np.concatenate(barcodes)) for labels, barcodes in sides]
    return sides, sides[0][1] // n


def test_what_donors_explain_does_not_count():
    sides, donor = donors(0.0)
    confounded, within = estimate(sides), estimate(sides, strata=donor)
    assert confounded.mi > 0.15 and confounded.p == 0.01
    assert abs(within.mi) < 2 * within.se + 0.02 and within.p > 0.05
    assert within.entropy < confounded.entropy
    assert within.strata["n_barcodes"].tolist() == [20] * 5 and within.strata["p"].min() > 0.01


def test_what_is_left_within_donors():
    sides, donor = donors(0.6, n=400)
    within = estimate(sides, strata=donor)
    of_donor = truth(agreeing(np.array([0.7, 0.1, 0.1, 0.1]), 0.6))
    assert within.p == 0.01
    assert within.mi == pytest.approx(of_donor, abs=2.5 * within.se)
    assert 0 < within.mi_pooled < within.mi
    error = (within.strata["mi"] - of_donor) / within.strata["se"]
    assert error.abs().max() < 3
    assert within.strata["mi"].mean() == pytest.approx(within.mi, abs=0.05)  # of equal strata


def test_a_stratum_that_is_too_small_says_how_large_it_is():
    label = np.tile(["x", "y"], 20)
    strata = np.where(BARCODES < 4, "few", "many")
    table = shared_label_information(label, label, BARCODES, BARCODES, strata=strata, **QUICK).strata.set_index(
        "stratum"
    )
    assert table.loc["few", "n_barcodes"] == 4 and table.loc["few", ["mi", "se", "p"]].isna().all()
    assert table.loc["many", "mi"] == pytest.approx(1) and table.loc["many", "p"] == 0.01


# What must not matter


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), weights=st.sampled_from(["barcodes", "couples"]))
def test_names_and_order_do_not_matter(seed, weights):
    """Other names, cells in another order: other permutations, so that the correction differs by its noise."""
    rng = np.random.default_rng(seed)
    sides = uneven(seed)
    one = estimate(sides, weights=weights)
    names, numbers = np.array(list("dbca")), rng.permutation(100)
    order = [rng.permutation(len(labels)) for labels, _ in sides]
    other = estimate(
        [(names[labels][o], numbers[barcode][o]) for (labels, barcode), o in zip(sides, order, strict=True)],
        weights=weights,
    )
    assert other.mi_plugin == pytest.approx(one.mi_plugin)
    assert other.entropy == pytest.approx(one.entropy)
    np.testing.assert_allclose(other.pmi_a, one.pmi_a[order[0]], atol=1e-9)
    np.testing.assert_allclose(other.pmi_b, one.pmi_b[order[1]], atol=1e-9)
    # The mean of 99 permutations is told to a tenth of their spread, stretched as `null` is.
    assert other.mi == pytest.approx(one.mi, abs=6 * max(one.null.std(), other.null.std()) / np.sqrt(99) + 1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), weights=st.sampled_from(["barcodes", "couples"]))
def test_sides_can_be_exchanged(seed, weights):
    sides = uneven(seed)
    one, other = estimate(sides, weights=weights), estimate(sides[::-1], weights=weights)
    assert other.mi_plugin == pytest.approx(one.mi_plugin)
    np.testing.assert_allclose(other.pmi_a, one.pmi_b, atol=1e-9)
    pd.testing.assert_frame_equal(other.confusion, one.confusion.T)


def test_the_same_seed_gives_the_same_numbers():
    one, again = (estimate(uneven(3), strata=uneven(3)[0][1] % 2, rng=5) for _ in range(2))
    assert str(one) == str(again)
    np.testing.assert_array_equal(one.null, again.null)
    pd.testing.assert_frame_equal(one.strata, again.strata)


def test_no_test_is_asked_for():
    tested, untested = estimate(uneven(4)), estimate(uneven(4), n_permutations=0)
    assert np.isnan(untested.p) and len(untested.null) == 0 and "p =" not in str(untested)
    assert untested.mi == tested.mi


@pytest.mark.parametrize("of", [list, np.array, pd.Series, pd.Categorical, polars.Series])
def test_labels_of_every_kind(of):
    (label_a, a), (label_b, b) = uneven(5)
    text = [[f"cluster {i}" for i in labels] for labels in (label_a, label_b)]
    expected = shared_label_information(*map(np.array, text), a, b, **QUICK)
    found = shared_label_information(of(text[0]), of(text[1]), of(list(map(str, a))), of(list(map(str, b))), **QUICK)
    assert found.mi_plugin == pytest.approx(expected.mi_plugin)
    assert found.table_a["label"].tolist() == expected.table_a["label"].tolist()


def test_counts_of_labels():
    """A cell that is half of one label and half of another is a clone of two cells in the place of one."""
    (label_a, a), (label_b, b) = uneven(6)
    one_hot = shared_label_information(np.eye(4)[label_a] * 3, np.eye(4)[label_b], a, b, **QUICK)
    assert one_hot.mi == pytest.approx(shared_label_information(label_a, label_b, a, b, **QUICK).mi)
    clone = np.zeros((60, 4))
    np.add.at(clone, a, np.eye(4)[label_a])
    there = np.unique(a)
    together = shared_label_information(clone[there], label_b, there, b, **QUICK)
    assert together.mi_plugin == pytest.approx(one_hot.mi_plugin)


@pytest.mark.parametrize("none", [None, np.nan, "nan", "NA", "None", "", "null", -1])
def test_what_means_none(none):
    (label_a, a), (label_b, b) = uneven(7)
    label_a, a = np.array(list("wxyz"), dtype=object)[label_a], a.astype(object)
    rest = np.arange(len(a)) >= 10
    expected = shared_label_information(label_a[rest], label_b, a[rest], b, **QUICK)
    label_a[:5], a[5:10] = none, none
    found = shared_label_information(label_a, label_b, a, b, **QUICK)
    assert found.mi_plugin == pytest.approx(expected.mi_plugin)
    assert found.table_a["label"].tolist() == list("wxyz")
    assert np.isnan(found.pmi_a[:10]).all()


def test_barcodes_that_share_cells_are_one():
    """Each cell carries two barcodes, which are one unit: the error is that of half as many."""
    label = np.tile(["x", "x", "y", "y", "x", "y"], 10)
    other = np.tile(["x", "y"], 30)
    twice = np.repeat(np.arange(60), 2)
    indptr = np.arange(121)
    of = as_targets(label), as_targets(other)
    double = Pairing(indptr, twice, indptr, twice, twice)
    single = Pairing(np.arange(61), np.arange(60), np.arange(61), np.arange(60), np.arange(60))
    found, expected = (
        shared_labels(*of, pairing, "barcodes", None, 199, np.random.default_rng(0)) for pairing in (double, single)
    )
    assert found.mi_plugin == pytest.approx(expected.mi_plugin)
    np.testing.assert_allclose(found.pmi_a, expected.pmi_a)
    assert found.table_a["n"].tolist() == expected.table_a["n"].tolist()
    # The correction is of as many barcodes as there are, and stretches a little less.
    assert found.se == pytest.approx(expected.se, rel=0.1)
    assert found.p == pytest.approx(expected.p, abs=0.1)


# What can't be told

LABEL = np.tile(["x", "y"], 20)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"labels_a": np.full(40, "x")}, ValueError, r"first side are \['x'\].*two or more"),
        ({"labels_b": np.full(40, None)}, TooFew, "Only 0 independent barcodes.*20 or more"),
        ({"labels_a": np.linspace(0, 1, 40)}, TypeError, "numbers that are not whole"),
        ({"labels_a": LABEL[:39]}, ValueError, "`labels_a` has 39 cells, but `barcodes_a` has 40"),
        ({"barcodes_b": BARCODES + 25}, TooFew, "Only 15 independent barcodes"),
        ({"barcodes_b": BARCODES.astype(str)}, TooFew, "Only 0 independent barcodes"),
        ({"weights": "cells"}, ValueError, "weights='cells' is not known"),
        ({"n_permutations": -1}, ValueError, "n_permutations"),
        ({"strata": BARCODES}, TooFew, "single independent pair"),
        ({"strata": LABEL}, ValueError, "don't vary within `strata`"),
        ({"strata": BARCODES[:9]}, ValueError, r"`strata` has shape \(9,\)"),
        ({"strata": np.where(BARCODES < 3, None, "s")}, ValueError, "`strata` is missing in 3 cells"),
        ({"barcodes_a": BARCODES // 2, "strata": LABEL}, ValueError, r"20 shared barcodes.*such as 0 in \['x', 'y'\]"),
        ({"labels_a": BARCODES, "labels_b": BARCODES[::-1]}, TooFew, "too many for 40 shared barcodes"),
    ],
)
def test_mistakes(change, error, match):
    given = {"labels_a": LABEL, "labels_b": LABEL, "barcodes_a": BARCODES, "barcodes_b": BARCODES, **QUICK} | change
    with pytest.raises(error, match=match):
        shared_label_information(**given)


def test_strata_of_pairs_in_any_order():
    """Pairs are put in the order of their strata; cells stay where they are."""
    rng = np.random.default_rng(0)
    label_a, label_b = rng.integers(0, 3, (2, 60))
    codes, rows = rng.integers(0, 3, 60), np.arange(60)
    pairing = Pairing(np.arange(61), rows, np.arange(61), rows, rows)
    found = shared_labels(
        as_targets(label_a), as_targets(label_b), pairing, "barcodes", Strata(codes, list("uvw")), 99, rng
    )
    p, q = counted([(label_a, rows), (label_b, rows)], "barcodes", dict(enumerate(codes)))
    np.testing.assert_allclose(found.pmi_a, [np.log2(p[key] / q[key]) for key in zip(label_a, label_b, strict=True)])
    assert found.strata["n_barcodes"].tolist() == np.bincount(codes).tolist()
