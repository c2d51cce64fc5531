"""Discrete sides: atoms give the plug-in estimate, labels beside continuous data the mixture's information."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scmi as sm


def agreeing(n, n_labels, agreement, rng):
    first = rng.integers(0, n_labels, n)
    second = np.where(rng.random(n) < agreement, first, rng.integers(0, n_labels, n))
    return first, second


def plug_in(first, second):
    joint = pd.crosstab(first, second, normalize=True).to_numpy()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    return float((joint[joint > 0] * np.log2((joint / independent)[joint > 0])).sum())


@pytest.mark.parametrize("n_labels", [2, 5])
def test_two_discrete_variables_give_the_plug_in_estimate(n_labels):
    first, second = agreeing(3000, n_labels, 0.7, np.random.default_rng(0))
    # psi(n) is log n less 1 / 2n: the two differ by less than a cell's share of one sample.
    assert sm.ksg(first.astype(float), second.astype(float)).mean() == pytest.approx(plug_in(first, second), abs=0.02)


def test_atoms_by_hand():
    # Four of (0, 0), four of (1, 1), k = 1: psi(4) + psi(8) - psi(4) - psi(4), in bits.
    values = sm.ksg([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1], 1)
    psi = {4: 1.2561176684, 8: 2.0156414780}
    np.testing.assert_allclose(values, (psi[8] - psi[4]) / np.log(2), atol=1e-9)


def test_few_copies_are_no_atoms():
    x = np.random.default_rng(0).normal(size=100)
    x[:3] = x[3]
    atoms = sm.ksg(x, x, 3)  # four copies: three others at distance 0
    assert atoms[0] == pytest.approx(atoms[3])
    assert np.isfinite(atoms).all()


@pytest.mark.parametrize("kind", ["strings", "categories", "one-hot"])
def test_labels_beside_expression(kind, FAST):
    rng = np.random.default_rng(0)
    first, second = agreeing(1000, 3, 0.9, rng)
    x = 10 * np.eye(3)[first] @ rng.normal(size=(3, 20)) + rng.normal(size=(1000, 20))
    labels = np.array(["neutrophil", "monocyte", "basophil"])[second]
    y = {"strings": labels, "categories": pd.Categorical(labels), "one-hot": np.eye(3)[second]}[kind]
    # The clusters lie apart, so that x tells its label. Over ten seeds the standard deviation is .03.
    assert sm.lmi(x, y, preset=FAST, n_splits=1, n_permutations=0).mi == pytest.approx(plug_in(first, second), abs=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("closed_form", [True, False])
def test_labels_on_both_sides(closed_form, FAST):
    """Their latents are at ten points each, wherever a row stands in its batch; rounding told .6 bit too much."""
    rng = np.random.default_rng(0)
    first, second = agreeing(1000, 10, 0.6, rng)
    settings = replace(FAST, closed_form=closed_form, n_components=None)
    for labels in (second, rng.permutation(second)):
        x, y = (np.eye(10)[side] for side in (first, labels))
        model = sm.LMI(preset=settings, n_splits=1, n_permutations=0).fit(x, y)
        for fold in model.folds_:
            assert len(np.unique(fold.held_out.x, axis=0)) == len(np.unique(fold.held_out.y, axis=0)) == 10
        # 20 such samples: sd .03 (and .02 where nothing is shared).
        assert model.result_.mi < plug_in(first, labels) + 0.1
