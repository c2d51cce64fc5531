"""Bounds are those of their definitions, and an untrained critic says nothing."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.rows import Rows, Scale
from scmi.estimators.peers.critics import BOUNDS, Critic, evaluate


def test_every_couple_scores_as_it_does_alone():
    generator = torch.Generator().manual_seed(0)
    critic = Critic(3, 2, (5, 4), generator)
    x, y = torch.randn((6, 3), generator=generator), torch.randn((4, 2), generator=generator)
    assert not critic.crossed(x, y).any()  # its last layer starts at 0
    torch.nn.init.normal_(critic.head.weights[-1], generator=generator)
    one_by_one = critic.paired(x.repeat_interleave(4, dim=0), y.repeat(6, 1))
    torch.testing.assert_close(critic.crossed(x, y).flatten(), one_by_one)


@pytest.mark.parametrize("kind", ["mine", "infonce"])
def test_values_are_those_of_the_definition(kind, monkeypatch):
    """Against plain loops over all couples of a batch, in two batches."""
    n = 12
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(2, n, 3))
    generator = torch.Generator().manual_seed(0)
    critic = Critic(3, 3, (5, 4), generator)
    torch.nn.init.normal_(critic.head.weights[-1], generator=generator)
    scale = Scale(np.zeros(3), np.ones(3))
    x, y = (Rows(side, scale, torch.device("cpu")) for side in sides)
    monkeypatch.setattr("scmi.estimators.peers.critics.EVALUATED_PAIRS", 6)
    monkeypatch.setattr("scmi.estimators.peers.critics.CHUNK", 12)
    pmi = evaluate(critic, x, y, np.arange(n), BOUNDS[kind]())

    score = np.array(
        [[critic.paired(x.batch(np.array([i])), y.batch(np.array([j]))).item() for j in range(n)] for i in range(n)]
    )
    batches = (range(6), range(6, 12))
    if kind == "mine":
        denominator = np.mean([np.exp(score[i, j]) for batch in batches for i in batch for j in batch if i != j])
        expected = [score[i, i] - np.log(denominator) for i in range(n)]
    else:
        expected = [score[i, i] - np.log(np.mean(np.exp(score[i, batch]))) for batch in batches for i in batch]
    np.testing.assert_allclose(pmi, np.array(expected) / np.log(2), rtol=1e-5)


def test_running_denominator():
    """The gradient of a batch is that of its ratio to the running mean; the first batch is its own mean."""
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    critic = Critic(2, 2, (4,), generator)
    torch.nn.init.normal_(critic.head.weights[-1], generator=generator)
    bound, mean = BOUNDS["mine"](), None
    for _ in range(3):
        x, y = torch.from_numpy(rng.normal(size=(2, 8, 2)).astype(np.float32))
        loss, value = bound.loss(critic, x, y)
        own, other = critic.paired(x, y), critic.paired(x, y.roll(1, 0)).exp().mean()
        mean = other.item() if mean is None else 0.9 * mean + 0.1 * other.item()
        parameters = list(critic.parameters())
        expected = torch.autograd.grad(other / mean - own.mean(), parameters)
        for gradient, other_gradient in zip(torch.autograd.grad(loss, parameters), expected, strict=True):
            torch.testing.assert_close(gradient, other_gradient)
        torch.testing.assert_close(value, own.mean() - other.log())
