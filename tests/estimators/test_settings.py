"""Settings are checked when they are made, each field by its name; presets are the default and the paper's."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from scmi.estimators import PRESETS, Settings
from scmi.estimators.settings import resolve_settings


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        *((name, "yes", TypeError) for name in ("closed_form", "dropout", "in_epochs", "cross_fit")),
        *((name, 1, TypeError) for name in ("closed_form", "dropout", "in_epochs", "cross_fit")),
        *((name, True, TypeError) for name in ("n_components", "batch_size", "max_steps", "check_every", "patience")),
        *((name, True, TypeError) for name in ("learning_rate", "validation")),
        *((name, 0, ValueError) for name in ("n_components", "batch_size", "max_steps", "check_every", "patience")),
        *((name, 10.0, TypeError) for name in ("n_components", "batch_size", "max_steps", "check_every", "patience")),
        *((name, None, TypeError) for name in ("batch_size", "max_steps", "check_every", "patience", "learning_rate")),
        ("batch_size", 1, ValueError),
        ("metric", "l1", ValueError),
        ("metric", None, ValueError),
        ("metric", np.array(["euclidean", "chebyshev"]), ValueError),
        ("hidden", (), TypeError),
        ("hidden", 64, TypeError),
        ("hidden", "64", TypeError),
        ("hidden", None, TypeError),
        ("hidden", (64, 0), ValueError),
        ("hidden", (64, 8.0), TypeError),
        ("hidden", (64, True), TypeError),
        ("learning_rate", -1, ValueError),
        ("learning_rate", 0, ValueError),
        ("learning_rate", np.inf, ValueError),
        ("learning_rate", np.nan, ValueError),
        ("learning_rate", "fast", TypeError),
        ("validation", 0, ValueError),
        ("validation", 1, ValueError),
        ("validation", 1.5, ValueError),
        ("validation", "a fifth", TypeError),
    ],
)
def test_what_cannot_be_is_refused_by_name(field, value, error):
    with pytest.raises(error, match=f"`?{field}") as caught:
        Settings(**{field: value})
    assert repr(value) in str(caught.value) or str(value) in str(caught.value) or field == "hidden"
    # Nor by changing good ones.
    with pytest.raises(error, match=f"`?{field}"):
        replace(PRESETS["default"], **{field: value})


def test_what_can_be():
    settings = Settings(n_components=None, hidden=[32, np.int64(8)], learning_rate=1, batch_size=2, validation=0.5)
    assert settings.hidden == (32, 8)
    small = Settings(batch_size=np.uint8(200), max_steps=np.int8(100), hidden=[np.int8(64)], validation=np.float32(0.5))
    assert all(type(value) in (int, float, bool, str, tuple) for value in vars(small).values())
    assert type(small.hidden[0]) is int and replace(small, in_epochs=True).budget(10) == (1000, 50, 1000)
    assert {settings: "hashable"}[replace(settings)] == "hashable"
    with pytest.raises(FrozenInstanceError):
        settings.dropout = True


def test_presets():
    paper = resolve_settings("paper")
    # A.1.2 of Gowri et al. (2024).
    assert (paper.hidden, paper.learning_rate, paper.batch_size) == ((1024, 512, 256), 1e-4, 512)
    assert (paper.max_steps, paper.patience, paper.in_epochs, paper.cross_fit) == (300, 30, True, False)
    mine = Settings(hidden=(16,))
    assert resolve_settings(mine) is mine
    for unknown in ("best", None, ["default"]):
        with pytest.raises(ValueError, match=r"preset=.* is not known; choose one of \['default', 'paper'\]"):
            resolve_settings(unknown)


def test_budgets_count_steps_or_epochs():
    settings = Settings(max_steps=30, check_every=2, patience=5)
    assert settings.budget(4) == (30, 2, 5)
    assert replace(settings, in_epochs=True).budget(4) == (120, 8, 20)
    assert (settings.n_folds, replace(settings, cross_fit=False).n_folds) == (2, 1)
