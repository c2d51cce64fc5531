"""The one configuration says what can't be done before anything is computed, and how many trainings there will be."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

import scmi as sm
from scmi.estimators import PRESETS, Settings
from scmi.estimators.configuration import Configuration
from scmi.estimators.neighbours.ksg import KSG


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"k": 0}, ValueError, "`k` must be at least 1, got 0"),
        ({"k": 2.0}, TypeError, "`k` must be an integer, got 2.0"),
        ({"n_latent": 2.5}, TypeError, "`n_latent` must be an integer, got 2.5"),
        ({"n_latent": 0}, ValueError, "`n_latent` must be at least 1"),
        ({"n_pairings": 0}, ValueError, "`n_pairings` must be at least 1, got 0"),
        ({"n_permutations": -1}, ValueError, "`n_permutations` must be at least 0, got -1"),
        ({"n_retrain": "5"}, TypeError, "`n_retrain` must be an integer, got '5'"),
        ({"n_retrain": -1}, ValueError, "`n_retrain` must be at least 0"),
        ({"null": "none"}, ValueError, r"null='none' is not known; choose one of \['fixed', 'retrain'\]"),
        ({"objective": "ce"}, ValueError, r"objective='ce' is not known; choose one of \['cross', 'infonce'"),
        ({"lam": float("inf")}, ValueError, "`lam` is inf; give the weight of a loss"),
        ({"lam": -1}, ValueError, "`lam` is -1; give the weight of a loss"),
        ({"alpha": float("nan")}, ValueError, "`alpha` is nan; give the weight of a loss"),
        ({"alpha": None}, TypeError, "`alpha` must be a number, got None"),
        *(
            ({name: True}, TypeError, f"`{name}` must be an integer, got True")
            for name in ("n_latent", "k", "n_pairings", "n_permutations", "n_retrain", "n_jobs")
        ),
        *(({name: True}, TypeError, f"`{name}` must be a number, got True") for name in ("lam", "alpha")),
        ({"n_splits": 0}, ValueError, "`n_splits` must be at least 1, got 0"),
        ({"n_splits": 8}, ValueError, "`n_splits` must be at most 7, got 8"),
        ({"n_splits": 2, "preset": "paper"}, ValueError, "Several splits need a preset with `cross_fit=True`"),
        ({"rng": True}, TypeError, "`rng` must be an integer from 0, .* got True"),
        ({"k": np.array(3)}, TypeError, r"`k` must be an integer, got array\(3\)"),
        ({"objective": np.array(["cross", "mine"])}, ValueError, r"objective=array\(.* is not known; choose one of"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` is 0; give how many folds train at once"),
        ({"n_jobs": "2"}, TypeError, "`n_jobs` must be an integer, got '2'"),
        ({"preset": "slow"}, ValueError, r"preset='slow' is not known; choose one of \['default', 'paper'\]"),
        ({"rng": -1}, ValueError, "`rng` must be an integer from 0"),
        ({"rng": "seed"}, TypeError, "`rng` must be an integer from 0"),
    ],
)
def test_what_cannot_be_done(wrong, error, match):
    model = sm.LMI(**wrong)  # scikit-learn wants parameters kept as they come
    assert all(model.get_params()[name] is value for name, value in wrong.items())
    with pytest.raises(error, match=match):
        model.check()
    # Before the data are looked at.
    with pytest.raises(error, match=match):
        model.fit_pairing(None, None, None)


@pytest.mark.parametrize(
    ("options", "n", "expected"),
    [
        ({}, 39, 1),
        ({}, 40, 5),
        ({}, 1999, 5),
        ({}, 2000, 1),
        ({"preset": "paper"}, 300, 1),
        ({"n_splits": 1}, 300, 1),
        ({"n_splits": 7}, 5000, 7),
    ],
)
def test_few_barcodes_are_split_several_times(options, n, expected):
    assert sm.LMI(**options).splits_of(np.arange(n)) == expected


def test_splits_that_cannot_be_made_are_refused():
    with pytest.raises(ValueError, match="n_splits=3 needs .* 8 even blocks .* these are 200 in 10 groups"):
        sm.LMI(n_splits=3).splits_of(np.arange(200) // 20)


def test_what_can_be_done():
    for options in (
        {},
        {"n_latent": 1, "lam": 0, "alpha": np.float32(0.5)},
        {"n_permutations": 0, "rng": None, "n_jobs": None},
        {"k": np.int64(3), "n_latent": np.uint8(2), "n_jobs": np.int32(-1)},
    ):
        sm.LMI(**options).check()


def test_checking_a_generator_does_not_use_it():
    generator = np.random.default_rng(0)
    sm.LMI(rng=generator).check()
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, 2),
        ({"preset": Settings(cross_fit=False)}, 1),
        ({"preset": "paper"}, 1),
        ({"n_permutations": 99}, 2),
        ({"n_retrain": 3}, 8),
        # The estimate, 99 permuted ones, and one of the barcodes that are tested.
        ({"n_permutations": 99, "null": "retrain"}, 202),
        ({"n_permutations": 0, "null": "retrain"}, 2),
    ],
)
def test_trainings(asked, expected):
    assert sm.LMI(**asked).n_trainings == expected


def test_what_follows_from_the_parameters():
    model = sm.LMI(k=5)
    assert model.settings is PRESETS["default"]
    assert model.ksg == KSG(5, "euclidean")
    model.set_params(preset="paper", k=7)
    assert model.ksg == KSG(7, "chebyshev")


def test_every_parameter_is_scikit_learns():
    names = list(inspect.signature(sm.LMI).parameters)
    assert sorted(names) == sorted(sm.LMI().get_params())
    assert names == list(inspect.signature(Configuration).parameters)
    other = {"n_latent": 4, "preset": Settings(hidden=(8,)), "rng": 7, "null": "retrain"}
    copy = clone(sm.LMI(**other))
    assert {name: copy.get_params()[name] for name in other} == other
    # Only what is not the default is shown.
    assert repr(sm.LMI(k=5)) == "LMI(k=5)"
