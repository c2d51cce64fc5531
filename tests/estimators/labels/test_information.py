"""Information about labels: against enumerated and sampled truths, groups, conditions, and inputs of every kind."""

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.estimators import TooFew, label_information
from scmi.estimators.labels.targets import as_targets
from tests.estimators.labels._mixtures import mixture

QUICK = {"n_permutations": 19}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "n_labels", "d", "apart", "mistaken"),
    [(200, 2, 1, 1.0, 0), (300, 2, 100, 1.5, 0), (600, 5, 10, 1.5, 0.2), (600, 12, 30, 2.0, 0)],
)
def test_mixtures(n, n_labels, d, apart, mistaken):
    x, label, bits = mixture(n, n_labels, d, apart, False, mistaken, seed=n + d)
    result = label_information(x, label, **QUICK)
    # What the Bayes rule tells of these very cells; models lose .01 to .15 of it, and can't tell more.
    assert bits.mean() - 0.2 < result.mi < bits.mean() + result.se
    assert result.p == 0.05
    assert np.corrcoef(result.pmi, bits)[0, 1] > 0.7


def test_the_parts_add_up():
    x, label, _ = mixture(300, 4, 5, 1.5, False, 0.0, seed=0)
    names = np.array(["a", "b", "c", "d"])[label]
    result = label_information(x, names, **QUICK)
    share = pd.Series(names).value_counts(normalize=True)
    assert result.entropy == pytest.approx(-(share * np.log2(share)).sum())
    assert result.share == pytest.approx(result.mi / result.entropy)
    assert result.pmi.mean() == pytest.approx(result.mi)
    table = result.table.set_index("label")
    assert table["mi"].sum() == pytest.approx(result.mi)
    assert list(table.index) == list("abcd") and table["n"].sum() == 300
    for name in "abcd":
        assert table.loc[name, "pmi"] == pytest.approx(result.pmi[names == name].mean())
        assert result.confusion.loc[name, name] == pytest.approx(table.loc[name, "pmi"])
    own = result.log_odds[np.arange(300), label]
    np.testing.assert_allclose(own, result.pmi)
    # Probabilities of all labels are those of one cell.
    p = 2**result.log_odds * share.sort_index().to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.slow
def test_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(0)
    found = [
        label_information(rng.normal(size=(150, 5)), rng.integers(0, 3, 150), n_permutations=99, rng=i)
        for i in range(8)
    ]
    assert all(-0.1 < result.mi <= result.se for result in found)
    assert np.mean([result.p <= 0.2 for result in found]) < 0.6


@pytest.mark.slow
def test_a_group_is_never_predicted_from_itself():
    """Cells of a clone are copies of each other and share a random label: known clones are learned by heart."""
    rng = np.random.default_rng(0)
    clone = np.repeat(np.arange(60), 5)
    x = rng.normal(size=(60, 4))[clone] + 0.05 * rng.normal(size=(300, 4))
    label = rng.integers(0, 2, 60)[clone]
    by_heart = label_information(x, label, **QUICK)
    whole = label_information(x, label, groups=clone, **QUICK)
    assert by_heart.mi > 0.25
    assert whole.mi < 0.1 and whole.p > 0.05
    assert (whole.n_cells, whole.n_groups) == (300, 60)
    for i in range(60):
        assert len(np.unique(whole.fold[clone == i])) == 1


@pytest.mark.slow
def test_beyond_a_condition():
    """The label follows the donor, and within donors the first column; what is told beyond the donor is the latter."""
    rng = np.random.default_rng(1)
    donor = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 4)) + 3.0 * np.eye(3, 4)[donor]
    within = x[:, 3] + 0.5 * rng.normal(size=600) > 0
    label = donor * 2 + within
    everything = label_information(x, label, **QUICK)
    beyond = label_information(x, label, condition_on=donor, **QUICK)
    assert everything.entropy == pytest.approx(np.log2(6), abs=0.02)
    assert beyond.entropy == pytest.approx(1, abs=0.01)
    assert 0.4 < beyond.mi < 0.8 < everything.mi - 0.5
    nothing = label_information(x, donor, condition_on=donor, **QUICK)
    # Two cells of each condition count as drawn from all, which costs .01 bit.
    assert nothing.entropy == 0 and abs(nothing.mi) < 0.02 and np.isnan(nothing.share)


@pytest.mark.slow
def test_counts_are_shares_of_a_cell():
    x, label, _ = mixture(300, 3, 4, 1.5, False, 0.0, seed=3)
    vector = label_information(x, label, **QUICK)
    counts = 7 * np.eye(3, dtype=int)[label]
    for same in (counts, sp.csr_matrix(counts), pd.DataFrame(counts, columns=["0", "1", "2"])):
        found = label_information(x, same, **QUICK)
        assert (found.mi, found.p) == (vector.mi, vector.p)
        assert found.table["label"].tolist() == ["0", "1", "2"]
    mixed = label_information(x, counts + 1, **QUICK)
    assert 0 < mixed.mi < vector.mi
    assert mixed.entropy > vector.entropy


@pytest.fixture(scope="module")
def of_an_array():
    """Columns, labels, and what an array of them tells."""
    x, label, _ = mixture(120, 3, 3, 1.5, False, 0.0, seed=4)
    text = [f"fate {i}" for i in label]
    return x, text, label_information(x, np.array(text), **QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("of", [list, pd.Series, pd.Categorical, polars.Series, lambda v: pd.array(v, dtype="string")])
def test_labels_of_every_kind(of_an_array, of):
    x, text, expected = of_an_array
    found = label_information(x, of(text), **QUICK)
    assert found.mi == expected.mi
    assert found.table["label"].tolist() == expected.table["label"].tolist()


def test_cells_without_a_label_are_left_out():
    x, label, _ = mixture(200, 2, 3, 1.5, False, 0.0, seed=5)
    some = pd.Series(label, dtype="Int64")
    some[::4] = pd.NA
    result = label_information(x, some, **QUICK)
    assert result.n_cells == 150
    assert np.isnan(result.pmi[::4]).all() and np.isfinite(result.pmi[1::4]).all()
    assert (result.fold[::4] == -1).all() and np.isnan(result.log_odds[::4]).all()


@pytest.mark.parametrize("none", ["nan", "NA", "None", "", " null ", "unassigned", -1])
def test_what_means_none(none):
    """The words that are no barcodes are no labels."""
    targets = as_targets(pd.Series(["x", none, "y", None, "x"], dtype=object))
    assert targets.names == ["x", "y"]
    assert targets.shares.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0], [1, 0]]
    ordered = pd.Categorical(["y", str(none), "x"], categories=["y", str(none), "x"])
    assert as_targets(ordered).names == ["y", "x"]
    assert as_targets(ordered).shares.sum(axis=1).tolist() == [1, 0, 1]


@pytest.mark.parametrize("of", [np.array, pd.Series, pd.Categorical, lambda v: np.array(v, dtype=object)])
def test_whole_numbers_are_named_as_such(of):
    """Where labels are missing, pandas makes integers floats."""
    assert as_targets(of([0.0, 12.0, np.nan, 0.0])).names == ["0", "12"]
    assert as_targets(of([True, False, True])).names == ["False", "True"]


def test_columns_that_tell():
    x, label, _ = mixture(400, 3, 8, 2.0, False, 0.0, seed=6)
    columns = label_information(x, label, **QUICK).columns
    assert columns.r2[:3].min() > 0.1 and columns.p[:3].max() < 1e-6
    assert columns.r2[3:].max() < 0.05 and columns.p[3:].min() > 0.005


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers():
    x, label, _ = mixture(150, 3, 3, 1.5, False, 0.0, seed=7)
    one, again = (label_information(x, label, rng=3, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(one.pmi, again.pmi)
    np.testing.assert_array_equal(one.null, again.null)
    sparse = label_information(sp.csr_matrix(x), label, rng=3, **QUICK)
    assert sparse.mi == pytest.approx(one.mi, abs=1e-3)


def test_a_label_that_a_part_lacks_costs_nothing():
    """One group alone has the label: whoever predicts it has never seen it."""
    x, label, _ = mixture(200, 2, 3, 2.0, False, 0.0, seed=8)
    label = label.astype(object)
    label[:3] = "rare"
    with pytest.warns(UserWarning, match="1 of 3 labels occur in fewer than 5 groups of cells and.*'rare'"):
        result = label_information(x, label.astype(str), groups=np.r_[[0, 0, 0], np.arange(1, 198)], **QUICK)
    assert np.isfinite(result.pmi).all()
    assert result.table.set_index("label").loc["rare", "pmi"] < 0.5


@pytest.mark.parametrize(
    ("labels", "options", "error", "match"),
    [
        (np.zeros(60), {}, ValueError, "holds \\['0'\\]: information about a label needs two"),
        (np.linspace(0, 1, 60), {}, TypeError, "numbers that are not whole"),
        (np.arange(59), {}, ValueError, "60.*59"),
        (np.arange(60) % 2, {"groups": np.arange(60) % 7}, TooFew, "Only 7 groups of cells have a label; 20 or more"),
        (np.where(np.arange(60) < 9, np.arange(60) % 2, -1), {}, TooFew, "Only 9 cells have a label"),
        (-np.ones((60, 2)), {}, ValueError, "not negative"),
        (np.ones((60, 2, 2)), {}, TypeError, "one per cell, or counts"),
        (np.arange(60) % 2, {"n_permutations": -1}, ValueError, "n_permutations"),
    ],
)
def test_mistakes(labels, options, error, match):
    with pytest.raises(error, match=match):
        label_information(np.random.default_rng(0).normal(size=(60, 3)), labels, **options)


@pytest.mark.slow
def test_it_is_what_the_simulator_tells():
    """The fate of a cell of day 6 is written in it, that of a progenitor's clone less so."""
    adata = sm.datasets.lineage(300, n_genes=500, rng=0)
    sm.pp.recipe_lmi(adata)
    late = adata[adata.obs["day"] == "6"]
    clone = late.obs["clone"].cat.codes.to_numpy().astype(int)
    clone = np.where(clone < 0, 1000 + np.arange(len(clone)), clone)  # without a barcode by themselves
    result = label_information(late.X, late.obs["fate"], groups=clone, **QUICK)
    assert result.share > 0.3


@pytest.mark.parametrize("in_one", [0.5, 0.7, 0.9, 0.95])
def test_a_group_larger_than_a_part(in_one):
    """It leaves parts empty, or is all that there is to learn from."""
    x, label, _ = mixture(400, 2, 3, 2.0, False, 0.0, seed=9)
    group = np.maximum(np.arange(400) - int(400 * in_one), -1)
    result = label_information(x, label, groups=group, **QUICK)
    assert np.isfinite(result.pmi).all() and np.isfinite(result.columns.r2).all()
    assert result.n_groups == len(np.unique(group))
