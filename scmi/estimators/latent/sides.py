"""What is blind to the pairing, worked out once for all folds and splits: scales, principal components, scores."""

from typing import NamedTuple

import numpy as np
import torch

from scmi.estimators.inputs.rows import Rows, Scale, fit_scale
from scmi.typing import Index, Matrix

from .components import Components, components_of, sampled
from .scores import MAX_COLUMNS, ScoredSides, score_sides

__all__ = ["Sides", "prepare_sides"]


class Sides(NamedTuple):
    """Both sides, scaled by all of their rows, their principal components, and both as normal scores if that may help.

    None of this sees which rows are paired, so permuted partners remain an exact null.
    """

    x: Rows
    y: Rows
    scales: tuple[Scale, Scale]
    components: tuple[Components, Components]
    scored: ScoredSides | None


def prepare_sides(
    x: Matrix,
    y: Matrix,
    paired: tuple[Index, Index],
    *,
    common_scale: bool,
    n_components: int,
    rng: np.random.Generator,
    device: torch.device,
) -> Sides:
    """Scale both sides and find their principal components.

    Parameters
    ----------
    x, y
        The matrices.
    paired
        Rows of x and of y that may be paired: these are kept at hand, where they fit.
    common_scale
        Whether columns keep their relative size, as those of a representation do; otherwise each has unit variance.
    n_components
        How many components.
    rng
        Chooses the rows of large data that components are learned from.
    device
        Where all this lives.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    rows, scales, components, few = [], [], [], []
    for name, matrix, kept in (("x", x, paired[0]), ("y", y, paired[1])):
        scale = fit_scale(matrix, np.arange(matrix.shape[0]), common=common_scale, name=name)
        side = Rows(matrix, scale, device)
        values = sampled(side, rng)
        few.append(values.clone() if side.n_features <= MAX_COLUMNS else None)
        components.append(components_of(values, n_components, generator))
        rows.append(side.keeping(kept))
        scales.append(scale)
    both = rows[0], rows[1]
    scored = None
    if few[0] is not None and few[1] is not None:
        scored = score_sides(both, paired, (few[0], few[1]), n_components, generator)
    return Sides(*both, (scales[0], scales[1]), (components[0], components[1]), scored)
