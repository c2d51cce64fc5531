"""Estimators that scmi doesn't offer but is compared with: SMILE, and KSG on raw data with Euclidean sides."""

import math

import numpy as np
import torch
from scipy.special import digamma
from sklearn.metrics import pairwise_distances
from torch.nn import functional as F

from scmi.estimators.inputs.pairing import split
from scmi.estimators.inputs.rows import Rows, fit_scale
from scmi.estimators.peers.critics import Critic


def smile(
    x,
    y,
    *,
    hidden=(256, 256),
    tau=5.0,
    learning_rate=5e-4,
    batch_size=128,
    max_steps=5000,
    check_every=50,
    patience=500,
    seed=0,
):
    """SMILE (Song and Ermon 2020) in bits, cross-fitted.

    The critic learns to tell joint pairs from others by logistic loss, and is read out through the Donsker-Varadhan
    formula whose denominator is clipped at e**-tau and e**tau. As in torch-mist's defaults: a critic of both sides
    together, one negative per pair, tau 5, Adam at 5e-4, batches of 128, at most 5,000 steps, a tenth of the training
    part to stop by. As in ours, the number comes from samples that were not trained on.
    """
    rng = np.random.default_rng(seed)
    first, second = split(np.arange(len(x)), 0.5, rng)
    values = []
    for training, held_out in ((first, second), (second, first)):
        rows_x, rows_y = (Rows(side, fit_scale(side, training), torch.device("cpu")) for side in (x, y))
        to_fit, to_validate = split(np.arange(len(training)), 0.1, rng)
        to_fit, to_validate = training[to_fit], training[to_validate]
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        critic = Critic(rows_x.n_features, rows_y.n_features, hidden, generator)
        optimizer = torch.optim.Adam(critic.parameters(), lr=learning_rate)
        best, best_step, value = 0.0, 0, 0.0
        for step in range(1, max_steps + 1):
            batch = rng.choice(to_fit, min(batch_size, len(to_fit)), replace=False)
            batch_x, batch_y = rows_x.batch(batch), rows_y.batch(batch)
            own, other = critic.paired(batch_x, batch_y), critic.paired(batch_x, batch_y.roll(1, 0))
            optimizer.zero_grad()
            (F.softplus(-own) + F.softplus(other)).mean().backward()
            optimizer.step()
            if step % check_every == 0:
                validated = _smile_bits(critic, rows_x.batch(to_validate), rows_y.batch(to_validate), tau)
                if validated > best:
                    best, best_step = validated, step
                    value = _smile_bits(critic, rows_x.batch(held_out), rows_y.batch(held_out), tau)
                elif step - best_step >= patience:
                    break
        values.append(value)
    return float(np.mean(values))


@torch.no_grad()
def _smile_bits(critic, x, y, tau):
    # One other y at a time, for every x: a wide critic on all couples at once would fill the memory.
    shifts = np.linspace(1, len(x) - 1, min(64, len(x) - 1)).astype(int)
    others = torch.stack([critic.paired(x, y.roll(int(shift), 0)) for shift in shifts]).clamp(-tau, tau)
    denominator = torch.logsumexp(others.flatten(), 0) - math.log(others.numel())
    return float(critic.paired(x, y).mean() - denominator) / math.log(2)


def euclidean_ksg(x, y, k=3):
    """Pointwise KSG in bits on standardised raw data: Euclidean distance inside a side, the larger of both between."""
    x, y = ((side - side.mean(0)) / np.where(side.std(0) > 0, side.std(0), 1) for side in (x, y))
    n = len(x)
    pmi = np.empty(n)
    for rows in np.array_split(np.arange(n), -(-n // 1000)):
        distance_x, distance_y = (pairwise_distances(side[rows], side) for side in (x, y))
        # The matrix product behind these leaves a point at a small distance from itself.
        distance_x[np.arange(len(rows)), rows] = distance_y[np.arange(len(rows)), rows] = np.inf
        radius = np.partition(np.maximum(distance_x, distance_y), k - 1, axis=1)[:, k - 1 : k]
        count_x, count_y = ((side < radius).sum(axis=1) for side in (distance_x, distance_y))
        pmi[rows] = digamma(k) + digamma(n) - digamma(count_x + 1) - digamma(count_y + 1)
    return pmi / np.log(2)
