"""Columns are told apart by their names between fit and use, in scikit-learn's words."""

import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inputs.feature_names import check_feature_names, feature_names


def frame():
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 5)), columns=list("abcde"))


def test_only_names_that_are_all_text_count():
    assert feature_names(frame()).tolist() == list("abcde")
    assert feature_names(pd.DataFrame(np.eye(2))) is None
    assert feature_names(pd.DataFrame(np.eye(2), columns=["a", 1])) is None
    assert feature_names(np.eye(2)) is None


def test_many_strange_names_are_not_all_listed():
    given = pd.DataFrame(np.eye(9), columns=[f"g{i}" for i in range(9)])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- g0\n- g1\n- g2\n- g3\n- g4\n- \.\.\.\n") as caught:
        check_feature_names(given, np.array(["a"], dtype=object), "x")
    assert "g5" not in str(caught.value)


@pytest.mark.slow
def test_feature_names_are_compared(FAST):
    x, y = frame(), frame() + frame()[::-1].to_numpy()
    model = sm.LMI(preset=FAST, n_splits=1).fit(x, y.to_numpy())
    assert model.feature_names_in_.tolist() == list("abcde")
    assert not hasattr(model, "feature_names_y_")
    with pytest.raises(
        ValueError, match=r"names of x should match(.|\n)*unseen at fit time:\n- z\n(.|\n)*missing:\n- a"
    ):
        model.transform(x.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.transform(x[list("edcba")])
    with pytest.warns(UserWarning, match="x does not have valid feature names, but LMI was fitted with") as record:
        model.transform(x.to_numpy())
    assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="y has feature names, but LMI was fitted without"):
        model.predict_x(y)
    assert not hasattr(model.fit(x.to_numpy(), y), "feature_names_in_")
