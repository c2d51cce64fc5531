"""Which latent model a fold uses, and of how many dimensions: chosen on its training half alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ._neighbours import Metric
from .components import Components
from .kernel import N_COMPONENTS, Bases, Moments, fit_kernel
from .linear import MAX_PAIRS, fit_axes, fit_linear
from .pairing import Draw, Index, Pairing
from .rows import Rows
from .scoring import MAX_SCORED, Latents, Score, score, together

__all__ = ["Half", "LatentModel", "Part", "best_kernel", "best_linear", "best_model", "cross_validation_parts"]

# Latent dimensions that the models in closed form may have, where the user names none.
LINEAR_SIZES = (1, 2, 3, 4, 6, 9)
KERNEL_SIZES = (1, 2, 4, 6)
# A larger model has to measure this much more, in bits.
WORTH = 0.01
N_FOLDS = 4


class LatentModel(Protocol):
    """What all latent models have: encoders, and cross-decoders of the other side."""

    @property
    def encoder_x(self) -> nn.Module:
        """From rows of x to their latents."""

    @property
    def encoder_y(self) -> nn.Module:
        """From rows of y to their latents."""

    @property
    def decoder_xy(self) -> nn.Module:
        """From latents of x to rows of y."""

    @property
    def decoder_yx(self) -> nn.Module:
        """From latents of y to rows of x."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """All that was learned."""


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


Fit = Callable[[Index, Draw], Latents]
"""Fits to some barcodes; returns the latents of some pairs."""


def best_model(
    network: LatentModel,
    half: Half,
    n_latent: int | None,
    k: int,
    metric: Metric,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> LatentModel:
    """The linear model, the kernel model or the network, by what they measure on pairs that they were not fitted to.

    The two in closed form are compared by cross-validation in the training half, and the winner with the network on the
    validation pairs that this was stopped by. Whoever takes over has to measure more, by more than a standard error. A
    model in closed form is fitted again to the whole half, since it needs no pairs to stop by.
    """
    x, y, components, pairing, training, to_fit, validation = half
    parts = cross_validation_parts(half, k, rng)
    layers = (components[0].layers(N_COMPONENTS)[0], components[1].layers(N_COMPONENTS)[0])
    bases = Bases(x, y, layers, pairing.draw(rng, barcodes=training), rng)
    linear_size, of_linear = best_linear(half, parts, n_latent, k, metric, rng, generator)
    kernel_size, of_kernel = best_kernel(half, bases, parts, n_latent, k, metric, rng)
    is_kernel = len(parts) > 0 and of_kernel.beats(of_linear)

    def fit(barcodes: Index) -> LatentModel:
        pairs = _fitting_pairs(pairing, barcodes, rng)
        if is_kernel:
            return fit_kernel(x, y, bases, pairs, kernel_size)
        return fit_linear(x, y, pairs, fit_axes(x, y, pairs, linear_size, generator))

    def validated(model: LatentModel) -> Score:
        with torch.no_grad():
            latents = (model.encoder_x(x.batch(validation.row_x)), model.encoder_y(y.batch(validation.row_y)))
        return score(latents, validation, k, metric, rng)

    return network if validated(network).beats(validated(fit(to_fit))) else fit(training)


def best_linear(
    half: Half,
    parts: Sequence[Part],
    n_latent: int | None,
    k: int,
    metric: Metric,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[int, Score]:
    """Dimensions of the linear model that measure most, and what they measure."""
    x, y = half.x, half.y
    sizes = (n_latent,) if n_latent else [size for size in LINEAR_SIZES if size <= min(x.n_features, y.n_features)]

    def latents(fitted: Index, judged: Draw) -> Latents:
        axes_x, axes_y = fit_axes(x, y, _fitting_pairs(half.pairing, fitted, rng), sizes[-1], generator)
        # As a fitted model scales them: both sides alike.
        return _scaled(x.batch(judged.row_x) @ axes_x), _scaled(y.batch(judged.row_y) @ axes_y)

    return _best_size(sizes, parts, latents, k, metric, rng)


def best_kernel(
    half: Half,
    bases: Bases,
    parts: Sequence[Part],
    n_latent: int | None,
    k: int,
    metric: Metric,
    rng: np.random.Generator,
) -> tuple[int, Score]:
    """Dimensions of the kernel model that measure most, and what they measure."""
    sizes = (n_latent,) if n_latent else KERNEL_SIZES
    pairs = _fitting_pairs(half.pairing, half.training, rng)
    u, v = bases.values(pairs)
    everything = Moments.of(u, v)

    def latents(fitted: Index, judged: Draw) -> Latents:
        left_out = torch.from_numpy(~np.isin(pairs.barcode, fitted)).to(u.device)
        moments = everything.without(Moments.of(u[left_out], v[left_out]))
        to_x, to_y = bases.functions(moments, len(fitted), sizes[-1])
        at_x, at_y = bases.values(judged)
        return _scaled(to_x(at_x)), _scaled(to_y(at_y))

    return _best_size(sizes, parts, latents, k, metric, rng)


def cross_validation_parts(half: Half, k: int, rng: np.random.Generator) -> list[Part]:
    """Parts of the training half for cross-validation, by whole groups; none where there are too few."""
    labels, codes = np.unique(half.pairing.groups[half.training], return_inverse=True)
    fold = rng.permutation(len(labels))[codes] % N_FOLDS
    if np.bincount(fold, minlength=N_FOLDS).min() <= k + 1:
        return []
    parts = []
    for i in range(N_FOLDS):
        judged = rng.permutation(half.training[fold == i])[:MAX_SCORED]
        parts.append(Part(half.training[fold != i], half.pairing.draw(rng, barcodes=judged)))
    return parts


def _best_size(
    sizes: Sequence[int], parts: Sequence[Part], latents: Fit, k: int, metric: Metric, rng: np.random.Generator
) -> tuple[int, Score]:
    if not parts:
        return sizes[0], Score(0.0, np.zeros(0))
    scores: list[list[Score]] = [[] for _ in sizes]
    for fitted, judged in parts:
        z_x, z_y = latents(fitted, judged)
        for size, of_size in zip(sizes, scores, strict=True):
            of_size.append(score((z_x[:, :size], z_y[:, :size]), judged, k, metric, rng))
    overall = [together(of_size) for of_size in scores]
    bits = np.array([one.bits for one in overall])
    best = int(np.argmax(bits >= bits.max() - WORTH))
    return sizes[best], overall[best]


def _fitting_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    """Each barcode as often as any other; several of its pairs where it has a choice, which averages its cells."""
    barcodes = rng.permutation(barcodes)[:MAX_PAIRS]
    return pairing.draw(rng, min(10, -(-MAX_PAIRS // len(barcodes))) if pairing.has_choice else 1, barcodes)


def _scaled(z: Tensor) -> Tensor:
    z = z - z.mean(dim=0)
    return z / z.square().mean().sqrt().clamp(min=1e-12)
