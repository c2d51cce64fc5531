"""A descent keeps the best weights, not the last, stops when it should, and respects its budget."""

import numpy as np
import pytest
import torch

from scmi.estimators.latent.descend import descend
from scmi.estimators.settings import Settings


class Point(torch.nn.Module):
    """A single number."""

    def __init__(self):
        super().__init__()
        self.at = torch.nn.Parameter(torch.zeros(1))


def run(validation, *, start=None, steps_per_epoch=1, **settings):
    """Walk from 0 in steps of about 1, validated by a function of where it stands."""
    point, seen = Point(), []

    def loss():
        return -point.at.sum(), torch.tensor(2.0)

    history = descend(
        point,
        loss,
        lambda: float(validation(point.at.item())),
        Settings(learning_rate=1.0, **settings),
        lambda done, loss: seen.append(done),
        steps_per_epoch=steps_per_epoch,
        epsilon=1e-8,
        start=start,
    )
    return point, history, seen


def valley(at):
    """Least at 30."""
    return abs(at - 30)


def test_the_weights_kept_are_the_best_not_the_last():
    point, history, _ = run(valley, max_steps=400, check_every=5, patience=60)
    assert history.best_step == 30
    assert point.at.item() == pytest.approx(30, abs=1e-3)
    assert history.validation[-1] > history.validation.min()
    assert not point.at.requires_grad


def test_stops_when_patience_is_out():
    _, history, seen = run(valley, max_steps=400, check_every=5, patience=60)
    assert history.step.tolist() == list(range(5, 95, 5))
    assert not history.improving
    assert seen[-1] == 1.0
    assert np.all(np.diff(seen) > 0)


def test_budget_ends_a_training_that_still_improves():
    _, history, _ = run(valley, max_steps=12, check_every=5, patience=60)
    assert history.step.tolist() == [5, 10, 12]
    assert history.train.tolist() == [2, 2, 2]
    assert history.improving


def test_budget_in_epochs_counts_passes_over_the_pairs():
    _, history, _ = run(valley, steps_per_epoch=4, max_steps=3, check_every=1, patience=3, in_epochs=True)
    assert history.step.tolist() == [4, 8, 12]


def test_an_untrained_model_competes_where_it_is_asked_to():
    point, history, _ = run(lambda at: at, start=0.0, max_steps=100, check_every=5, patience=20)
    assert (history.best_step, history.step[0], history.validation[0]) == (0, 0, 0)
    assert history.step[-1] == 20
    assert point.at.item() == 0
