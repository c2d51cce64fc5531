"""Which latent model a fold uses, and of how many dimensions: chosen on its training half alone."""

from collections.abc import Sequence

import numpy as np
import torch

from scmi.estimators.neighbours.ksg import KSG

from .half import Family, Half, Part, cross_validation_parts
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
    found = [(family, *best_size(family, parts, ksg, rng)) for family in families]
    family, size, measured = found[0]
    for other, other_size, other_measured in found[1:]:
        if parts and other_measured.beats(measured):
            family, size, measured = other, other_size, other_measured

    def validated(model: LatentModel) -> Score:
        pairs = half.validation
        with torch.no_grad():
            latents = (model.encoder_x(half.x.batch(pairs.row_x)), model.encoder_y(half.y.batch(pairs.row_y)))
        return score(latents, pairs, ksg, rng)

    network_wins = validated(network).beats(validated(family.fit(half.to_fit, size, rng)))
    return network if network_wins else family.fit(half.training, size, rng)


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
