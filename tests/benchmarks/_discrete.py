"""Counts, labels, rounded numbers and rows that recur, with their mutual information by enumeration or integration."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, norm, poisson

MEANS = (0.05, 0.5, 1.5, 5, 20)
N_LABELS = (2, 5, 10, 20, 60)


class Setting(NamedTuple):
    """What is drawn by ``draw(rng, n)``, and the ``bits`` that its two sides share.

    ``informative`` of ``columns`` a side hold the bits, all the same, but for labels, whose one-hot columns are one
    variable.
    """

    family: str
    name: str
    columns: int
    informative: int
    bits: float
    draw: Callable

    def gaussian(self):
        """Gaussians, untied, of as many columns and the same bits in each."""
        each = self.bits / max(1, self.informative)
        informative, columns = self.informative, self.columns

        def draw(rng, n):
            x, y = rng.normal(size=(2, n, columns))
            rho = np.sqrt(1 - 2 ** (-2 * each))
            y[:, :informative] = rho * x[:, :informative] + np.sqrt(1 - rho**2) * y[:, :informative]
            return x, y

        return Setting("gaussian", f"{each:.4f}", columns, informative, self.bits, draw)


def of_table(p):
    """Bits of a joint distribution."""
    p = np.asarray(p, dtype=float) / np.sum(p)
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    return float((p[p > 0] * np.log2(p[p > 0] / independent[p > 0])).sum())


def from_table(p, columns):
    """Row and column numbers drawn from a joint distribution, and their bits."""
    p = np.asarray(p, dtype=float) / np.sum(p)
    cumulated = np.cumsum(p.ravel())

    def draw(rng, n):
        cell = np.minimum(np.searchsorted(cumulated, rng.random((n, columns))), p.size - 1)
        return (cell // p.shape[1]).astype(float), (cell % p.shape[1]).astype(float)

    return columns * of_table(p), draw


def largest(mean):
    return int(poisson.ppf(1 - 1e-12, mean)) + 2


def shared_counts(mean, share, columns):
    """Poisson counts that have a share of their mean in common."""
    if share == 0:
        return 0.0, lambda rng, n: tuple(rng.poisson(mean, (2, n, columns)).astype(float))
    size = largest(mean)
    own, p = poisson.pmf(np.arange(size), (1 - share) * mean), np.zeros((size, size))
    for common, weight in enumerate(poisson.pmf(np.arange(size), share * mean)):
        p[common:, common:] += weight * np.outer(own[: size - common], own[: size - common])
    return from_table(p, columns)


def thinned_counts(mean, columns):
    """Seven in ten of the first side's counts, and some of its own."""
    size, wide = largest(mean), largest(mean) + largest(0.1 * mean)
    other = poisson.pmf(np.arange(wide), 0.1 * mean)
    p = [poisson.pmf(i, mean) * np.convolve(binom.pmf(np.arange(i + 1), i, 0.7), other)[:wide] for i in range(size)]
    return from_table(p, columns)


def labels(weights, agreement, coded):
    """Labels that are the same with some probability and independent otherwise, as one-hot columns or as numbers."""
    weights = np.asarray(weights) / np.sum(weights)
    bits, draw = from_table((1 - agreement) * np.outer(weights, weights) + agreement * np.diag(weights), 1)
    if coded:
        return bits, lambda rng, n: tuple(side.astype(int) for side in draw(rng, n))
    identity = np.eye(len(weights))
    return bits, lambda rng, n: tuple(identity[side[:, 0].astype(int)] for side in draw(rng, n))


def label_and_number(n_labels, apart, columns):
    """A label, and normal columns whose means lie `apart` from label to label."""
    means = apart * (np.arange(n_labels) - (n_labels - 1) / 2)
    at = np.linspace(np.sqrt(columns) * means[0] - 9, np.sqrt(columns) * means[-1] + 9, 40001)
    density = norm.pdf(at[:, None], np.sqrt(columns) * means).mean(axis=1)
    entropy = -np.trapezoid(density * np.log2(np.maximum(density, 1e-300)), at)

    def draw(rng, n):
        label = rng.integers(0, n_labels, n)
        return np.eye(n_labels)[label], means[label][:, None] + rng.normal(size=(n, columns))

    return float(entropy - 0.5 * np.log2(2 * np.pi * np.e)), draw


def count_and_number(mean, sd):
    """A count, and the same with normal noise."""
    counts = np.arange(largest(mean))
    at = np.linspace(-9 * sd, counts[-1] + 9 * sd, 60001)
    density = norm.pdf((at[:, None] - counts) / sd) / sd @ poisson.pmf(counts, mean)
    entropy = -np.trapezoid(density * np.log2(np.maximum(density, 1e-300)), at)

    def draw(rng, n):
        count = rng.poisson(mean, (n, 1)).astype(float)
        return count, count + sd * rng.normal(size=(n, 1))

    return float(entropy - 0.5 * np.log2(2 * np.pi * np.e * sd**2)), draw


def rounded(bits, digits, columns):
    """Correlated normals rounded to so many digits; what rounding takes is integrated, from two digits on nothing."""
    rho = np.sqrt(1 - 2 ** (-2 * bits))
    residual = np.sqrt(1 - rho**2)

    def draw(rng, n):
        x, noise = rng.normal(size=(2, n, columns))
        return x.round(digits), (rho * x + residual * noise).round(digits)

    if bits == 0 or digits >= 2:
        return columns * bits, draw
    step = 10.0**-digits
    values = np.arange(-7, 7 + step / 2, step)
    edges = np.append(values - step / 2, values[-1] + step / 2)
    p = np.zeros((len(values), len(values)))
    for place, weight in zip(*np.polynomial.legendre.leggauss(16), strict=True):
        x = values + place * step / 2
        within = np.diff(norm.cdf((edges - rho * x[:, None]) / residual), axis=1)
        p += weight * norm.pdf(x)[:, None] * within
    return columns * of_table(p), draw


def on_off(share, agreement, columns):
    """Columns that are 1 with some probability, the same on both sides or drawn anew."""
    weights = np.array([1 - share, share])
    return from_table((1 - agreement) * np.outer(weights, weights) + agreement * np.diag(weights), columns)


def sparse_genes(mean, n_genes, n_shared):
    """Counts of genes of which some are alike on both sides."""
    bits, shared = shared_counts(mean, 0.6 if n_shared else 0, n_shared)

    def draw(rng, n):
        x, y = rng.poisson(mean, (2, n, n_genes)).astype(float)
        x[:, :n_shared], y[:, :n_shared] = shared(rng, n)
        return x, y

    return bits, draw


def recurring(times, columns):
    """Normal rows that occur several times on either side, paired at random."""

    def draw(rng, n):
        rows = rng.normal(size=(2, -(-n // times), columns))
        return tuple(side[rng.permutation(np.arange(n) // times)] for side in rows)

    return 0.0, draw


def grid():
    """All settings."""
    for mean in MEANS:
        for columns in (1, 3, 5, 10):
            yield Setting("counts, independent", f"mean {mean}", columns, columns, *shared_counts(mean, 0, columns))
        for columns in (1, 3, 10):
            yield Setting("counts, 60 % shared", f"mean {mean}", columns, columns, *shared_counts(mean, 0.6, columns))
        for columns in (1, 3):
            yield Setting("counts, thinned", f"mean {mean}", columns, columns, *thinned_counts(mean, columns))
        for sd in (0.3, 2):
            yield Setting("count and number", f"mean {mean}, sd {sd}", 1, 1, *count_and_number(mean, sd))
    for n_labels in N_LABELS:
        equal, uneven = np.ones(n_labels), 1 / np.arange(1, n_labels + 1)
        for agreement in (0, 0.3, 0.6, 0.9, 1):
            name = f"{n_labels} labels, agreement {agreement}"
            yield Setting("labels", name, 1, 1, *labels(equal, agreement, False))
            yield Setting("labels, uneven", name, 1, 1, *labels(uneven, agreement, False))
            yield Setting("labels as numbers", name, 1, 1, *labels(equal, agreement, True))
        for apart in (0, 0.5, 2):
            for columns in (1, 3):
                name = f"{n_labels} labels, {apart} apart"
                yield Setting("label and number", name, columns, 1, *label_and_number(n_labels, apart, columns))
    for digits in range(4):
        for columns in (1, 3, 10):
            for bits in (0, 0.2, 0.5, 1.5):
                name = f"{digits} digits, {bits} bits a column"
                yield Setting("rounded", name, columns, columns, *rounded(bits, digits, columns))
    for share in (0.5, 0.1):
        for columns in (1, 3, 8, 10):
            for agreement in (0, 0.5, 0.9):
                name = f"share {share}, agreement {agreement}"
                yield Setting("on/off", name, columns, columns, *on_off(share, agreement, columns))
    for n_shared in (0, 1, 5):
        yield Setting("95 % zeros", f"{n_shared} shared", 30, n_shared, *sparse_genes(0.05, 30, n_shared))
    for times in (2, 5, 20):
        yield Setting("recurring rows", f"{times} times", 4, 4, *recurring(times, 4))
