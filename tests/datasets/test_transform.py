"""Transforms keep the order of every column, the truth, and the sample given; values are those worked out by hand."""

import numpy as np
import pytest

from scmi import datasets
from scmi.datasets import JointSample


@pytest.mark.parametrize("name", ["asinh", "half_cube", "uniform"])
def test_transforms_keep_order_and_truth(name):
    sample = datasets.gaussian(200, 6)
    before = sample.x.copy()
    changed = datasets.transform(sample, name)
    assert changed.truth == sample.truth
    np.testing.assert_array_equal(changed.pmi, sample.pmi)
    np.testing.assert_array_equal(np.argsort(changed.x, axis=0), np.argsort(sample.x, axis=0))
    np.testing.assert_array_equal(sample.x, before)
    assert not np.allclose(changed.y, sample.y)


def test_transforms_by_hand():
    sample = JointSample(x=np.array([[-4.0], [0.0], [9.0], [9.0]]), y=np.zeros((4, 1)), truth=0.0, pmi=np.zeros(4))
    assert datasets.transform(sample, "half_cube").x.ravel().tolist() == [-8.0, 0.0, 27.0, 27.0]
    assert datasets.transform(sample, "uniform").x.ravel().tolist() == [0.125, 0.375, 0.75, 0.75]
    np.testing.assert_allclose(np.sinh(datasets.transform(sample, "asinh").x), sample.x)
