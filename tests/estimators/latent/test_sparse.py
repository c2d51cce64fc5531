"""Few columns of many that share something are found, and their axes rest on few columns."""

import numpy as np
import pytest
import torch

import scmi as sm
from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent.choose import best_size
from scmi.estimators.latent.covariance import Covariances
from scmi.estimators.latent.half import Half, cross_validation_parts
from scmi.estimators.latent.linear import LinearFamily
from scmi.estimators.latent.sparse import SparseFamily, thin_axes
from scmi.estimators.neighbours.ksg import KSG


def one_column(n, n_x, n_y, seed):
    """One bit between the first columns."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, n_x)), rng.normal(size=(n, n_y))
    y[:, 0] = np.sqrt(0.75) * x[:, 0] + 0.5 * y[:, 0]
    return x, y


def families(x, y, rows, generator):
    everything = np.arange(len(x))
    half = Half(rows(x), rows(y), (None, None), rowwise(len(x)), everything, everything, None)
    rng = np.random.default_rng(0)
    parts = cross_validation_parts(half, 3, rng)
    covariances = Covariances(half, parts, rng)
    return parts, LinearFamily(half, None, covariances, generator), SparseFamily(half, None, covariances, generator)


@pytest.mark.parametrize(("n_x", "n_y"), [(150, 1), (100, 100)])
def test_one_column_of_many(n_x, n_y, rows, generator):
    x, y = one_column(400, n_x, n_y, 0)
    parts, dense, sparse = families(x, y, rows, generator)
    ksg, rng = KSG(3, "euclidean"), np.random.default_rng(0)
    of_dense, of_sparse = (best_size(family, parts, ksg, rng) for family in (dense, sparse))
    assert of_sparse.score.beats(of_dense.score)
    assert of_sparse.size == 1
    weights = sparse.fit(np.arange(400), 1, rng).encoder_x.weights[0][0].numpy()
    assert weights[0] ** 2 > 0.9 * (weights**2).sum()


def test_axes_that_nothing_is_left_for_are_empty(generator):
    covariance = torch.zeros((30, 30))
    covariance[0, 0], covariance[1, 2] = 0.8, 0.1
    axes_x, axes_y = thin_axes(covariance, torch.full((30, 30), 0.2), 3, generator)
    for axes, at in ((axes_x, 0), (axes_y, 0)):
        assert float(axes[at, 0].abs()) == pytest.approx(1)
        assert float(axes[:, 1:].abs().max()) == 0


@pytest.mark.slow
def test_sparse_dependence_end_to_end():
    x, y = one_column(600, 200, 200, 0)
    result = sm.lmi(x, y, n_splits=1, n_permutations=0)
    assert result.params["latent_model"] == ["sparse", "sparse"]
    # Six seeds: .92 to 1.13.
    assert result.mi == pytest.approx(1, abs=0.25)
    null = sm.lmi(x, y[::-1].copy(), n_splits=1, n_permutations=0)
    assert null.mi == pytest.approx(0, abs=0.15)
