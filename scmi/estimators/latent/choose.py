"""Which latent model a fold uses, and of how many dimensions: chosen on its training half alone."""

from collections.abc import Sequence

import numpy as np
import torch

from scmi._logging import logger
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Index

from .half import Family, Half, Part, Unsolvable, cross_validation_parts
from .kernel import KernelFamily
from .linear import LinearFamily
from .model import LatentModel
from .score import Score, score, together

__all__ = ["best_model", "best_size"]

# A larger model has to measure this much more, in bits.
WORTH = 0.01


def best_model(
    network: LatentModel,
    half: Half,
    n_latent: int | None,
    ksg: KSG,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> LatentModel:
    """A model in closed form or the network, by what they measure on pairs that they were not fitted to.

    The families in closed form are compared by cross-validation in the training half, and the winner with the network
    on the validation pairs that this was stopped by. Whoever takes over has to measure more, by more than a standard
    error. A model in closed form is fitted again to the whole half, since it needs no pairs to stop by.
    """
    parts = cross_validation_parts(half, ksg.k, rng)
    # The simplest first; a new family is a line here.
    families: list[Family] = [LinearFamily(half, n_latent, generator), KernelFamily(half, n_latent, rng)]
    simplest, *others = families
    best = (simplest, *best_size(simplest, parts, ksg, rng))
    found = [best]
    for family in others:
        try:
            size, measured = best_size(family, parts, ksg, rng)
        except Unsolvable as reason:
            logger.debug("The %s family is left out: %s", family.kind, reason)
            continue
        if parts and measured.beats(best[2]):
            best = (family, size, measured)
            found.append(best)

    def validated(model: LatentModel) -> Score:
        pairs = half.validation
        with torch.no_grad():
            latents = (model.encoder_x(half.x.batch(pairs.row_x)), model.encoder_y(half.y.batch(pairs.row_y)))
        return score(latents, pairs, ksg, rng)

    of_network = validated(network)
    network_wins = of_network.beats(validated(_fit(found, half.to_fit, rng)))
    return network if network_wins else _fit(found, half.training, rng)


def _fit(found: Sequence[tuple[Family, int, Score]], barcodes: Index, rng: np.random.Generator) -> LatentModel:
    """The last that was found better, or the one before where it has no solution; the simplest always has one."""
    for family, size, _ in found[:0:-1]:
        try:
            return family.fit(barcodes, size, rng)
        except Unsolvable as reason:
            logger.debug("The %s family is left out: %s", family.kind, reason)
    simplest, size, _ = found[0]
    return simplest.fit(barcodes, size, rng)


def best_size(family: Family, parts: Sequence[Part], ksg: KSG, rng: np.random.Generator) -> tuple[int, Score]:
    """Dimensions of a family that measure most, and what they measure."""
    learn = family.learner(rng)
    if not parts:
        return family.sizes[0], Score(0.0, np.zeros(0))
    scores: list[list[Score]] = [[] for _ in family.sizes]
    for fitted, judged in parts:
        z_x, z_y = learn(fitted, judged)
        for size, of_size in zip(family.sizes, scores, strict=True):
            of_size.append(score((z_x[:, :size], z_y[:, :size]), judged, ksg, rng))
    overall = [together(of_size) for of_size in scores]
    bits = np.array([one.bits for one in overall])
    best = int(np.argmax(bits >= bits.max() - WORTH))
    return family.sizes[best], overall[best]
