"""A training half: parts for cross-validation never part a group, and barcodes count alike."""

import numpy as np
import torch

from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.estimators.latent import half as module
from scmi.estimators.latent.half import Half, cross_validation_parts, fitting_pairs, least_squares, scaled


def half_of(groups, training=None):
    pairing = rowwise(len(groups), groups)
    return Half(None, None, None, pairing, np.arange(len(groups)) if training is None else training, None, None)


def test_each_barcode_is_judged_once_and_never_with_its_group():
    groups = np.random.default_rng(0).integers(0, 40, 200)
    training = np.arange(20, 200)
    parts = cross_validation_parts(half_of(groups, training), 3, np.random.default_rng(0))
    assert len(parts) == 4
    judged = np.concatenate([part.judged.barcode for part in parts])
    assert sorted(judged) == training.tolist()
    for fitted, others in parts:
        assert sorted([*fitted, *others.barcode]) == training.tolist()
        assert not set(groups[fitted]) & set(groups[others.barcode])


def test_too_few_have_no_parts():
    # Four parts of k + 2 at least.
    assert cross_validation_parts(half_of(np.arange(19)), 3, np.random.default_rng(0)) == []
    assert len(cross_validation_parts(half_of(np.arange(20)), 3, np.random.default_rng(0))) == 4
    assert cross_validation_parts(half_of(np.arange(40) // 20), 3, np.random.default_rng(0)) == []


def test_barcodes_with_a_choice_are_drawn_more_often(monkeypatch):
    monkeypatch.setattr(module, "MAX_FITTED", 30)
    rng, indptr = np.random.default_rng(0), np.arange(0, 21, 2)
    clones = Pairing(indptr, np.arange(20), indptr, np.arange(20), np.arange(10))
    assert np.bincount(fitting_pairs(clones, np.arange(10), rng).barcode).tolist() == [3] * 10
    assert np.bincount(fitting_pairs(rowwise(10), np.arange(10), rng).barcode).tolist() == [1] * 10
    assert len(fitting_pairs(rowwise(50), np.arange(50), rng).barcode) == 30


def test_both_sides_are_scaled_alike():
    z = scaled(torch.tensor([[1.0, 10.0], [3.0, 14.0]]))
    # Deviations of 1 and 2: a mean square of 2.5.
    torch.testing.assert_close(z, torch.tensor([[-1.0, -2.0], [1.0, 2.0]]) / 2.5**0.5)
    assert bool(torch.isfinite(scaled(torch.ones((3, 2)))).all())


def test_rows_are_predicted_by_least_squares(rows, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 2)).astype(np.float32)
    y = rows(z @ rng.normal(size=(2, 5)) + rng.normal(size=(60, 5)))
    target = y.batch(np.arange(60)).numpy()
    with_one = np.column_stack([z, np.ones(60)])
    expected = with_one @ np.linalg.lstsq(with_one, target, rcond=None)[0]
    found = least_squares(torch.from_numpy(z), y, np.arange(60))(torch.from_numpy(z))
    # The ridge of 1e-4 moves predictions of unit variance by about as much.
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)
