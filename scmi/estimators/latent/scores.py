"""Normal scores: every column moved, in the order of its values, to where a Gaussian's would lie.

Mutual information does not change by it, and what tails or bounds have bent becomes linear again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index, Values

from .components import Components, components_of
from .half import Family, Half, Latents, Part, batches, fitting_pairs, least_squares
from .layers import NormalScores
from .model import Kind, LatentModel

__all__ = ["Scored", "ScoredSides", "score_sides"]

# Of more columns, such as genes, scores would cost more than they gain.
MAX_COLUMNS = 100
# Places at which a column's scores are kept; between them they are interpolated.
KNOTS = 256
# Columns that correlate with their scores by this much are Gaussian enough. Uniform ones do by .977.
GAUSSIAN = 0.985


class ScoredSides(NamedTuple):
    """Both sides as normal scores, the layers that make them, and their principal components."""

    layers: tuple[NormalScores, NormalScores]
    x: Rows
    y: Rows
    components: tuple[Components, Components]

    def half(self, half: Half) -> Half:
        """A training half as scores."""
        return half._replace(x=self.x, y=self.y, components=self.components)


class Scored:
    """A family in closed form on normal scores of the columns.

    Parameters
    ----------
    base
        The family, made of the half as scores.
    half
        The training half as it is.
    layers
        From standardised columns to scores, of x and of y.
    """

    def __init__(self, base: Family, half: Half, layers: tuple[NormalScores, NormalScores]) -> None:
        self.kind: Kind = KINDS[base.kind]
        self.sizes = base.sizes
        self._base, self._half, self._layers = base, half, layers

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        return self._base.held_out(parts, rng)

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        model = self._base.fit(barcodes, size, rng)
        encoder_x = nn.Sequential(self._layers[0], model.encoder_x)
        encoder_y = nn.Sequential(self._layers[1], model.encoder_y)
        # Decoders lead to the columns as they are, not to their scores.
        half, pairs = self._half, fitting_pairs(self._half.pairing, barcodes, rng)
        z_x = torch.cat([encoder_x(batch) for batch in batches(half.x, pairs.row_x)])
        z_y = torch.cat([encoder_y(batch) for batch in batches(half.y, pairs.row_y)])
        decoders = least_squares(z_x, half.y, pairs.row_y), least_squares(z_y, half.x, pairs.row_x)
        return LatentModel(self.kind, encoder_x, encoder_y, *decoders)


KINDS: dict[Kind, Kind] = {
    "linear": "linear of scores",
    "sparse": "sparse of scores",
    "kernel": "kernel of scores",
}


def score_sides(
    sides: tuple[Rows, Rows],
    paired: tuple[Index, Index],
    sampled: tuple[Tensor, Tensor],
    n_components: int,
    generator: torch.Generator,
) -> ScoredSides | None:
    """Both sides as normal scores; None where columns are Gaussian already.

    Parameters
    ----------
    sides
        Standardised rows.
    paired
        Which of them may be paired.
    sampled
        Rows of either side that its scores are learned from, paired or not.
    n_components
        Principal components of the scores.
    generator
        Starts the search for these.
    """
    made = [_scores_of(values) for values in sampled]
    if min(likeness for _, likeness in made) >= GAUSSIAN:
        return None
    layers = made[0][0], made[1][0]
    components = [
        components_of(layer(values), n_components, generator) for layer, values in zip(layers, sampled, strict=True)
    ]
    x, y = (side.through(layer, rows) for side, layer, rows in zip(sides, layers, paired, strict=True))
    return ScoredSides(layers, x, y, (components[0], components[1]))


def _scores_of(values: Tensor) -> tuple[NormalScores, float]:
    """The layer that makes scores of such columns, each of the size that it has, and how much the least Gaussian is so.

    Equal values get the score of their middle rank.
    """
    columns = values.cpu().double().numpy().T
    knots, scores = np.empty((2, len(columns), KNOTS))
    likeness = 1.0
    for i, column in enumerate(columns):
        found, of_column = _at_knots(column)
        knots[i], scores[i] = found, of_column * column.std()
        if found[0] < found[-1]:
            likeness = min(likeness, float(np.corrcoef(column, np.interp(column, found, of_column))[0, 1]))
    device = values.device
    layer = NormalScores(*(torch.tensor(part, dtype=torch.float32, device=device) for part in (knots, scores)))
    return layer, likeness


def _at_knots(column: Values) -> tuple[Values, Values]:
    value, count = np.unique(column, return_counts=True)
    score = ndtri((np.cumsum(count) - count / 2) / len(column))
    if len(value) <= KNOTS:
        at = np.minimum(np.arange(KNOTS), len(value) - 1)  # the last repeats
    else:
        # Evenly spaced as scores, so that the outermost values, which lie far apart, have each its own.
        at = np.searchsorted(score, np.linspace(score[0], score[-1], KNOTS)).clip(max=len(value) - 1)
    return value[at], score[at]
