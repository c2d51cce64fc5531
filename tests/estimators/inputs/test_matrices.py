"""Whatever holds the numbers, the same estimate; and what holds none is refused, by name and place."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

import scmi as sm
from scmi.estimators.inputs.matrices import as_matrix, as_points, count_common, count_copies, with_unpaired
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(16,), max_steps=30, patience=15)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


@pytest.fixture(scope="module")
def fitted():
    x, y = gaussian(200, 6, 1.5, 0)
    return sm.LMI(preset=FAST, n_splits=1).fit(x, y), x, y


@pytest.mark.parametrize(
    "form",
    [
        np.ndarray.tolist,
        sp.csr_matrix,
        sp.csc_array,
        pd.DataFrame,
        lambda a: pd.DataFrame(a).astype("Float64"),
        torch.tensor,
        lambda a: torch.tensor(a, requires_grad=True),
        lambda a: pytest.importorskip("polars").DataFrame(a),
        lambda a: pytest.importorskip("dask.array").from_array(a, chunks=(50, -1)),
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    ],
    ids=[
        "lists",
        "CSR",
        "CSC",
        "pandas",
        "pandas with missing",
        "torch",
        "torch with gradient",
        "polars",
        "dask",
        "by columns",
        "strided",
    ],
)
def test_forms_of_input(fitted, form):
    model, x, y = fitted
    pmi = sm.LMI(preset=FAST, n_splits=1).fit(form(x), form(y)).result_.pmi
    # Sums over a sparse column run in another order, which may move its last digit.
    np.testing.assert_allclose(pmi, model.result_.pmi, rtol=1e-7 if sp.issparse(form(x)) else 0)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "int16"])
def test_types_of_numbers(fitted, dtype):
    _, x, y = fitted
    x, y = (np.round(side * 100).astype(dtype) for side in (x, y))
    expected = sm.LMI(preset=FAST, n_splits=1).fit(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_array_equal(sm.LMI(preset=FAST, n_splits=1).fit(x, y).result_.pmi, expected.result_.pmi)


def test_bfloat16_tensors_are_read(fitted):
    model, x, y = fitted
    half = torch.tensor(x[:9], dtype=torch.bfloat16)
    np.testing.assert_array_equal(model.pmi(half, y[:9]), model.pmi(half.double().numpy(), y[:9]))


def test_polars_frames():
    polars = pytest.importorskip("polars")
    x, y = (polars.DataFrame(side, schema=list("abcde")) for side in gaussian(60, 5, 1.0, 0))
    model = sm.LMI(preset=FAST, n_splits=1).fit(x, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    assert sm.lmi(x, y, preset=FAST, n_splits=1).mi == model.result_.mi
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.transform(x[list("edcba")])
    with pytest.raises(ValueError, match="x has 1 NaN or infinite values, the first in row 3, column 0"):
        model.transform(x.with_columns(a=polars.Series([*x["a"][:3], None, *x["a"][4:]])))
    with pytest.raises(TypeError, match="x holds objects that are not real numbers, the first"):
        sm.LMI(preset=FAST, n_splits=1).fit(x.with_columns(a=polars.lit("text")), y)


def test_inputs_are_left_alone():
    x, y = gaussian(60, 5, 1.0, 0)
    before = x.copy(), y.copy()
    sm.lmi(x, y, preset=FAST, n_splits=1)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    x.flags.writeable = y.flags.writeable = False
    assert np.isfinite(sm.lmi(x, y, preset=FAST, n_splits=1).pmi).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, y: (x[:-1], y), ValueError, "x has 59 rows, but y has 60"),
        (lambda x, y: (x[:10], y[:10]), ValueError, "Only 10 pairs .* at least 20"),
        (lambda x, y: (x[:0], y[:0]), ValueError, "x has shape"),
        (lambda x, y: (x, y[:, :0]), ValueError, "y has shape"),
        (lambda x, y: (np.where(x > 2, np.inf, x), y), ValueError, "x has .* infinite values"),
        (lambda x, y: (x, sp.csr_array(np.where(y > 1, np.nan, y))), ValueError, "y has .* NaN"),
        (lambda x, y: (pd.DataFrame(x).astype("Float64").mask(x > 2), y), ValueError, "x has .* NaN"),
        (lambda x, y: (x.astype(str), y), TypeError, "expected real numbers"),
        (lambda x, y: (pd.DataFrame(x).astype(str), y), TypeError, "objects that are not real numbers"),
        (lambda x, y: (x + 1j, y), TypeError, "expected real numbers"),
        (lambda x, y: ([[1.0, 2.0], [3.0]], y), ValueError, "x is not an array: its rows differ in length"),
    ],
)
def test_bad_data(change, error, message):
    x, y = change(*gaussian(60, 5, 1.0, 0))
    with pytest.raises(error, match=message):
        sm.lmi(x, y, preset=FAST, n_splits=1)


def test_objects_are_no_matrices():
    from anndata import AnnData

    with pytest.raises(TypeError, match=r"x is an object of type AnnData; pass its matrix, such as `adata.X`"):
        as_matrix(AnnData(np.eye(3)), "x")


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_a_missing_value_is_found_by_the_names_of_its_row_and_column(form):
    x = np.eye(3)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="x has 1 NaN or infinite values, the first in row 'c2', column 'g1'"):
        as_matrix(form(x), "x", (["c0", "c1", "c2"], ["g0", "g1", "g2"]))


def test_points_are_dense_and_double_and_vectors_are_columns():
    points = as_points(sp.csr_array(np.eye(3, dtype=np.float32)), "x")
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points, np.eye(3))
    assert as_points([1, 2, 3], "x").shape == (3, 1)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_copies_are_counted_over_both_sides(form):
    x, y = np.array([[1.0, 0], [1, 0], [1, 0], [0, 2]]), np.array([[0.0], [0], [3], [0]])
    assert count_copies(form(x)) == 2
    assert count_copies(form(x), y) == 1


def test_unpaired_rows_come_below():
    x, more = np.eye(3), np.ones((2, 3))
    assert with_unpaired(x, None, "x") is x
    for form in (np.asarray, sp.csr_matrix):
        for form_more in (np.asarray, sp.csr_matrix):
            both = with_unpaired(form(x), form_more(more), "x")
            assert sp.issparse(both) == (form is sp.csr_matrix)
            np.testing.assert_array_equal(both.toarray() if sp.issparse(both) else both, np.vstack([x, more]))
    with pytest.raises(ValueError, match="x_unpaired has 2 columns, but x has 3"):
        with_unpaired(x, more[:, :2], "x")


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_rows_in_common(kind):
    a, b = np.array([[1.0, 0], [2, 2], [2, 2], [0, 3]]), np.array([[2.0, 2], [0, 3], [5, 5], [2, 2]])
    assert count_common(as_matrix(kind(a), "a"), as_matrix(kind(b), "b")) == (2, 2)
