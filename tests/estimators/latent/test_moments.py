"""Moments over barcodes are those over all couples of their cells, whatever part of them they were added up from."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.estimators.latent.half import MAX_FITTED
from scmi.estimators.latent.moments import Moments, SideValues, cells_of

# Cells of three barcodes: 2, 1 and 3 of x, 1, 2 and 2 of y.
PAIRING = Pairing(np.array([0, 2, 3, 6]), np.arange(6), np.array([0, 1, 3, 5]), np.arange(5), np.arange(3))


def sides(seed=0):
    rng = np.random.default_rng(seed)
    barcodes, cells_x, cells_y = cells_of(PAIRING, np.arange(3), rng)
    phi_x, phi_y = rng.normal(size=(6, 4)), rng.normal(size=(5, 4))
    made = [
        SideValues(torch.from_numpy(phi[cells.rows]), cells.owner)
        for phi, cells in ((phi_x, cells_x), (phi_y, cells_y))
    ]
    return barcodes, phi_x, phi_y, *made


def test_moments_are_means_over_all_couples_of_a_barcode():
    _, phi_x, phi_y, u, v = sides()
    couples = [
        [(i, j) for i in range(*PAIRING.indptr_x[b : b + 2]) for j in range(*PAIRING.indptr_y[b : b + 2])]
        for b in range(3)
    ]
    found = Moments.of(u, v, torch.ones(3, dtype=torch.bool))
    expected = {
        "x": lambda i, j: phi_x[i],
        "y": lambda i, j: phi_y[j],
        "xx": lambda i, j: np.outer(phi_x[i], phi_x[i]),
        "yy": lambda i, j: np.outer(phi_y[j], phi_y[j]),
        "xy": lambda i, j: np.outer(phi_x[i], phi_y[j]),
    }
    assert found.n == 3
    for name, of in expected.items():
        by_hand = sum(np.mean([of(i, j) for i, j in own], axis=0) for own in couples)
        np.testing.assert_allclose(getattr(found, name).numpy(), by_hand, atol=1e-12)


def test_moments_without_a_part_are_those_of_the_rest():
    *_, u, v = sides()
    part = torch.tensor([False, True, False])
    rest = Moments.of(u, v, torch.ones(3, dtype=torch.bool)).without(Moments.of(u, v, part))
    for found, expected in zip(rest, Moments.of(u, v, ~part), strict=True):
        torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected))


@pytest.mark.parametrize("kind", ["many cells", "same cells"])
def test_couples_are_drawn_of_many_cells_and_where_both_sides_hold_the_same(kind):
    if kind == "many cells":
        n = MAX_FITTED // 3
        indptr = 5 * np.arange(n + 1)
        pairing = Pairing(indptr, np.arange(5 * n), indptr, np.arange(5 * n), np.arange(n))
    else:
        n, rows = 50, np.arange(100)
        pairing = Pairing(2 * np.arange(51), rows, 2 * np.arange(51), rows, np.arange(50), rows)
    barcodes, x, y = cells_of(pairing, np.arange(n), np.random.default_rng(0))
    assert len(barcodes) == len(x.rows) == len(y.rows) <= MAX_FITTED + n
    np.testing.assert_array_equal(x.owner, np.arange(len(barcodes)))
    if kind == "same cells":
        assert not (x.rows == y.rows).any()
    plain, x, _ = cells_of(rowwise(30), np.arange(30), np.random.default_rng(0))
    np.testing.assert_array_equal(x.rows, plain)
