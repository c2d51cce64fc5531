"""The sparse family: axes of greatest covariance after entries that chance explains were set to 0, in closed form."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scmi.typing import Index

from .covariance import Covariances
from .half import Half, Latents, Part, fitting_pairs, scaled
from .linear import SIZES, axes_of, fit_linear
from .model import Kind, LatentModel

__all__ = ["SparseFamily"]

# Thresholds that are tried, in standard deviations of what chance gives.
LEVELS = (1.0, 2.0, 3.0, 4.0)
# Axes of singular values below this share of the first are what rounding left.
NOTHING = 1e-5


class SparseFamily:
    """Projections on the axes of greatest covariance, where few of many columns share anything.

    Among 300 x 300 columns the covariance of one pair drowns in what chance gives the others. Each entry of the
    cross-covariance is moved towards 0 by a few standard deviations of chance (soft thresholding), so that only
    columns that stand out carry the axes. How many is chosen by cross-validation, by the correlations of held-out
    pairs.

    Parameters
    ----------
    half
        The training half.
    n_latent
        Latent dimensions; None lets cross-validation choose.
    covariances
        The cross-covariances of the half.
    generator
        Starts the search for axes.
    """

    kind: Kind = "sparse"

    def __init__(self, half: Half, n_latent: int | None, covariances: Covariances, generator: torch.Generator) -> None:
        most = min(half.x.n_features, half.y.n_features)
        self.sizes = (n_latent,) if n_latent else tuple(size for size in SIZES if size <= most)
        self._half, self._covariances, self._generator = half, covariances, generator
        self._level = LEVELS[0]

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`; settles the threshold as well."""
        x, y = self._half.x, self._half.y
        found: list[list[Latents]] = []
        shared = np.zeros(len(LEVELS))
        for part, (fitted, judged) in enumerate(parts):
            sums = self._covariances.without(part)
            covariance, chance = sums.covariance, sums.chance / np.sqrt(len(fitted))
            at_x, at_y = x.batch(judged.row_x), y.batch(judged.row_y)
            of_levels = []
            for i, level in enumerate(LEVELS):
                axes_x, axes_y = self._axes(covariance, level * chance, self.sizes[-1])
                z_x, z_y = scaled(at_x @ axes_x), scaled(at_y @ axes_y)
                of_levels.append((z_x, z_y))
                shared[i] += _shared(z_x, z_y)
            found.append(of_levels)
        best = int(np.argmax(shared))
        self._level = LEVELS[best]
        return [of_levels[best] for of_levels in found]

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        x, y = self._half.x, self._half.y
        sums = self._covariances.of(barcodes, rng)
        axes = self._axes(sums.covariance, self._level * sums.chance / np.sqrt(len(barcodes)), size)
        return fit_linear(x, y, fitting_pairs(self._half.pairing, barcodes, rng), axes, self.kind)

    def _axes(self, covariance: Tensor, bound: Tensor, n_axes: int) -> tuple[Tensor, Tensor]:
        """Axes of the cross-covariance with every entry moved towards 0 by its bound."""
        thin = covariance - covariance.clamp(-bound, bound)
        axes_x, values, axes_y = axes_of(thin, n_axes, self._generator)
        kept = values > NOTHING * values[0].clamp(min=1e-30)
        return axes_x * kept, axes_y * kept


def _shared(z_x: Tensor, z_y: Tensor) -> float:
    """Bits that held-out pairs would share if their latents were Gaussian; what chance gives is as often negative."""
    spread = (z_x.square().mean(dim=0) * z_y.square().mean(dim=0)).sqrt().clamp(min=1e-12)
    r = ((z_x * z_y).mean(dim=0) / spread).clamp(-0.9999, 0.9999)
    return float((-0.5 * torch.log2(1 - r.square()) * r.sign()).sum())
