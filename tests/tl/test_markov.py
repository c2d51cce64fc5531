"""The promises of the Markov test.

- With hidden memory it rejects and without it doesn't; the full calibration is in ``tests/benchmarks``.
- By default both estimates see the same barcodes, those of all three samples, in the same halves; else as many.
- It prints itself in three lines and is stored in `.uns` as it is, through h5ad; nothing else is written.
- The control of equal depth and the ceiling of early sisters are made where they can be, or their absence has a reason.
- Few shared barcodes, missing wells, empty time points and other mistakes are named before any training.
"""

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators import crossfit
from scmi.estimators.inputs.pairing import rowwise
from scmi.pp.pairs import ClonePairs
from scmi.tl import _markov

HOW = {"pair_key": "clone", "time_key": "day", "times": ("2", "6"), "replicate_key": "well"}


@pytest.fixture(scope="module")
def _cells():
    """By memory: days 2 and 6 after the recipe, with counts, and day 2 parted into two wells in `well2`."""
    made = {}
    for memory in (True, False):
        adata = sm.datasets.lineage(500, n_genes=400, memory=memory, rng=0)
        adata = adata[adata.obs["day"] != "4"].copy()
        adata.layers["counts"] = adata.X.copy()
        well = adata.obs["well"].astype(object)
        early = (adata.obs["day"] == "2").to_numpy()
        well[early] = np.random.default_rng(0).choice(["a", "b"], early.sum())
        adata.obs["well2"] = well
        sm.pp.recipe_lmi(adata, n_top_genes=150)
        made[memory] = adata
    return made


@pytest.fixture
def cells(_cells):
    return _cells[True].copy()


@pytest.fixture
def no_training(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr("scmi.estimators.crossfit.fit_fold", train)


def barcodes(adata, **where):
    chosen = np.logical_and.reduce([adata.obs[key] == value for key, value in where.items()])
    return set(adata.obs.loc[chosen, "clone"].dropna())


def test_memory_rejects_and_markov_does_not(_cells, quick_lmi):
    with_memory, without = (
        sm.tl.markov_test(_cells[m].copy(), **HOW, model=quick_lmi(n_permutations=19)) for m in (True, False)
    )
    # 1.5 against .7 bits between states with memory, .2 against .7 without.
    assert with_memory.p < 0.01
    assert with_memory.difference > 0.2
    assert 0 < with_memory.share == with_memory.difference / with_memory.late_late.mi
    # Of 170 barcodes and with quick training both estimates are near 0; this is a fixed number, .3 at this seed.
    assert without.p > 0.05
    for test in (with_memory, without):
        assert test.difference == test.late_late.mi - test.early_late.mi
        assert test.ci[0] < test.difference < test.ci[1]


def test_same_barcodes_or_as_many(cells, quick_lmi):
    early, late, sister = (
        barcodes(cells, day="2"),
        barcodes(cells, day="6", well="1"),
        barcodes(cells, day="6", well="2"),
    )
    test = sm.tl.markov_test(cells, **HOW, model=quick_lmi(n_permutations=0))
    assert test.early_late.n_pairs == test.late_late.n_pairs == len(early & late & sister)
    every = sm.tl.markov_test(cells, **HOW, clones="all", model=quick_lmi(n_permutations=0))
    assert every.early_late.n_pairs == every.late_late.n_pairs == min(len(early & sister), len(late & sister))
    assert every.se == pytest.approx(np.hypot(every.early_late.se, every.late_late.se))


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_result(cells, quick_lmi, tmp_path):
    before = cells.copy()
    test = sm.tl.markov_test(
        cells,
        **(HOW | {"replicate_key": "well2"}),
        counts_layer="counts",
        model=quick_lmi(n_permutations=19),
        key_added="m",
    )
    lines = str(test).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"I(2; 6, well 2) = {test.early_late.mi:.3f} ± ")
    assert f"Difference {test.difference:+.3f} bits" in lines[1]
    assert f"at {test.depth_matched.depth:,} counts per cell" in lines[2]
    assert "ceiling I(2, well a; 2, well b)" in lines[2]
    assert test.depth_matched.depth == cells.layers["counts"].sum(axis=1).min()
    assert test.depth_matched.difference != test.difference
    assert test.depth_matched.late_late.n_pairs == test.late_late.n_pairs
    # Cells of a clone on day 2 differ in their counts only.
    assert test.ceiling.mi > test.early_late.mi
    assert test.missing == {}

    assert set(cells.uns) == set(before.uns) | {"m"}
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    stored = ad.read_h5ad(tmp_path / "cells.h5ad").uns["m"]
    assert (stored["difference"], stored["se"], stored["p"]) == (test.difference, test.se, test.p)
    assert list(stored["ci"]) == list(test.ci)
    assert set(stored["late_late"]) == {"between", "mi", "se", "ci", "p", "null", "n_pairs"}
    assert list(stored["late_late"]["between"]) == ["6, well 1", "6, well 2"]
    np.testing.assert_array_equal(stored["late_late"]["null"]["mi"], test.late_late.null)
    assert stored["depth_matched"]["share"] == test.depth_matched.share
    assert stored["ceiling"]["mi"] == test.ceiling.mi
    assert list(stored["params"]["times"]) == ["2", "6"]
    assert (stored["params"]["rng"], stored["params"]["n_permutations"]) == (0, 19)


@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_unequal_depths_are_told_of(cells, quick_lmi):
    """Where they may explain the difference, and where equal depth shows that they don't."""
    early = (cells.obs["day"] == "2").to_numpy()
    del cells.layers["counts"]
    cells.obs["total_counts"] = np.where(early, 900.0, 3000.0)
    test = sm.tl.markov_test(cells, **HOW, model=quick_lmi(n_permutations=0, n_pairings=2))
    assert test.depths == (900.0, 3000.0, 3000.0)
    assert cells.uns["markov_test"]["depths"] == [900.0, 3000.0, 3000.0]
    told = "Depths differ: 900 in '2', 3,000 in '6, well 1' and 3,000 in '6, well 2' UMIs per cell"
    assert str(test).splitlines()[3].startswith(f"{told}. The shallower side's information is lower")
    gone, there = replace(test, p=0.3, depth=900), replace(test, p=0.001, depth=900)
    found = replace(test, p=0.01)
    assert f"{told}, enough to explain the difference" in str(replace(found, depth_matched=gone))
    assert f"{told}, not enough to explain the difference" in str(replace(found, depth_matched=there))
    assert f"{told}; the test at equal depth is the fairer one" in str(replace(test, p=0.3, depth_matched=gone))
    assert "Depths" not in str(replace(test, depths=(2900.0, 3000.0, 3000.0)))
    assert "Depths" not in str(replace(test, depths=None))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_equal_depth_compares_genes_whatever_the_data_are(cells, quick_lmi):
    how = {**HOW, "counts_layer": "counts", "model": quick_lmi(n_permutations=0, n_pairings=2)}
    genes, places = (sm.tl.markov_test(cells, **how, use_rep=rep) for rep in (None, "X_spring"))
    assert genes.difference != places.difference
    assert genes.depth_matched.difference == places.depth_matched.difference


@pytest.mark.slow
def test_same_seed_same_numbers(cells, quick_lmi):
    first, again, other = (
        sm.tl.markov_test(cells, **HOW, model=quick_lmi(n_pairings=3, n_permutations=0), rng=seed) for seed in (1, 1, 2)
    )
    assert (first.difference, first.se) == (again.difference, again.se)
    assert first.difference != other.difference


def test_controls_that_cannot_be_made(cells, quick_lmi):
    cells.obs.loc[cells.obs["well2"] == "b", "clone"] = np.nan
    test = sm.tl.markov_test(cells, **(HOW | {"replicate_key": "well2"}), model=quick_lmi(n_permutations=0))
    assert test.ceiling is None
    assert "no barcoded cell" in test.missing["ceiling"]
    assert test.depth_matched is None
    assert "Controls: none" in str(test).splitlines()
    for share, told in ((0.5, True), (-3.5, False), (1.3, False), (np.nan, False)):
        assert ("of what sisters share" in str(replace(test, share=share))) is told
    alone = sm.tl.markov_test(cells, **HOW, model=quick_lmi(n_permutations=0))
    assert alone.missing == {"ceiling": "one well only at the early time"}


def test_a_bug_inside_the_ceiling_surfaces(cells, quick_lmi, monkeypatch):
    measure, calls = crossfit.measure, []

    def planted(*args, **options):
        calls.append(options)
        if len(calls) == 3:  # after the two sides of the inequality
            raise ValueError("planted")
        return measure(*args, **options)

    monkeypatch.setattr(crossfit, "measure", planted)
    with pytest.raises(ValueError, match="planted"):
        sm.tl.markov_test(cells, **(HOW | {"replicate_key": "well2"}), model=quick_lmi(n_permutations=0))
    assert "markov_test" not in cells.uns


def test_barcodes_tied_in_either_estimate_stay_together():
    first, second = (
        ClonePairs(np.arange(5), rowwise(5, np.array(ties))) for ties in ([0, 0, 1, 2, 3], [0, 1, 1, 2, 3])
    )
    (one, other), shared = _markov._same_barcodes((first, second), "shared", np.random.default_rng(0))
    assert shared.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(one.groups, other.groups)
    groups = one.groups
    assert len(set(groups[:3])) == 1
    assert len(set(groups)) == 3


# Wells


def three_wells(adata):
    adata.obs["well"] = adata.obs["well"].astype(str)
    late = np.flatnonzero(adata.obs["day"] == "6")
    adata.obs.iloc[late[::3], adata.obs.columns.get_loc("well")] = "3"


def test_wells_are_picked(cells, quick_lmi):
    three_wells(cells)
    test = sm.tl.markov_test(cells, **HOW, wells=("3", "1"), model=quick_lmi(n_permutations=0))
    assert test.late_late.between == ("6, well 3", "6, well 1")


def test_three_wells(cells, no_training):
    three_wells(cells)
    fails(cells, ValueError, r"has 3 wells at time point '6': \['1', '2', '3'\]; pick two with `wells=`")
    # All three at once are no pair of sisters either.
    for wells in (("1", "2", "3"), ("1", "1"), ("1",), "1"):
        fails(cells, ValueError, "`wells` must name two different wells of time point '6'", wells=wells)
    fails(
        cells, ValueError, r"`wells` names '4', but `.obs\['well'\]` at time point '6' has \['1', '2'", wells=("1", "4")
    )


@pytest.mark.slow
def test_cells_without_a_well_are_left_out(cells, quick_lmi):
    """Late cells of unknown well belong to neither sister sample; early ones serve, whatever their well."""
    late = np.flatnonzero(cells.obs["day"] == "6")
    early = np.flatnonzero(cells.obs["day"] == "2")
    missing, dropped = cells.copy(), np.r_[early, late[20:]]
    well = missing.obs["well"].astype(object)
    well.iloc[np.r_[early, late[:20]]] = np.nan
    missing.obs["well"] = well
    smaller = cells[np.sort(dropped)].copy()
    tests = [
        sm.tl.markov_test(adata, **HOW, model=quick_lmi(n_pairings=2, n_permutations=0)) for adata in (missing, smaller)
    ]
    assert tests[0].late_late.n_pairs == tests[1].late_late.n_pairs
    assert tests[0].difference == pytest.approx(tests[1].difference, abs=1e-6)


def test_missing_replicate(cells, no_training):
    late = cells.obs["well"] == "2"
    fails(
        cells[~late].copy(),
        ValueError,
        r"one replicate only, '1', at time point '6'. The Markov test compares sisters.*`replicate_key`",
    )
    cells.obs.loc[cells.obs["day"] == "6", "well"] = np.nan
    fails(cells, ValueError, r"no replicates: it is missing in all cells, at time point '6'.*measured by `sm.tl.lmi`")


# Mistakes


def fails(adata, error, match, **options):
    with pytest.raises(error, match=match):
        sm.tl.markov_test(adata, **(HOW | options))
    assert "markov_test" not in adata.uns


@pytest.mark.parametrize("n", [1, 2])
def test_few_shared_barcodes(cells, no_training, n):
    shared = sorted(barcodes(cells, day="2") & barcodes(cells, well="1") & barcodes(cells, well="2"))
    clone = cells.obs["clone"].astype(object)
    clone[~clone.isin(shared[:n])] = [f"own {i}" for i in range((~clone.isin(shared[:n])).sum())]
    cells.obs["clone"] = clone
    fails(cells, ValueError, f"Only {n} pairs to estimate from; at least 20 are needed")


def test_few_barcodes_without_the_third_sample(cells, no_training):
    """With `clones="all"` each side needs enough of its own; the smaller one sets the number of both."""
    shared = sorted(barcodes(cells, day="2") & barcodes(cells, well="2"))
    clone = cells.obs["clone"].astype(object)
    early = (cells.obs["day"] == "2").to_numpy()
    cells.obs["clone"] = clone.where(~early | clone.isin(shared[:2]))
    fails(cells, ValueError, "Only 2 pairs to estimate from; at least 20 are needed", clones="all")


def test_no_barcode_at_all(cells, no_training):
    early = (cells.obs["day"] == "2").to_numpy()
    clone = cells.obs["clone"].astype(object)
    cells.obs["clone"] = clone.where(~early)
    fails(cells, ValueError, r"no barcoded cell")
    cells.obs["clone"] = clone.where((cells.obs["well"] != "2").to_numpy())
    fails(cells, ValueError, r"no barcoded cell")


def test_no_shared_barcode(cells, no_training):
    clone = cells.obs["clone"].astype(object)
    early = (cells.obs["day"] == "2").to_numpy()
    other = clone.copy()
    other[early] = [f"own {i}" for i in range(early.sum())]
    cells.obs["clone"] = other
    fails(cells, ValueError, "No barcode is shared")
    # Each late sample shares some with the early one or with the other, but none is in all three.
    odd = clone.isin(sorted(clone.dropna().unique())[::2])
    cells.obs["clone"] = clone.where(~(early & odd) & ~((cells.obs["well"] == "1") & ~odd))
    fails(cells, ValueError, r"No barcode is in all three samples: \d+ are in .* Pass `clones='all'`")


def test_of_few_barcodes_it_says_what_they_can_show():
    arm = sm.tl.Estimate(between=("2", "6"), mi=0.5, se=0.1, ci=(0.3, 0.7), p=0.01, null=np.zeros(9), n_pairs=37)
    test = {"early_late": arm, "difference": 0.1, "ci": (-0.3, 0.5), "p": 0.3, "share": 0.2, "missing": {}}
    few, enough = (sm.tl.MarkovTest(late_late=replace(arm, n_pairs=n), se=0.25, **test) for n in (37, 100))
    said = "Few barcodes: of 37, a difference below 0.6 bits would mostly go unseen."
    assert str(few).splitlines()[-1] == said and said in few._repr_html_()
    assert "Few barcodes" not in str(enough) + enough._repr_html_()
    assert str(replace(few, se=np.nan)).endswith("of 37 no error can be told, and so nothing of the difference.")


def test_an_estimate_near_the_most_there_is_has_no_error():
    facts = {"between": ("2", "6"), "mi": 5.0, "se": 0.01, "p": 0.01, "null": np.zeros(9), "n_pairs": 300}
    most, clear = (sm.tl.Estimate(ci=ci, **facts) for ci in ((4.98, np.inf), (4.98, 5.02)))
    assert str(most) == "I(2; 6) of at least 5.000 bits"
    assert "<td>at least 5.00 bits</td>" in most._repr_html_()
    assert str(clear) == "I(2; 6) = 5.000 ± 0.010 bits"


def test_a_ceiling_below_the_late_sisters_is_said_to_spoil_the_test():
    late = sm.tl.Estimate(between=("6", "6'"), mi=0.5, se=0.1, ci=(0.3, 0.7), p=0.01, null=np.zeros(9), n_pairs=200)
    facts = {"early_late": replace(late, mi=0.1), "late_late": late, "difference": 0.4, "ci": (0.2, 0.6), "p": 1e-5}
    facts |= {"se": 0.1, "share": 0.8, "missing": {}}
    said = "measured too poorly"
    # 1.645 times the error of both, .14, is .23. What has no upper end is not low.
    for mi, high, poor in ((0.2, 0.4, True), (0.4, 0.6, False), (0.6, 0.8, False), (0.2, np.inf, False)):
        ceiling = replace(late, between=("2", "2'"), mi=mi, ci=(0.0, high))
        test = sm.tl.MarkovTest(ceiling=ceiling, **facts)
        assert (said in str(test)) == (said in test._repr_html_()) == poor
        assert ("80% of what sisters share" in str(test)) != poor


def test_warnings_name_their_estimate(_cells, quick_lmi):
    with pytest.warns(UserWarning, match="not settled") as caught:
        sm.tl.markov_test(_cells[False].copy(), **HOW, model=quick_lmi(n_permutations=0))
    assert all(
        str(w.message).endswith(("(This is about I(2; 6, well 2).)", "(This is about I(6, well 1; 6, well 2).)"))
        for w in caught
    )


def test_empty_time_point(cells, no_training):
    match = r"`times` names 2, but `.obs\['day'\]` has \['2', '6'\]. It holds text: pass '2'\."
    fails(cells, ValueError, match, times=(2, 6))
    fails(cells[cells.obs["day"] == "6"].copy(), ValueError, "`times` names '2', but")
    fails(cells, ValueError, "`times` must name two different values", times=("2", "2"))
    fails(cells, ValueError, "`times` must name two different values", times="26")


def test_other_mistakes(cells, no_training):
    fails(cells, KeyError, "Did not find `time_key='time'` in `.obs`", time_key="time")
    fails(cells, KeyError, "Did not find `replicate_key='plate'` in `.obs`", replicate_key="plate")
    fails(cells, KeyError, "Did not find `counts_layer='raw'` in `.layers`", counts_layer="raw")
    fails(cells, ValueError, "clones='some' is not known", clones="some")
    fails(cells[:50], ValueError, "is a view")
    fails(cells[:0].copy(), ValueError, "is empty")
    fails(cells, ValueError, "`n_pairings` must be at least 1", model=sm.LMI(n_pairings=0))
    fails(cells, TypeError, "`model` must be an LMI such as `sm.LMI\\(k=5\\)`, got dict", model={"k": 5})
    with pytest.raises(TypeError, match="must be an AnnData"):
        sm.tl.markov_test(cells.X, **HOW)
