"""A vector of labels stands for its one-hot columns, and everything else for itself."""

import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inputs.labels import one_hot

FATES = ["mono", "neu", "mono", "baso"]


@pytest.mark.parametrize(
    "form", [list, np.array, pd.Categorical, pd.Series], ids=["list", "array", "categories", "series"]
)
def test_labels_become_columns(form):
    np.testing.assert_array_equal(one_hot(form(FATES), "y"), [[0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("numbers", [np.arange(4.0), np.eye(4), pd.DataFrame(np.eye(4)), np.array([True, False])])
def test_numbers_stay_as_they_are(numbers):
    assert one_hot(numbers, "y") is numbers


def test_missing_labels():
    with pytest.raises(ValueError, match="y has 1 missing labels; drop those rows"):
        sm.lmi(np.eye(30), pd.Series(["a"] * 29 + [None]))
