"""Cells about centres, with labels: what Bayes' rule tells of them is known."""

import numpy as np
from scipy.special import logsumexp


def mixture(n, n_labels, d, apart, uneven, mistaken, seed):
    """Gaussians about centres in three dimensions; labels, and the bits of every cell by Bayes' rule."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(n_labels, 1.5 if uneven else 50.0))
    m = min(d, 3)
    centre = apart * rng.normal(size=(n_labels, m))
    label = rng.choice(n_labels, n, p=share)
    x = rng.normal(size=(n, d))
    x[:, :m] += centre[label]
    odds = -0.5 * ((x[:, None, :m] - centre) ** 2).sum(axis=2) + np.log(share)
    p = np.exp(odds - logsumexp(odds, axis=1, keepdims=True))
    label = np.where(rng.random(n) < mistaken, rng.choice(n_labels, n, p=share), label)
    p = (1 - mistaken) * p + mistaken * share
    return x, label, np.log2(p[np.arange(n), label] / share[label])
