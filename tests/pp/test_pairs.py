"""The promises of pairing.

- Two cells are paired only if they carry the same barcode; each pairing has every shared barcode once.
- Each cell of a barcode is drawn equally often; the same seed draws the same table.
- All ways to write a barcode (category, text, numbers, bool, matrix, DataFrame, cell names) mean the same.
- What means "no barcode" is never a barcode; 0 is one unless named.
- Barcodes linked by a cell are in one group; no couple of cells comes twice in a pairing.
- Mistakes are named with their slot and the way out, before anything is drawn.
"""

import logging
import os
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from scmi.pp import pair_clones
from scmi.pp.pairs import match_clones

DATA = Path(os.environ.get("SCMI_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def cells(n=None, *, prefix="cell", **obs):
    n = n if n is not None else len(next(iter(obs.values())))
    frame = pd.DataFrame(index=[f"{prefix}{i}" for i in range(n)])
    for key, values in obs.items():
        frame[key] = values.to_numpy() if isinstance(values, pd.Series) else values
    return ad.AnnData(obs=frame)


def with_matrix(matrix, key="X_clone"):
    adata = cells(matrix.shape[0])
    if isinstance(matrix, pd.DataFrame):
        matrix = matrix.set_axis(adata.obs_names, axis=0)
    adata.obsm[key] = matrix
    return adata


def rows_of(pairs, side):
    indptr, rows = (
        (pairs.pairing.indptr_x, pairs.pairing.rows_x)
        if side == "a"
        else (pairs.pairing.indptr_y, pairs.pairing.rows_y)
    )
    return {label: rows[indptr[i] : indptr[i + 1]].tolist() for i, label in enumerate(pairs.barcodes)}


# A toy by hand: "x" on 0 and 3 of a and 1 of b; "y" on 1 of a and 0, 2 of b; "z" on one side only.
TOY_A = ["x", "y", "z", "x", None]
TOY_B = ["y", "x", "y", "w"]


def test_toy():
    pairs = match_clones(cells(clone=TOY_A), cells(clone=TOY_B), "clone")
    assert pairs.barcodes.tolist() == ["x", "y"]
    assert rows_of(pairs, "a") == {"x": [0, 3], "y": [1]}
    assert rows_of(pairs, "b") == {"x": [1], "y": [0, 2]}
    assert pairs.pairing.groups.tolist() == [0, 1]


def test_table():
    table = pair_clones(cells(clone=TOY_A), cells(clone=TOY_B), "clone", n_pairings=3, rng=0)
    assert table.columns.tolist() == ["pairing", "barcode", "row_a", "row_b"]
    text = str(pd.Series(["x"]).dtype)  # object, and from pandas 3 on str
    assert [str(dtype) for dtype in table.dtypes] == ["int64", text, "int64", "int64"]
    assert table["pairing"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table["barcode"].tolist() == ["x", "y"] * 3


def test_inputs_may_be_views_and_are_not_changed():
    adata = cells(clone=["x", "y", "x", "y"], day=[2, 2, 6, 6])
    before = adata.obs.copy()
    table = pair_clones(adata[adata.obs["day"] == 2], adata[adata.obs["day"] == 6], "clone")
    assert table[["row_a", "row_b"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    pd.testing.assert_frame_equal(adata.obs, before)
    assert list(adata.uns) == []


FORMS = {
    "text": (pd.Series(["1", "2", "3"]), pd.Series(["3", "1", "9"])),
    "string dtype": (pd.Series(["1", "2", pd.NA, "3"], dtype="string"), pd.Series(["3", "1", "9"])),
    "category and text": (pd.Series(["1", "2", "3"], dtype="category"), pd.Series(["3", "1", "9"])),
    "integer and float": (pd.Series([1, 2, 3]), pd.Series([3.0, 1.0, np.nan])),
    "integer category and float": (pd.Series([1, 2, 3], dtype="category"), pd.Series([3.0, 1.0, np.nan])),
    "nullable integer": (pd.Series([1, pd.NA, 3], dtype="Int64"), pd.Series([3, 1, 9], dtype=np.uint8)),
    "object numbers": (pd.Series([1, None, 3.0], dtype=object), pd.Series([3, 1, 9])),
    "numbers and missing text": (pd.Series([1, "NA", 3], dtype=object), pd.Series([3, 1, 9])),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_column_type(form):
    a, b = FORMS[form]
    pairs = match_clones(cells(clone=a), cells(clone=b), "clone")
    assert [str(label) for label in pairs.barcodes] == ["1", "3"]
    assert list(rows_of(pairs, "a").values()) == [[0], [len(a) - 1]]
    assert list(rows_of(pairs, "b").values()) == [[1], [0]]


def test_bool_column():
    pairs = match_clones(cells(clone=[True, False, True]), cells(clone=[True, True]), "clone")
    assert rows_of(pairs, "a") == {True: [0, 2]}


def test_large_integers_are_not_rounded_together():
    pairs = match_clones(cells(clone=[2**53, 2**53 + 1]), cells(clone=[2**53 + 1, 7]), "clone")
    assert rows_of(pairs, "a") == {2**53 + 1: [1]}


def test_fractions_stay_fractions():
    pairs = match_clones(cells(clone=[0.5, 1.0]), cells(clone=[1, 0.5]), "clone")
    assert pairs.barcodes.tolist() == [0.5, 1]


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, "", "  ", "NA", " NA ", "nan", "NaN", "None", "N/A", "<NA>"], ids=repr
)
@pytest.mark.parametrize("dtype", [object, "category"])
def test_missing_is_no_barcode(missing, dtype):
    a = cells(clone=pd.Series(["x", missing, missing], dtype=object).astype(dtype))
    b = cells(clone=pd.Series([missing, "x", missing], dtype=object).astype(dtype))
    assert match_clones(a, b, "clone").barcodes.tolist() == ["x"]


def test_zero_is_a_barcode_unless_named_and_minus_one_is_none():
    a, b = cells(clone=[0, -1, 5]), cells(clone=[5.0, 0.0, -1.0])
    assert match_clones(a, b, "clone").barcodes.tolist() == [0, 5]
    assert match_clones(a, b, "clone", na_values=0).barcodes.tolist() == [5]
    for several in ([0, -1], (0, -1), {0, -1}, np.array([0, -1]), pd.Index([0, -1])):
        assert match_clones(a, b, "clone", na_values=several).barcodes.tolist() == [5]


def test_na_values_as_text():
    a, b = cells(clone=["off", "x"]), cells(clone=["x", "off"])
    assert match_clones(a, b, "clone", na_values="off").barcodes.tolist() == ["x"]
    # One that fits is enough: the other may be meant for another object.
    assert match_clones(a, b, "clone", na_values=[0, "off"]).barcodes.tolist() == ["x"]


def test_na_values_repair_a_mixed_column():
    a, b = cells(clone=pd.Series(["x", 0, 0], dtype=object)), cells(clone=pd.Series([0, "x"], dtype=object))
    assert match_clones(a, b, "clone", na_values=0).barcodes.tolist() == ["x"]


def test_na_values_of_another_kind():
    a, b = cells(clone=["0", "x"]), cells(clone=["x", "0"])
    with pytest.raises(
        ValueError, match=r"`na_values` \[0\] cannot match `adata_a.obs\['clone'\]`, .* write them as text"
    ):
        pair_clones(a, b, "clone", na_values=0)


def test_pair_of_keys():
    pairs = match_clones(cells(day2=TOY_A), cells(day6=TOY_B), ("day2", "day6"))
    assert pairs.barcodes.tolist() == ["x", "y"]


MATRIX_A = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 0], [1, 0, 0]])
MATRIX_B = np.array([[0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    "form",
    [np.asarray, sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array, lambda m: m.astype(bool), pd.DataFrame],
    ids=["dense", "csr_matrix", "csc_matrix", "csr_array", "csc_array", "bool", "DataFrame"],
)
def test_every_matrix_type(form):
    a, b = with_matrix(form(MATRIX_A)), with_matrix(form(MATRIX_B))
    if isinstance(a.obsm["X_clone"], pd.DataFrame):
        for adata in (a, b):
            adata.obsm["X_clone"].columns = ["0", "1", "2"]
    pairs = match_clones(a, b, "X_clone")
    assert [int(label) for label in pairs.barcodes] == [0, 1]
    assert list(rows_of(pairs, "a").values()) == [[0, 3], [1]]
    assert list(rows_of(pairs, "b").values()) == [[1], [0]]


def test_matrix_keys_may_differ():
    pairs = match_clones(with_matrix(MATRIX_A, "early"), with_matrix(MATRIX_B, "late"), ("early", "late"))
    assert pairs.barcodes.tolist() == [0, 1]


def test_matrix_nan_explicit_zero_and_duplicates():
    zero = sp.csr_matrix((np.array([0.0, np.nan, 1.0]), (np.array([0, 0, 1]), np.array([0, 1, 1]))), shape=(2, 2))
    twice = sp.csr_matrix((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    stored = twice.nnz
    pairs = match_clones(with_matrix(zero), with_matrix(twice), "X_clone")
    assert rows_of(pairs, "a") == {1: [1]}
    assert rows_of(pairs, "b") == {1: [0]}
    assert twice.nnz == stored
    dense = match_clones(with_matrix(zero.toarray()), with_matrix(twice.toarray()), "X_clone")
    assert rows_of(dense, "a") == {1: [1]}


@pytest.mark.parametrize("sparse", [False, True])
def test_frames_align_by_name(sparse):
    a = pd.DataFrame(MATRIX_A, columns=["p", "q", "r"])
    b = pd.DataFrame(MATRIX_B, columns=["q", "r", "s"])
    if sparse:
        a, b = a.astype(pd.SparseDtype(int, 0)), b.astype(pd.SparseDtype(int, 0))
    pairs = match_clones(with_matrix(a), with_matrix(b), "X_clone")
    # "r" has no cell in a.
    assert rows_of(pairs, "a") == {"q": [1]}
    assert rows_of(pairs, "b") == {"q": [1]}


def test_names():
    a, b = cells(3), cells(4)[[3, 1, 0]].copy()
    pairs = match_clones(a, b, None)
    assert pairs.barcodes.tolist() == ["cell0", "cell1"]
    table = pair_clones(a, b)
    assert table[["row_a", "row_b"]].to_numpy().tolist() == [[0, 2], [1, 1]]


def test_groups_join_barcodes_through_cells_of_either_side():
    # 0-1 share cell 0 of a; 1-3 share cell 1 of b; 2 and 4 stand alone.
    a = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]])
    b = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]])
    assert match_clones(with_matrix(a), with_matrix(b), "X_clone").pairing.groups.tolist() == [0, 0, 1, 0, 2]


def test_couple_comes_once_in_a_pairing():
    a, b = with_matrix(np.array([[1, 1, 0], [0, 0, 1]])), with_matrix(np.array([[1, 1, 0], [0, 0, 1]]))
    table = pair_clones(a, b, "X_clone", n_pairings=2)
    assert table[["pairing", "barcode", "row_a", "row_b"]].to_numpy().tolist() == [
        [0, 0, 0, 0],
        [0, 2, 1, 1],
        [1, 0, 0, 0],
        [1, 2, 1, 1],
    ]


def test_draws_are_uniform_among_the_cells_of_a_barcode():
    a, b = cells(clone=["x"] * 4 + ["y"]), cells(clone=["x", "y"])
    table = pair_clones(a, b, "clone", n_pairings=4000, rng=1)
    drawn = np.bincount(table.loc[table["barcode"] == "x", "row_a"], minlength=4)
    # Binomial(4000, 1/4): sd 27, so 150 is 5.5 sd.
    assert np.abs(drawn - 1000).max() < 150


barcode_lists = st.lists(st.sampled_from(["x", "y", "z", "w", "NA"]), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(clones_a=barcode_lists, clones_b=barcode_lists, n_pairings=st.integers(1, 4), seed=st.integers(0, 99))
def test_each_pairing_has_each_shared_barcode_once(clones_a, clones_b, n_pairings, seed):
    a, b = cells(clone=["both", *clones_a]), cells(clone=[*clones_b, "both"])
    table = pair_clones(a, b, "clone", n_pairings=n_pairings, rng=seed)
    shared = sorted((set(clones_a) & set(clones_b)) - {"NA"} | {"both"})
    for pairing in range(n_pairings):
        assert table.loc[table["pairing"] == pairing, "barcode"].tolist() == shared
    assert len(table) == n_pairings * len(shared)
    for adata, row in ((a, "row_a"), (b, "row_b")):
        assert (adata.obs["clone"].to_numpy()[table[row]] == table["barcode"].to_numpy()).all()
    pd.testing.assert_frame_equal(table, pair_clones(a, b, "clone", n_pairings=n_pairings, rng=seed))
    generator = np.random.default_rng(seed)
    pd.testing.assert_frame_equal(table, pair_clones(a, b, "clone", n_pairings=n_pairings, rng=generator))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_matrix_draws_carry_their_barcode_and_respect_groups(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((6, 5)) < 0.35, rng.random((7, 5)) < 0.35
    a[0, 0] = b[0, 0] = True
    table = pair_clones(with_matrix(a), with_matrix(b), "X_clone", n_pairings=3, rng=seed)
    label = table["barcode"].to_numpy(dtype=int)
    assert a[table["row_a"], label].all() and b[table["row_b"], label].all()
    assert not table.duplicated(["pairing", "row_a", "row_b"]).any()
    pairs = match_clones(with_matrix(a), with_matrix(b), "X_clone")
    group = dict(zip(pairs.barcodes, pairs.pairing.groups, strict=True))
    for side in (a, b):
        for cell in side:
            assert len({group[i] for i in np.flatnonzero(cell) if i in group}) <= 1


def test_global_random_state_is_left_alone():
    state = np.random.get_state()[1].copy()
    pair_clones(cells(clone=TOY_A), cells(clone=TOY_B), "clone")
    assert (np.random.get_state()[1] == state).all()


def test_log(caplog):
    with caplog.at_level(logging.INFO, logger="scmi"):
        pair_clones(cells(clone=TOY_A), cells(clone=TOY_B), "clone", n_pairings=2)
    assert caplog.messages == [
        "4 cells have a name that occurs in both objects: taken as different cells; `same_cells=` decides otherwise",
        "2 barcodes are shared: 4 pairs of cells in 2 random pairings",
    ]


# Mistakes


def test_no_anndata():
    with pytest.raises(TypeError, match="`adata_b` must be an AnnData, got DataFrame"):
        pair_clones(cells(clone=TOY_A), pd.DataFrame({"clone": TOY_B}), "clone")


def test_no_cells():
    a = cells(clone=TOY_A)
    with pytest.raises(ValueError, match="`adata_a` has no cells: check the mask"):
        pair_clones(a[:0], a, "clone")


def test_same_object():
    a = cells(clone=TOY_A)
    with pytest.raises(ValueError, match="are the same object: .* Pass two subsets"):
        pair_clones(a, a, "clone")


@pytest.mark.parametrize("n_pairings", [0, -1])
def test_too_few_pairings(n_pairings):
    with pytest.raises(ValueError, match="`n_pairings` must be at least 1"):
        pair_clones(cells(clone=TOY_A), cells(clone=TOY_B), "clone", n_pairings=n_pairings)


@pytest.mark.parametrize("key", [3, ("clone",), ("clone", 3), ("a", "b", "c")])
def test_key_of_the_wrong_type(key):
    with pytest.raises(TypeError, match="`pair_key` must be a name, a pair of names"):
        pair_clones(cells(clone=TOY_A), cells(clone=TOY_B), key)


def test_missing_key():
    a = cells(clone=TOY_A, day=[2] * 5)
    a.obsm["X_clone"] = np.ones((5, 2))
    with pytest.raises(
        KeyError, match=r"Did not find 'clones' in `adata_a.obs` or `adata_a.obsm`. Did you mean 'clone'"
    ):
        pair_clones(a, cells(clone=TOY_B), "clones")
    with pytest.raises(KeyError, match=r"There are obs 'clone', 'day' and obsm 'X_clone'\."):
        pair_clones(a, cells(clone=TOY_B), "qqq")
    with pytest.raises(KeyError, match=r"Did not find 'day' in `adata_b.obs`.* obs 'clone' and obsm none"):
        pair_clones(a, cells(clone=TOY_B), "day")


def test_ambiguous_key():
    a = cells(clone=TOY_A)
    a.obsm["clone"] = np.ones((5, 2))
    with pytest.raises(ValueError, match=r"'clone' is ambiguous: both `adata_a.obs` and `adata_a.obsm` have it"):
        pair_clones(a, cells(clone=TOY_B), "clone")


def test_column_against_matrix():
    with pytest.raises(ValueError, match="a column on one side and a matrix on the other"):
        pair_clones(cells(clone=TOY_A), with_matrix(MATRIX_B), ("clone", "X_clone"))


def test_nothing_shared():
    a, b = cells(clone=list("abcd")), cells(clone=list("wxy"))
    with pytest.raises(
        ValueError,
        match=r"`adata_a.obs\['clone'\]` has 4 barcodes \('a', 'b', 'c', ...\), .* has 3 \('w', 'x', 'y'\)",
    ):
        pair_clones(a, b, "clone")


def test_no_name_shared():
    """What may pair the cells instead is named, that which holds most in common first: no numbers, no few groups."""
    clones = [f"clone {i}" for i in range(30)]
    a, b = (
        cells(clone=clones[part], day=["2"] * 20, depth=np.linspace(0, 1, 20), lane=[f"l{i % 12}" for i in range(20)])
        for part in (slice(0, 20), slice(5, 25))
    )
    a.obs_names, b.obs_names = (pd.Index([f"{name}{i}" for i in range(20)]) for name in "ab")
    said = r"No cell of `adata_a` has the name of one of `adata_b`: they are called 'a0', 'a1', 'a2', ... and 'b0',.*"
    with pytest.raises(ValueError, match=said + "perhaps `pair_key='clone'` or `pair_key='lane'`\\.$"):
        pair_clones(a, b, None)
    for side in (a, b):
        side.obsm["X_clone"] = sp.csr_array(np.eye(20))
        side.obsm["X_pca"] = np.eye(20)
    with pytest.raises(ValueError, match="perhaps `pair_key='X_clone'` or `pair_key='clone'`"):
        pair_clones(a, b, None)
    bare = [ad.AnnData(np.eye(2), obs=pd.DataFrame(index=names)) for names in (["x", "y"], ["u", "v"])]
    with pytest.raises(ValueError, match=r"name what holds these\.$"):
        pair_clones(*bare, None)


def test_donors_and_clusters_pair_no_cells():
    """They have values in common as well, but few beside those of the barcodes."""
    a, b = (cells(clone=[f"c{i}" for i in range(200)], donor=[f"d{i % 15}" for i in range(200)]) for _ in "ab")
    a.obs_names, b.obs_names = (pd.Index([f"{name}{i}" for i in range(200)]) for name in "ab")
    with pytest.raises(ValueError, match=r"perhaps `pair_key='clone'`\.$"):
        pair_clones(a, b, None)


def test_nothing_shared_because_of_types():
    a, b = cells(clone=[1, 2]), cells(clone=["1", "2"])
    with pytest.raises(ValueError, match=r"first are numbers, the second text, .* convert both with `.astype\(str\)`"):
        pair_clones(a, b, "clone")
    with pytest.raises(ValueError, match="first are numbers, the second booleans"):
        pair_clones(a, cells(clone=[True, False]), "clone")


def test_no_barcode_at_all():
    a, b = cells(clone=[np.nan, np.nan]), cells(clone=["x", "y"])
    with pytest.raises(ValueError, match=r"has 0 barcodes \(none\).* One side has no barcoded cell at all"):
        pair_clones(a, b, "clone")


@pytest.mark.parametrize(
    "values", [pd.Series([1, "x", "y"], dtype=object), pd.Series(pd.to_datetime(["2020", "2021", "2022"]))]
)
def test_labels_that_cannot_be_compared(values):
    with pytest.raises(ValueError, match=r"`adata_a.obs\['clone'\]` holds labels of type .* convert it with `.astype"):
        pair_clones(cells(clone=values), cells(clone=["x"]), "clone")


def test_duplicate_names():
    a = cells(3)
    a.obs_names = pd.Index(["u", "u", "v"])
    with pytest.raises(ValueError, match=r"`adata_a.obs_names` are not unique.*adata_a.obs_names_make_unique\(\)"):
        pair_clones(a, cells(3))


def test_na_values_without_labels():
    with pytest.raises(ValueError, match=r"`na_values` has no meaning with `pair_key=None`"):
        pair_clones(cells(3), cells(3), na_values=0)
    with pytest.raises(ValueError, match=r"`pair_key` is the matrix `.obsm\['X_clone'\]`.*leave it out"):
        pair_clones(with_matrix(MATRIX_A), with_matrix(MATRIX_B), "X_clone", na_values=0)


def test_columns_that_do_not_align():
    with pytest.raises(ValueError, match=r"have 3 and 2 columns. Plain matrices are aligned by position") as error:
        pair_clones(with_matrix(MATRIX_A), with_matrix(MATRIX_B[:, :2][[0, 1, 1]]), "X_clone")
    assert "transposed" not in str(error.value)
    with pytest.raises(ValueError, match="as many columns as cells: is it transposed"):
        pair_clones(with_matrix(np.eye(4)), with_matrix(np.eye(5)), "X_clone")
    frame = pd.DataFrame(MATRIX_B, columns=["0", "1", "2"])
    with pytest.raises(ValueError, match="one is a DataFrame with named columns, the other is not"):
        pair_clones(with_matrix(MATRIX_A), with_matrix(frame), "X_clone")
    doubled = frame.set_axis(["p", "p", "q"], axis=1)
    with pytest.raises(ValueError, match="has several columns of the same name"):
        pair_clones(with_matrix(doubled), with_matrix(frame), "X_clone")


def test_matrix_that_is_none():
    frame = pd.DataFrame({"p": ["yes", "no"]})
    with pytest.raises(ValueError, match=r"`adata_a.obsm\['X_clone'\]` holds columns that are no numbers"):
        pair_clones(with_matrix(frame), with_matrix(frame), "X_clone")
    cube = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="must be a matrix of numbers, cells x clones"):
        pair_clones(with_matrix(cube), with_matrix(cube.copy()), "X_clone")


def test_dominant_barcode():
    fill = [str(i) for i in range(5)]
    a, b = cells(clone=["off"] * 95 + fill), cells(clone=["off", *fill])
    with pytest.raises(
        ValueError, match=r"`adata_a.obs\['clone'\]`, barcode 'off' covers 95% of the 100 .* pass `na_values='off'`"
    ):
        pair_clones(a, b, "clone")
    assert match_clones(a, b, "clone", na_values="off").barcodes.tolist() == fill
    with pytest.raises(ValueError, match=r"`adata_b.obs\['clone'\]`, barcode 'off' covers 95%"):
        pair_clones(b, a, "clone")


def test_few_cells_of_one_clone_pass():
    assert match_clones(cells(clone=["x"] * 10), cells(clone=["x"]), "clone").barcodes.tolist() == ["x"]
    with pytest.raises(ValueError, match="covers 100% of the 11 barcoded cells"):
        match_clones(cells(clone=["x"] * 11), cells(clone=["x"]), "clone")


def test_dominant_column():
    a = np.zeros((20, 3), dtype=int)
    a[:, 0] = 1
    a[0, 1] = a[1, 2] = 1
    with pytest.raises(ValueError, match=r"obsm\['X_clone'\]`, barcode 0 covers 100% of the 20 .* drop that column"):
        pair_clones(with_matrix(a), with_matrix(np.eye(3)), "X_clone")


def test_implausible_barcode_warns_at_the_line_of_the_user():
    rare = [str(i) for i in range(1, 37)]
    a, b = cells(clone=["0"] * 14 + rare), cells(clone=["0", *rare])
    with pytest.warns(
        UserWarning, match=r"`adata_a.obs\['clone'\]`, barcode '0' covers 28% of the 50 .* `na_values='0'`"
    ) as seen:
        pair_clones(a, b, "clone")
    assert [Path(warning.filename).name for warning in seen] == ["test_pairs.py"]


def test_plausible_barcodes_do_not_warn():
    # Warnings are errors here: 20 % exactly; 49 cells; 5 barcodes.
    rare = [str(i) for i in range(1, 41)]
    assert len(pair_clones(cells(clone=["0"] * 10 + rare), cells(clone=["0"]), "clone")) == 1
    assert len(pair_clones(cells(clone=["0"] * 13 + rare[:36]), cells(clone=["0"]), "clone")) == 1
    assert len(pair_clones(cells(clone=list("abcde") * 20), cells(clone=["a"]), "clone")) == 1


@pytest.mark.filterwarnings("ignore:Element '.*' was written without encoding metadata")
def test_real_clones():
    path = DATA / "larry" / "larry_781_cells.h5ad"
    if not path.exists():
        pytest.skip(f"no file {path}: set SCMI_TEST_DATA")
    adata = ad.read_h5ad(path)
    day4, day6 = (adata[adata.obs["time_info"].astype(str) == day] for day in ("4", "6"))
    table = pair_clones(day4, day6, "X_clone", n_pairings=2, rng=0)
    assert table["barcode"].nunique() == 113
    assert len(table) == 226
    clone_a, clone_b = (side.obsm["X_clone"].toarray().argmax(axis=1) for side in (day4, day6))
    assert (clone_a[table["row_a"]] == clone_b[table["row_b"]]).all()
