"""Every container of the same numbers gives the same matrix to the last bit, or is refused by its name."""

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scmi as sm
from scmi import estimators
from scmi.estimators.inputs.labels import one_hot
from scmi.estimators.inputs.matrices import as_matrix, as_points

CONTAINERS = {
    "list": lambda x: x.tolist(),
    "Fortran": np.asfortranarray,
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "objects": lambda x: x.astype(object),
    "masked without a mask": np.ma.array,
    "csr_matrix": sp.csr_matrix,
    "csc_array": sp.csc_array,
    "coo_array": sp.coo_array,
    "lil_matrix": sp.lil_matrix,
    "pandas": pd.DataFrame,
    "pandas nullable": lambda x: pd.DataFrame(x).convert_dtypes(convert_integer=False),
    "pandas sparse": lambda x: pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(x)),
    "polars": pl.DataFrame,
    "torch": torch.tensor,
    "torch sparse": lambda x: torch.tensor(x).to_sparse(),
    "dask": lambda x: da.from_array(x, chunks=(3, x.shape[1])),
    "dask of csr": lambda x: da.from_array(x, chunks=(3, x.shape[1])).map_blocks(sp.csr_matrix),
    "long double": lambda x: x.astype(np.longdouble),
}
MATRICES = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 4)),
    elements=st.sampled_from([0.0, 0.5, -2.0, 1e-3, 3e7]) | st.floats(-1e6, 1e6, allow_subnormal=False),
)


@pytest.mark.parametrize("name", CONTAINERS)
@settings(deadline=None, max_examples=25)
@given(x=MATRICES)
def test_same_numbers(name, x):
    np.testing.assert_array_equal(as_points(CONTAINERS[name](x), "x"), x)


@settings(deadline=None, max_examples=50)
@given(x=MATRICES, seed=st.integers(0, 99))
def test_entries_in_several_parts_are_added_up(x, seed):
    whole = sp.csr_matrix(x)
    part = np.random.default_rng(seed).integers(-3, 3, len(whole.data)).astype(float)
    twice = sp.csr_matrix(
        (np.column_stack([part, part]).ravel(), np.repeat(whole.indices, 2), 2 * whole.indptr), shape=x.shape
    )
    assert len(part) == 0 or not twice.has_canonical_format
    before = twice.data.copy()
    np.testing.assert_array_equal(as_points(twice, "x"), twice.toarray())
    np.testing.assert_array_equal(twice.data, before)  # it is the user's
    pieces = da.from_array(np.zeros((1, 1)), chunks=1).map_blocks(
        lambda _: twice, chunks=((x.shape[0],), (x.shape[1],)), meta=sp.csr_matrix((0, 0))
    )
    np.testing.assert_array_equal(as_points(pieces, "x"), twice.toarray())


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        (np.ma.array([[1.0], [2.0]], mask=[[True], [False]]), ValueError, "masked array with 1 masked values"),
        ([np.ma.array([1.0], mask=[True]), np.ma.array([2.0])], ValueError, "masked array with 1 masked values"),
        (np.ones((2, 2)) + 1j, TypeError, "holds values of type complex128; expected real numbers"),
        (torch.ones((2, 2), dtype=torch.complex64), TypeError, "complex64; expected real numbers"),
        (sp.csr_matrix(np.ones((2, 2)) + 1j), TypeError, "complex128; expected real numbers"),
        (pd.DataFrame({"a": [1 + 1j]}), TypeError, "complex128; expected real numbers"),
        (pl.DataFrame({"a": [1.0]}).lazy(), TypeError, "x is a LazyFrame.*collected first"),
        ({"a": 1}, TypeError, "x is a dict"),
        ("x.npy", TypeError, "x is a str"),
        (None, TypeError, "x is a NoneType"),
        ((row for row in [[1.0]]), TypeError, "x is a generator"),
        ([[1.0, 2.0], [3.0]], ValueError, "its rows differ in length"),
        (np.array([["a", "b"]]), TypeError, "expected real numbers"),
        (np.array([[1.0, "b"]], dtype=object), TypeError, "objects that are not real numbers, the first 'b'"),
        (np.array(["2020-01-01"], dtype="M8[D]"), TypeError, r"datetime64\[D\]; expected real numbers"),
        (np.array([[1.0], [1e305]]), ValueError, r"values beyond 1e\+300"),
    ],
)
def test_refused_by_name(values, error, match):
    with pytest.raises(error, match=match):
        as_matrix(values, "x")


def test_half_precision_and_vectors_of_sparse_kinds():
    x = np.array([[1.5, 0.0], [0.0, 2.5]], dtype=np.float32)
    half = sp.csr_matrix(x)
    half.data = half.data.astype(np.float16)
    np.testing.assert_array_equal(as_points(half, "x"), x)
    np.testing.assert_array_equal(as_points(sp.coo_array(x[:, 0]), "x"), x[:, :1])


LABELS = np.array(list("abca"))
SAME_LABELS = {
    "list": LABELS.tolist(),
    "text": LABELS,
    "bytes": LABELS.astype(bytes),
    "objects": LABELS.astype(object),
    "column of a table": LABELS[:, None],
    "Series": pd.Series(LABELS),
    "categorical": pd.Series(LABELS, dtype="category"),
    "Categorical": pd.Categorical(LABELS),
    "categories that are numbers": pd.Series([3, 5, 9, 3], dtype="category"),
    "string": pd.Series(LABELS, dtype="string"),
    "Index": pd.Index(LABELS),
    "frame": pd.DataFrame({"fate": LABELS}),
    "polars": pl.Series(LABELS.tolist()),
    "polars categorical": pl.Series(LABELS.tolist(), dtype=pl.Categorical),
    "polars frame": pl.DataFrame({"fate": LABELS.tolist()}),
}


@pytest.mark.parametrize("name", SAME_LABELS)
def test_labels_are_labels_in_every_container(name):
    np.testing.assert_array_equal(one_hot(SAME_LABELS[name], "y"), np.eye(3)[[0, 1, 2, 0]])


@pytest.mark.parametrize(
    "values", [pd.Series([1.0, 2.5], dtype=object), np.array([1, 2], dtype=object), [True, False], pl.Series([1, 2])]
)
def test_numbers_are_numbers_in_every_container(values):
    assert one_hot(values, "y") is values


def test_a_mixture_of_labels_is_refused():
    with pytest.raises(TypeError, match=r"y mixes labels of different types .*astype\(str\)"):
        one_hot(np.array(["a", 1], dtype=object), "y")


@pytest.fixture
def quick(quick_lmi):
    def run(x, y, **data):
        return quick_lmi(n_permutations=0).fit(x, y, **data).result_.mi

    return run


def test_codes_of_labels_are_told_of(quick):
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(60, 2)), rng.integers(0, 6, 60)
    for values in (codes, pd.DataFrame({"fate": codes}), codes.tolist()):
        with pytest.warns(UserWarning, match="y is one column of whole numbers with 6 different values"):
            quick(x, values)
    quick(x, codes.astype(float))
    quick(x, rng.integers(0, 10**6, 60))


def test_rows_named_alike_in_another_order_are_refused(quick):
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(60)]
    x = pd.DataFrame(rng.normal(size=(60, 2)), index=names)
    shuffled = x.sample(frac=1, random_state=0)
    for other, match in (
        (shuffled, "have the same row names in another order.*`y.loc"),
        (x.reset_index(drop=True).sample(frac=1, random_state=0).set_index(shuffled.index[:60]), "another order"),
        (x.rename(index={"c0": "other"}), "the same row names but for 1 rows"),
    ):
        with pytest.raises(ValueError, match=match):
            quick(x, other)
    with pytest.raises(ValueError, match="`x` and `groups` have the same row names in another order"):
        quick(x, x, groups=pd.Series(range(60), index=names[::-1]))
    y = x + rng.normal(size=x.shape)
    assert quick(x, y.to_numpy()) == quick(x, y.set_axis([f"d{i}" for i in range(60)]))
    with pytest.raises(ValueError, match="another order"):  # numbers by default, shuffled
        quick(x.reset_index(drop=True), x.reset_index(drop=True).sample(frac=1, random_state=0))


def test_every_function_of_frames_refuses_another_order():
    rng = np.random.default_rng(0)
    numbered = pd.DataFrame(rng.normal(size=(60, 2)))
    named = numbered.set_axis([f"c{i}" for i in range(60)])
    labels = pd.Series(rng.choice(["a", "b"], 60), named.index)
    backwards = [
        lambda: sm.lmi(numbered, numbered[::-1]),  # row numbers by default, backwards
        lambda: sm.lmi(named, labels[::-1]),
        lambda: sm.ksg(named, named[::-1]),
        lambda: sm.mine(named, named[::-1]),
        lambda: sm.infonce(named, named[::-1]),
        lambda: estimators.conditional_ksg(named, named, named[::-1]),
        lambda: estimators.label_information(named, labels[::-1]),
        lambda: estimators.label_information(named, labels, groups=labels[::-1]),
        lambda: estimators.shared_label_information(labels, labels, labels[::-1], labels),
        lambda: estimators.shared_label_information(labels, labels, labels, labels[::-1]),
    ]
    for call in backwards:
        with pytest.raises(ValueError, match="have the same row names in another order"):
            call()


def test_a_series_and_itself_a_step_later_are_two_variables():
    series = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 1)))
    assert np.array_equal(sm.ksg(series[:-1], series[1:]), sm.ksg(series[:-1].to_numpy(), series[1:].to_numpy()))


def test_scales_do_not_decide(quick):
    """Columns far from 0, huge or tiny give the same bits: the factors are powers of two, the offset is not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = x + rng.normal(size=x.shape)
    plain = quick(x, y)
    for factor in (2.0**530, 2.0**-660):
        assert quick(x * factor, y) == plain
        assert sm.ksg(x * factor, y * factor, metric="euclidean").mean() == sm.ksg(x, y, metric="euclidean").mean()
    # The offset rounds values to 4e-9.
    assert quick(x + 2e7, y) == pytest.approx(plain, abs=1e-3)
    assert quick(sp.csr_matrix(x + 2e7), y) == pytest.approx(plain, abs=1e-3)


def test_a_constant_side_is_told_of_once(quick):
    x = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.warns(UserWarning, match="All rows of y are the same") as told:
        assert quick(x, np.full((60, 2), 0.1)) == pytest.approx(0, abs=0.05)
    assert len([one for one in told if "All rows" in str(one.message)]) == 1


def test_one_wild_row_does_not_stop_the_others(quick_lmi):
    """It is clipped, and the user is told. Without it, 1.4 bits, 1.1 uncorrected; unclipped, .6."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = x + rng.normal(size=x.shape)
    for wild in (300, 1e6, -1e12):
        x[0] = wild
        with pytest.warns(UserWarning, match="x has 3 of 3 columns with a few values far beyond"):
            found = quick_lmi(n_permutations=0).fit(x, y).result_
        assert 0.9 < found.mi < 1.7  # with a correction or without


@pytest.mark.parametrize("degrees_of_freedom", [1, 3])
def test_heavy_tails_are_not_wild(degrees_of_freedom, quick_lmi):
    x = np.random.default_rng(0).standard_t(degrees_of_freedom, size=(300, 3))
    quick_lmi(n_permutations=0).fit(x, x[::-1])  # a warning would be an error
