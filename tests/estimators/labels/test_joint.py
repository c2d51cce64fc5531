"""A table of two labels: its parts by hand, and its derivatives against differences."""

import numpy as np
import pytest

from scmi.estimators.labels.joint import Joint, entropy_of, permuted


@pytest.fixture
def joint():
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.full(3, 0.4), 30), rng.dirichlet(np.full(4, 0.4), 30)
    return Joint(a, b, rng.uniform(0.5, 2, 30), np.repeat([0, 1, 2], 10))


def test_by_hand():
    joint = Joint(np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 1, 1]], np.ones(4), np.zeros(4, np.int64))
    np.testing.assert_allclose(joint.p, [[0.25, 0.25], [0, 0.5]])
    np.testing.assert_allclose(joint.expected, [[0.125, 0.375], [0.125, 0.375]])
    np.testing.assert_allclose(joint.log_ratio, [[1, np.log2(2 / 3)], [0, np.log2(4 / 3)]])
    assert joint.entropies == pytest.approx((1, 2 - 0.75 * np.log2(3)))
    strata = Joint(joint.a, joint.b, joint.weight, np.array([0, 0, 1, 1]))
    assert strata.parts.sum() == pytest.approx(0)  # each stratum has one label on the first side
    assert strata.entropies == pytest.approx((0, 0.5))


def test_entropies():
    np.testing.assert_allclose(entropy_of(np.array([[1, 0, 0], [0.5, 0.5, 0], [0.5, 0.25, 0.25]])), [0, 1, 1.5])


@pytest.mark.parametrize("turned", [False, True])
def test_influence_is_the_derivative(joint, turned):
    joint = joint.turned() if turned else joint
    step, total = 1e-5, joint.weight.sum()
    for i in range(0, 30, 4):
        weight = joint.weight + step * np.eye(30)[i]
        moved = Joint(joint.a, joint.b, weight, joint.stratum)
        slope = total * (moved.parts.sum() - joint.parts.sum()) / step
        assert joint.influence[i] == pytest.approx(slope, abs=1e-3)
        slopes = total * (moved.told[1] - joint.told[1]) / step
        np.testing.assert_allclose(joint.influence_on_labels[i], slopes, atol=1e-2)
    assert joint.weight @ joint.influence == pytest.approx(0, abs=1e-9)


def test_without_strata_influence_is_the_pmi(joint):
    whole = Joint(joint.a, joint.b, joint.weight, np.zeros(30, np.int64))
    of_barcodes = ((whole.a @ whole.log_ratio) * whole.b).sum(axis=1)
    np.testing.assert_allclose(whole.influence, of_barcodes - whole.parts.sum(), atol=1e-12)


def test_permutations_stay_within_strata():
    """Of strata in which the second side has one label each, nothing can be exchanged."""
    a = np.eye(2)[np.tile([0, 1], 10)]
    joint = Joint(a, np.eye(2)[np.repeat([0, 1], 10)], np.ones(20), np.repeat([0, 1], 10))
    found = permuted(joint, 20, np.random.default_rng(0))
    np.testing.assert_allclose(found.bits, joint.parts.sum(), atol=1e-12)
    free = permuted(Joint(a, joint.b, joint.weight, np.zeros(20, np.int64)), 20, np.random.default_rng(0))
    assert len(np.unique(free.bits.round(9))) > 1
    np.testing.assert_allclose(free.a.sum(axis=1), free.b.sum(axis=1))
