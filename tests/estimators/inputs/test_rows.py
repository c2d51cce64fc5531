"""Scales come from the rows asked for, and whatever holds the data, the same standardised batches come out."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scmi.estimators.inputs import rows as rows_module
from scmi.estimators.inputs.rows import Rows, fit_scale

CPU = torch.device("cpu")


@pytest.fixture
def x():
    x = np.random.default_rng(0).poisson(1.0, size=(40, 6)).astype(np.float64)
    x[:, 2] = 7.0
    return x


def test_scale_is_that_of_the_chosen_rows(x):
    chosen = np.arange(10, 30)
    scale = fit_scale(x, chosen)
    np.testing.assert_allclose(scale.mean, x[chosen].mean(axis=0))
    varies = np.arange(6) != 2
    np.testing.assert_allclose(scale.factor[varies], 1 / x[chosen].std(axis=0)[varies])


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, 1e6 + 0.1])
def test_constant_columns_become_zero(x, constant):
    x[:, 2] = constant
    batch = Rows(x, fit_scale(x, np.arange(40)), CPU).keeping(np.arange(40)).batch(np.arange(40))
    assert (batch[:, 2] == 0).all()


def test_values_are_clipped_at_ten(x):
    scale = fit_scale(x, np.arange(20))
    x[30, 0], x[31, 0] = 1e6, -1e6
    batch = Rows(x, scale, CPU).batch(np.array([30, 31]))
    assert batch[:, 0].tolist() == [10.0, -10.0]


def test_a_common_scale_keeps_the_relative_size_of_columns(x):
    x[:, 0] *= 30
    chosen = np.arange(20)
    varies = np.arange(6) != 2
    sd = x[chosen].std(axis=0)[varies]
    x[30, 0], x[31, 0], x[31, 2] = 1e6, -1e6, 5.0
    scale = fit_scale(x, chosen, common=True)
    np.testing.assert_allclose(scale.factor[varies], 1 / np.sqrt(np.mean(sd**2)))
    batch = Rows(x, scale, CPU).batch(np.arange(40)).numpy()
    np.testing.assert_allclose(batch[:20, varies].std(axis=0), sd / np.sqrt(np.mean(sd**2)), rtol=1e-5)
    assert (batch[:, 2] == 0).all()
    # At ten standard deviations of its own.
    np.testing.assert_allclose(
        batch[[30, 31], 0], [10 * sd[0] * scale.factor[0], -10 * sd[0] * scale.factor[0]], rtol=1e-6
    )
    np.testing.assert_allclose(scale.undo(batch)[:20], x[:20], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("keep", [None, np.array([0, 3, 4, 39])])
@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csr_array, np.asfortranarray, np.float32, np.int16])
def test_forms_agree(x, form, resident, keep, monkeypatch):
    monkeypatch.setattr(rows_module, "CHUNK", 7)
    if not resident:
        monkeypatch.setattr(rows_module, "RESIDENT_BYTES", 0)
    other = form(x)
    wanted = np.array([3, 3, 39, 0])
    expected = Rows(x, fit_scale(x, np.arange(20)), CPU).batch(wanted)
    rows = Rows(other, fit_scale(other, np.arange(20)), CPU)
    if keep is not None:
        rows = rows.keeping(keep)
    torch.testing.assert_close(rows.batch(wanted), expected)
    torch.testing.assert_close(torch.cat(list(rows.batches(wanted, 3))), expected)


def test_a_row_that_was_not_kept_is_no_other_row(x):
    rows = Rows(x, fit_scale(x, np.arange(20)), CPU).keeping(np.array([0, 3]))
    with pytest.raises(IndexError):
        rows.batch(np.array([0, 1]))


def test_undo_returns_to_the_units_of_the_data(x):
    scale = fit_scale(x, np.arange(40))
    standardised = Rows(x, scale, CPU).batch(np.arange(40)).numpy()
    np.testing.assert_allclose(scale.undo(standardised), x, atol=1e-5)


@pytest.mark.parametrize("common", [True, False])
def test_wild_values_are_clipped_alike_whatever_the_scale(common):
    x = np.random.default_rng(0).normal(size=(200, 2)) * [1, 3]
    x[0, 0] = 1e5
    with pytest.warns(UserWarning, match="1 of 2 columns with a few values far beyond"):
        scale = fit_scale(x, np.arange(200), common=common)
    clipped = scale.limit / scale.factor  # in the units of the data
    # 7.4 median deviations of a Gaussian; and ten standard deviations of the other.
    assert clipped[0] == pytest.approx(5, rel=0.25)
    assert clipped[1] == pytest.approx(30, rel=0.15)
