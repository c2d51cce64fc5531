"""Principal components in front of networks and kernels: learned from all cells, paired or not."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.rows import Rows

from .layers import MLP, linear_layer

__all__ = ["Components", "Layers", "components_of", "principal_components", "sampled"]

# Data with no more columns than this keep all of them.
FEW_FEATURES = 20
# Components of a thousand genes are known from fewer cells than this, and so many fit in memory.
MAX_CELLS = 20_000
MAX_BYTES = 2**28
CHUNK = 4096
# Rounds of subspace iteration, and axes beyond those wanted: both sharpen the last ones.
ROUNDS = 4
EXTRA_AXES = 8

Layers = tuple[MLP, MLP]


@dataclass(frozen=True)
class Components:
    """Leading principal components of one side.

    Parameters
    ----------
    mean
        Of the features.
    axes
        Features x components, of unit length.
    variance
        Of each component.
    """

    mean: Tensor
    axes: Tensor
    variance: Tensor

    def layers(self, n: int) -> Layers:
        """Layers from standardised features to the leading n components (few features: to all), and back.

        Components keep their relative size and have unit variance taken together: made equal, those of noise would
        count as much as the others.
        """
        n = n if len(self.axes) > FEW_FEATURES else len(self.axes)
        axes = self.axes[:, :n]
        spread = self.variance[:n].mean().sqrt().clamp(min=1e-12)
        return linear_layer(axes.T / spread, -(self.mean @ axes) / spread), linear_layer(axes * spread, self.mean)


def principal_components(
    rows: Rows, n_components: int, rng: np.random.Generator, generator: torch.Generator
) -> Components:
    """Principal components of one side, from all of its rows where they fit."""
    return components_of(sampled(rows, rng), n_components, generator)


def sampled(rows: Rows, rng: np.random.Generator) -> Tensor:
    """Rows that tell of one side: all of them where they fit. Whether they are paired is never seen."""
    n = min(len(rows), MAX_CELLS, max(1, MAX_BYTES // (4 * rows.n_features)))
    chosen = np.sort(rng.permutation(len(rows))[:n])
    return torch.cat(list(rows.batches(chosen, CHUNK)))


def components_of(values: Tensor, n_components: int, generator: torch.Generator) -> Components:
    """Principal components of rows of one side, which are centred in place."""
    mean = values.mean(dim=0)
    values -= mean
    if values.shape[1] <= FEW_FEATURES:
        axes = torch.eye(values.shape[1], device=values.device)
    else:
        axes = _leading_axes(values, n_components, generator)
    return Components(mean, axes, (values @ axes).square().mean(dim=0))


def _leading_axes(values: Tensor, n_axes: int, generator: torch.Generator) -> Tensor:
    width = min(n_axes + EXTRA_AXES, *values.shape)
    axes = torch.randn((values.shape[1], width), generator=generator, device=values.device)
    for _ in range(ROUNDS):
        axes = torch.linalg.qr(values.T @ (values @ axes))[0]
    _, _, within = torch.linalg.svd(values @ axes, full_matrices=False)
    leading: Tensor = (axes @ within.T)[:, :n_axes]
    return leading
