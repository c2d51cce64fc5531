"""The sparse family: axes of greatest covariance after entries that chance explains were set to 0, in closed form."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scmi.typing import Index

from .covariance import Covariances
from .half import Latents, Part, scaled
from .layers import projected
from .linear import Axes, LinearFamily, axes_of
from .model import Kind

__all__ = ["SparseFamily", "thin_axes"]

# Thresholds that are tried, in standard deviations of what chance gives.
LEVELS = (1.0, 2.0, 3.0, 4.0)
# Axes of singular values below this share of the first are what rounding left.
NOTHING = 1e-5


class SparseFamily(LinearFamily):
    """Projections on the axes of greatest covariance, where few of many columns share anything.

    Among 300 x 300 columns the covariance of one pair drowns in what chance gives the others. Each entry of the
    cross-covariance is moved towards 0 by a few standard deviations of chance (soft thresholding), so that only
    columns that stand out carry the axes. How many is chosen by cross-validation, by the correlations of held-out
    pairs. Needs the cross-covariances in memory.
    """

    kind: Kind = "sparse"
    _covariances: Covariances
    _level = LEVELS[0]

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`; settles the threshold as well."""
        x, y = self._half.x, self._half.y
        found: list[list[Latents]] = []
        shared = np.zeros(len(LEVELS))
        for part, (fitted, judged) in enumerate(parts):
            sums = self._covariances.without(part)
            covariance, chance = sums.covariance, sums.chance / np.sqrt(len(fitted))
            at_x, at_y = x.batch(judged.row_x), y.batch(judged.row_y)
            of_levels, axes_y = [], None
            for i, level in enumerate(LEVELS):
                axes_x, axes_y = thin_axes(covariance, level * chance, self.sizes[-1], self._generator, near=axes_y)
                z_x, z_y = scaled(projected(at_x, axes_x)), scaled(projected(at_y, axes_y))
                of_levels.append((z_x, z_y))
                shared[i] += _shared(z_x, z_y)
            found.append(of_levels)
        best = int(np.argmax(shared))
        self._level = LEVELS[best]
        return [of_levels[best] for of_levels in found]

    def _axes(self, barcodes: Index, n_axes: int, rng: np.random.Generator) -> Axes:
        sums = self._covariances.of(barcodes, rng)
        bound = self._level * sums.chance / np.sqrt(len(barcodes))
        return thin_axes(sums.covariance, bound, n_axes, self._generator)


def thin_axes(
    covariance: Tensor, bound: Tensor, n_axes: int, generator: torch.Generator, near: Tensor | None = None
) -> Axes:
    """Axes of a cross-covariance with every entry moved towards 0 by its bound; 0 where nothing is left for one."""
    axes_x, values, axes_y = axes_of(covariance - covariance.clamp(-bound, bound), n_axes, generator, near)
    kept = values > NOTHING * values[0].clamp(min=1e-30)
    return axes_x * kept, axes_y * kept


def _shared(z_x: Tensor, z_y: Tensor) -> float:
    """Bits that held-out pairs would share if their latents were Gaussian; what chance gives is as often negative."""
    spread = (z_x.square().mean(dim=0) * z_y.square().mean(dim=0)).sqrt().clamp(min=1e-12)
    r = ((z_x * z_y).mean(dim=0) / spread).clamp(-0.9999, 0.9999)
    return float((-0.5 * torch.log2(1 - r.square()) * r.sign()).sum())
