"""Which latent model a fold uses, and of how many dimensions: chosen on its training half alone."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from scmi._logging import logger
from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Index

from .covariance import Covariances
from .half import Family, Half, Latents, Part, Unsolvable, cross_validation_parts
from .kernel import KernelFamily
from .layers import precise
from .linear import LinearFamily
from .model import LatentModel
from .moderators import Moderated, find_moderators
from .score import Score, score, together
from .scores import Scored, ScoredSides
from .sparse import SparseFamily

__all__ = ["Chosen", "best_model", "best_size"]

# A larger model has to measure this much more, in bits.
WORTH = 0.01
# Sizes in a row that measure less than a smaller one end the search.
PAST_THE_TOP = 2
# Standard errors by which a model measures less of the pairs that it was fitted to than its like did of pairs that they
# never saw, before it counts as another than these.
ASTRAY = 3.0


class Chosen(NamedTuple):
    """The latent model of a fold, and how the same kind of the same size is fitted to other barcodes.

    The network, which is trained elsewhere, has none.
    """

    model: LatentModel
    fit: Callable[[Index, np.random.Generator], LatentModel] | None


def best_model(
    network: LatentModel | None,
    half: Half,
    scored: ScoredSides | None,
    n_latent: int | None,
    ksg: KSG,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> Chosen:
    """A model in closed form or the network, by what they measure on pairs that they were not fitted to.

    The families in closed form are compared by cross-validation in the training half, and the winner with the network
    on the validation pairs that this was stopped by. Whoever takes over has to measure more, by more than a standard
    error. A model in closed form is fitted again to the whole half, since it needs no pairs to stop by.
    """
    parts = cross_validation_parts(half, ksg.k, rng)
    seed = int(rng.integers(2**63))
    measure = partial(best_size, parts=parts, ksg=ksg, rng=rng, seed=seed)
    # The simplest first; a new family is a line here.
    covariances = Covariances(half, parts, rng) if parts and Covariances.fit_in_memory(half) else None
    found = [measure(LinearFamily(half, n_latent, covariances, generator))]
    if parts:
        if covariances is not None and max(half.x.n_features, half.y.n_features) > 1:
            found = _contest(found, SparseFamily(half, n_latent, covariances, generator), measure)
        if n_latent is None:
            found = _moderated(found, half, parts, measure)
        found = _contest(found, KernelFamily(half, n_latent, rng), measure)
    if parts and scored is not None:
        of_scores = scored.half(half)
        covariances = Covariances(of_scores, parts, rng)
        rivals: list[Family] = [LinearFamily(of_scores, n_latent, covariances, generator)]
        if max(half.x.n_features, half.y.n_features) > 1:
            rivals.append(SparseFamily(of_scores, n_latent, covariances, generator))
        rivals.append(KernelFamily(of_scores, n_latent, rng))
        for rival in rivals:
            found = _contest(found, Scored(rival, half, scored.layers), measure)

    def measured(model: LatentModel, pairs: Draw) -> Score:
        with torch.no_grad():
            latents = (
                precise(model.encoder_x)(half.x.batch(pairs.row_x)),
                precise(model.encoder_y)(half.y.batch(pairs.row_y)),
            )
        return score(latents, pairs, ksg, seed)

    if network is not None:
        closed_form = _fit(found, half.to_fit, rng)
        if measured(network, half.validation).beats(measured(closed_form, half.validation)):
            return Chosen(network, None)
    return Chosen(_fit_to_half(found, half, parts, measured, rng), partial(_fit, found))


class Found(NamedTuple):
    """A family, the size that measures most, what that is, and the latents of each part's judged pairs at all sizes."""

    family: Family
    size: int
    score: Score
    latents: list[Latents]


def best_size(family: Family, parts: Sequence[Part], ksg: KSG, rng: np.random.Generator, seed: int = 0) -> Found:
    """Dimensions of a family that measure most, and what they measure."""
    if not parts:
        return Found(family, family.sizes[0], Score(0.0, np.zeros(0)), [])
    latents = family.held_out(parts, rng)
    found: list[Score] = []
    for size in family.sizes:
        found.append(
            together(
                [
                    score((z_x[:, :size], z_y[:, :size]), judged, ksg, seed)
                    for (_, judged), (z_x, z_y) in zip(parts, latents, strict=True)
                ]
            )
        )
        bits = np.array([one.bits for one in found])
        # Past the top, neighbours only get farther apart.
        if len(bits) - bits.argmax() > PAST_THE_TOP:
            break
    best = int(np.argmax(bits >= bits.max() - WORTH))
    return Found(family, family.sizes[best], found[best], latents)


def _contest(found: list[Found], family: Family, measure: Callable[[Family], Found]) -> list[Found]:
    """The list of winners, with one more if this family beats the last."""
    try:
        rival = measure(family)
    except Unsolvable as reason:
        logger.debug("The %s family is left out: %s", family.kind, reason)
        return found
    return [*found, rival] if rival.score.beats(found[-1].score) else found


def _moderated(
    found: list[Found], half: Half, parts: Sequence[Part], measure: Callable[[Family], Found]
) -> list[Found]:
    """The same with moderators, if any are found and don't measure less; their test is sharper than KSG's bits."""
    base = found[-1]
    axes = find_moderators(half, base.latents, base.size, parts)
    if axes == (None, None):
        return found
    rival = measure(Moderated(base.family, half, axes, base.latents, base.size))
    return found if base.score.beats(rival.score) else [*found, rival]


def _fit_to_half(
    found: Sequence[Found],
    half: Half,
    parts: Sequence[Part],
    measured: Callable[[LatentModel, Draw], Score],
    rng: np.random.Generator,
) -> LatentModel:
    """The winner fitted to the whole half, or to a part of it where the whole leads astray.

    Axes that chance gives, as where only the scale of y depends on x, may be others in the whole half than in the parts
    that won by them. It shows: models measure more of pairs that they were fitted to, not less.
    """
    model = _fit(found, half.training, rng)
    if not parts:
        return model
    known = together([measured(model, judged) for _, judged in parts])
    if not found[-1].score.beats(known, ASTRAY):
        return model
    logger.debug("The whole half gives other axes than its parts; those of a part are used.")
    models = [_fit(found, fitted, rng) for fitted, _ in parts]
    scores = [measured(model, judged).bits for model, (_, judged) in zip(models, parts, strict=True)]
    return models[int(np.argmax(scores))]


def _fit(found: Sequence[Found], barcodes: Index, rng: np.random.Generator) -> LatentModel:
    """The last that was found better, or the one before where it has no solution; the simplest always has one."""
    for winner in found[:0:-1]:
        try:
            return winner.family.fit(barcodes, winner.size, rng)
        except Unsolvable as reason:
            logger.debug("The %s family is left out: %s", winner.family.kind, reason)
    return found[0].family.fit(barcodes, found[0].size, rng)
