"""A training half: what every family is fitted to and judged by."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.pairing import Draw, Pairing
from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index

from .components import Components
from .layers import MLP, linear_layer
from .model import Kind, LatentModel

__all__ = [
    "Family",
    "Half",
    "Latents",
    "Part",
    "Unsolvable",
    "batches",
    "cross_validation_parts",
    "fitting_pairs",
    "least_squares",
    "scaled",
]

# Axes of a thousand genes are known from fewer pairs than this; more would only cost time.
MAX_FITTED = 10_000
# Neighbours of more pairs would cost more than they tell.
MAX_JUDGED = 2000
N_PARTS = 4
CHUNK = 4096
RIDGE = 1e-4

Latents = tuple[Tensor, Tensor]


class Unsolvable(ArithmeticError):
    """These data leave a family without a solution, as a wild row can; another family is used instead."""


class Half(NamedTuple):
    """A training half: its rows, its barcodes, and those among them that models are fitted to and judged by."""

    x: Rows
    y: Rows
    components: tuple[Components, Components]
    pairing: Pairing
    training: Index
    to_fit: Index
    validation: Draw


class Part(NamedTuple):
    """Barcodes to fit to, and pairs of the others to judge by."""

    fitted: Index
    judged: Draw


class Family(Protocol):
    """A kind of latent model in closed form, on one training half."""

    kind: Kind
    sizes: tuple[int, ...]
    """Latent dimensions that it may have, fewest first; the first n columns of its latents are those of size n."""

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """Latents of each part's judged pairs, of the largest size, fitted to its other barcodes."""

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """The model of some barcodes; raises :class:`Unsolvable` where there is none, as `held_out` may."""


def cross_validation_parts(half: Half, k: int, rng: np.random.Generator) -> list[Part]:
    """Parts of the training half for cross-validation, by whole groups; none where there are too few."""
    labels, codes = np.unique(half.pairing.groups[half.training], return_inverse=True)
    part = rng.permutation(len(labels))[codes] % N_PARTS
    if np.bincount(part, minlength=N_PARTS).min() <= k + 1:
        return []
    parts = []
    for i in range(N_PARTS):
        judged = rng.permutation(half.training[part == i])[:MAX_JUDGED]
        parts.append(Part(half.training[part != i], half.pairing.draw(rng, barcodes=judged)))
    return parts


def fitting_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    """Each barcode as often as any other; several of its pairs where it has a choice, which averages its cells."""
    barcodes = rng.permutation(barcodes)[:MAX_FITTED]
    return pairing.draw(rng, min(10, -(-MAX_FITTED // len(barcodes))) if pairing.has_choice else 1, barcodes)


def scaled(z: Tensor) -> Tensor:
    """Centred, and of unit variance taken together, as a fitted model scales its latents: both sides alike."""
    z = z - z.mean(dim=0)
    return z / z.square().mean().sqrt().clamp(min=1e-12)


def batches(rows: Rows, index: Index) -> Iterator[Tensor]:
    """Some rows, a few thousand at a time."""
    return (rows.batch(index[start : start + CHUNK]) for start in range(0, len(index), CHUNK))


def least_squares(z: Tensor, target: Rows, index: Index) -> MLP:
    """The linear layer that predicts rows from their latents."""
    with_one = torch.cat([z, torch.ones((len(z), 1), device=z.device)], dim=1)
    moments = torch.zeros((with_one.shape[1], target.n_features), device=z.device)
    for start in range(0, len(z), CHUNK):
        part = slice(start, start + CHUNK)
        moments += with_one[part].T @ target.batch(index[part])
    gram = with_one.T @ with_one
    gram += RIDGE * len(z) * torch.eye(len(gram), device=z.device)
    coefficients = torch.linalg.solve(gram, moments)
    return linear_layer(coefficients[:-1].T.contiguous(), coefficients[-1])
