"""A plan says what can't be done when it is made, and counts the trainings that the progress bar has to show."""

import pytest

from scmi.estimators.plan import Plan
from scmi.estimators.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"k": 0}, ValueError, "`k` must be at least 1, got 0"),
        ({"n_latent": 2.5}, TypeError, "`n_latent` must be an integer, got 2.5"),
        ({"n_pairings": -1}, ValueError, "`n_pairings` must be at least 1"),
        ({"n_permutations": -1}, ValueError, "`n_permutations` must be at least 1"),
        ({"n_retrain": "5"}, TypeError, "`n_retrain` must be an integer, got '5'"),
        ({"null": "none"}, ValueError, r"null='none' is not known; choose one of \['fixed', 'retrain'\]"),
        ({"objective": "nce"}, ValueError, "objective='nce' is not known"),
        ({"lam": float("inf")}, ValueError, "`lam` is inf; give the weight of a loss"),
        ({"alpha": None}, TypeError, "`alpha` must be a number, got None"),
    ],
)
def test_what_cannot_be_done(wrong, error, match):
    with pytest.raises(error, match=match):
        Plan(settings=Settings(), **wrong)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, 2),
        ({"settings": Settings(cross_fit=False)}, 1),
        ({"n_permutations": 99}, 2),
        ({"n_retrain": 3}, 8),
        # The estimate, 99 permuted ones, and one of the barcodes that are tested.
        ({"n_permutations": 99, "null": "retrain"}, 202),
        ({"null": "retrain"}, 2),
    ],
)
def test_trainings(asked, expected):
    assert Plan(**{"settings": Settings(), **asked}).n_trainings == expected
