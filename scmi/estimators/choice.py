"""Which latent model a fold uses, and of how many dimensions: chosen on its training half alone."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ._neighbours import Metric
from .correction import gaussian_bound
from .ksg import ksg
from .linear import MAX_PAIRS, LinearModel, fit_axes, fit_linear
from .pairing import Draw, Index, Pairing
from .rows import Rows

__all__ = ["Score", "best_n_latent", "linear_model", "score"]

# Latent dimensions that a linear model may have, where the user names none.
SIZES = (1, 2, 3, 4, 6, 9)
# A larger model has to measure this much more, in bits.
WORTH = 0.01
N_FOLDS = 4
# Neighbours of more pairs would cost more than they tell.
MAX_SCORED = 2000
# Random pairings of the same barcodes that a score averages over.
SCORED_PAIRINGS = 5


class LatentModel(Protocol):
    """What both latent models have."""

    @property
    def encoder_x(self) -> nn.Module: ...
    @property
    def encoder_y(self) -> nn.Module: ...


@dataclass(frozen=True)
class Score:
    """What a latent model measures on pairs that it was not fitted to, in bits.

    Parameters
    ----------
    bits
        The larger of KSG and the Gaussian bound; both tend to be too low, so the larger is nearer to the truth.
    pmi
        Pointwise KSG of each barcode.
    """

    bits: float
    pmi: NDArray[np.float64]

    def beats(self, other: "Score") -> bool:
        """Whether it measures more than another of the same pairs, by more than the standard error of that."""
        error = np.std(self.pmi - other.pmi, ddof=1) / np.sqrt(len(self.pmi))
        return bool(self.bits > other.bits + error)


def score(model: LatentModel, x: Rows, y: Rows, pairs: Draw, k: int, metric: Metric, rng: np.random.Generator) -> Score:
    """Judge a model by pairs that it was not fitted to."""
    return _score(
        _encode(model.encoder_x, x, pairs.row_x), _encode(model.encoder_y, y, pairs.row_y), pairs, k, metric, rng
    )


def best_n_latent(
    x: Rows,
    y: Rows,
    pairing: Pairing,
    training: Index,
    k: int,
    metric: Metric,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> int:
    """Dimensions of the linear model that measure most, cross-validated by whole groups in the training half."""
    sizes = [size for size in SIZES if size <= min(x.n_features, y.n_features)]
    labels, codes = np.unique(pairing.groups[training], return_inverse=True)
    fold = rng.permutation(len(labels))[codes] % N_FOLDS
    if len(sizes) == 1 or np.bincount(fold, minlength=N_FOLDS).min() <= k + 1:
        return sizes[0]
    bits = np.zeros(len(sizes))
    for i in range(N_FOLDS):
        fitted, judged = training[fold != i], training[fold == i]
        axes_x, axes_y = fit_axes(x, y, _fitting_pairs(pairing, fitted, rng), sizes[-1], generator)
        pairs = pairing.draw(rng, barcodes=rng.permutation(judged)[:MAX_SCORED])
        z_x, z_y = _project(x, pairs.row_x, axes_x), _project(y, pairs.row_y, axes_y)
        bits += [_score(z_x[:, :size], z_y[:, :size], pairs, k, metric, rng).bits / N_FOLDS for size in sizes]
    return sizes[int(np.argmax(bits >= bits.max() - WORTH))]


def linear_model(
    x: Rows,
    y: Rows,
    pairing: Pairing,
    barcodes: Index,
    n_latent: int,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> LinearModel:
    """The linear model of some barcodes."""
    pairs = _fitting_pairs(pairing, barcodes, rng)
    return fit_linear(x, y, pairs, fit_axes(x, y, pairs, n_latent, generator))


def _fitting_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    """Each barcode as often as any other; several of its pairs where it has a choice, which averages its cells."""
    barcodes = rng.permutation(barcodes)[:MAX_PAIRS]
    return pairing.draw(rng, min(10, -(-MAX_PAIRS // len(barcodes))) if pairing.has_choice else 1, barcodes)


def _score(
    z_x: NDArray[np.float64],
    z_y: NDArray[np.float64],
    pairs: Draw,
    k: int,
    metric: Metric,
    rng: np.random.Generator,
) -> Score:
    neighbours, bounds, pmi = [], [], np.zeros(pairs.barcode.max() + 1)
    count = np.zeros(len(pmi), dtype=np.int64)
    for pairing in np.unique(pairs.pairing)[:SCORED_PAIRINGS]:
        chosen = np.flatnonzero(pairs.pairing == pairing)[:MAX_SCORED]
        u, v = z_x[chosen], z_y[chosen]
        values = ksg(u, v, min(k, len(u) - 1), metric=metric)
        neighbours.append(values.mean())
        if len(u) > 4 * (u.shape[1] + v.shape[1]):
            bounds.append(gaussian_bound(u, v, rng))
        np.add.at(pmi, pairs.barcode[chosen], values)
        np.add.at(count, pairs.barcode[chosen], 1)
    seen = count > 0
    return Score(float(max(np.mean(neighbours), np.mean(bounds) if bounds else -np.inf)), pmi[seen] / count[seen])


def _encode(encoder: nn.Module, rows: Rows, index: Index) -> NDArray[np.float64]:
    with torch.no_grad():
        z: NDArray[np.float64] = encoder(rows.batch(index)).cpu().numpy().astype(np.float64)
    return z


def _project(rows: Rows, index: Index, axes: torch.Tensor) -> NDArray[np.float64]:
    z = rows.batch(index) @ axes
    # As a fitted model scales them: both sides alike.
    z = (z - z.mean(dim=0)) / z.std(dim=0).square().mean().sqrt().clamp(min=1e-12)
    values: NDArray[np.float64] = z.cpu().numpy().astype(np.float64)
    return values
