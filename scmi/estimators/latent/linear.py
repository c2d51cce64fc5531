"""The linear family: axes of greatest covariance between x and y (partial least squares), in closed form."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index

from .covariance import Covariances, CrossSums
from .half import Half, Latents, Part, batches, fitting_pairs, least_squares, scaled
from .layers import linear_layer, projected
from .model import Kind, LatentModel

__all__ = ["Axes", "LinearFamily", "axes_of", "fit_axes", "fit_linear", "leading_axes"]

# Latent dimensions that are tried, where the user names none.
SIZES = (1, 2, 3, 4, 6, 9)
# Pairs of both sides that are kept at hand while axes are looked for.
MAX_BYTES = 2**28
# Rounds of subspace iteration, and axes beyond those wanted: both sharpen the last ones.
ROUNDS = 4
ROUNDS_FROM_NEAR = 2
EXTRA_AXES = 8

Couple = tuple[Tensor, Tensor]
Axes = tuple[Tensor, Tensor]
Times = Callable[[Tensor], Tensor]


class LinearFamily:
    """Projections on the axes of greatest covariance.

    Parameters
    ----------
    half
        The training half.
    n_latent
        Latent dimensions; None lets cross-validation choose.
    covariances
        The cross-covariances of the half, where they fit in memory.
    generator
        Starts the search for axes.
    """

    kind: Kind = "linear"

    def __init__(
        self, half: Half, n_latent: int | None, covariances: Covariances | None, generator: torch.Generator
    ) -> None:
        most = min(half.x.n_features, half.y.n_features)
        self.sizes = (n_latent,) if n_latent else tuple(size for size in SIZES if size <= most)
        self._half, self._covariances, self._generator = half, covariances, generator
        self._whole: Tensor | None = None

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        x, y = self._half.x, self._half.y
        found = []
        for i, (fitted, judged) in enumerate(parts):
            if self._covariances is None:
                axes_x, axes_y = self._streamed(fitted, self.sizes[-1], rng)
            else:
                axes_x, axes_y = self._axes_near_whole(self._covariances, self._covariances.without(i), self.sizes[-1])
            z_x, z_y = projected(x.batch(judged.row_x), axes_x), projected(y.batch(judged.row_y), axes_y)
            found.append((scaled(z_x), scaled(z_y)))
        return found

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        pairs = fitting_pairs(self._half.pairing, barcodes, rng)
        return fit_linear(self._half.x, self._half.y, pairs, self._axes(barcodes, size, rng), self.kind)

    def _axes(self, barcodes: Index, n_axes: int, rng: np.random.Generator) -> Axes:
        if self._covariances is None:
            return self._streamed(barcodes, n_axes, rng)
        return self._axes_near_whole(self._covariances, self._covariances.of(barcodes, rng), n_axes)

    def _axes_near_whole(self, covariances: Covariances, sums: CrossSums, n_axes: int) -> Axes:
        """Axes of most of the half, looked for from those of the whole half."""
        if self._whole is None:
            self._whole = axes_of(covariances.whole.covariance, self.sizes[-1], self._generator)[2]
        axes_x, _, axes_y = axes_of(sums.covariance, n_axes, self._generator, near=self._whole[:, :n_axes])
        return axes_x, axes_y

    def _streamed(self, barcodes: Index, n_axes: int, rng: np.random.Generator) -> Axes:
        pairs = fitting_pairs(self._half.pairing, barcodes, rng)
        return fit_axes(self._half.x, self._half.y, pairs, n_axes, self._generator)


def axes_of(
    matrix: Tensor, n_axes: int, generator: torch.Generator, near: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Leading left singular vectors, singular values, and right singular vectors of a matrix.

    ``near`` are right singular vectors of a matrix much like it, from which the search is shorter.
    """
    return leading_axes(lambda a: matrix @ a, lambda a: matrix.T @ a, matrix.shape, n_axes, generator, near)


def fit_axes(x: Rows, y: Rows, pairs: Draw, n_axes: int, generator: torch.Generator) -> Axes:
    """Leading singular vectors of the cross-covariance of the pairs: features x axes, for x and for y.

    By subspace iteration, so that the matrix of all features of x by all of y is never formed.
    """
    couples = _couples(x, y, pairs)
    axes_x, _, axes_y = leading_axes(
        lambda axes: _covariance_times(couples(), axes),
        lambda axes: _covariance_times(((v, u) for u, v in couples()), axes),
        (x.n_features, y.n_features),
        n_axes,
        generator,
    )
    return axes_x, axes_y


def leading_axes(
    times: Times,
    transposed_times: Times,
    shape: Sequence[int],
    n_axes: int,
    generator: torch.Generator,
    near: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Leading singular vectors and values of a matrix that is known by what it makes of others."""
    n_axes = min(n_axes, *shape)
    width = min(n_axes + EXTRA_AXES, *shape)
    axes_y = torch.randn((shape[1], width), generator=generator, device=generator.device)
    if near is not None:
        axes_y[:, : near.shape[1]] = near
    for _ in range(ROUNDS if near is None else ROUNDS_FROM_NEAR):
        axes_x = torch.linalg.qr(times(axes_y))[0]
        axes_y, back = torch.linalg.qr(transposed_times(axes_x))
    left, values, right = torch.linalg.svd(back)
    axes_x, axes_y = axes_x @ right.T, axes_y @ left
    # Rounding decides which of an axis's two ends is up; the longest entry is to point up, so that latents of the same
    # data are not each other's mirror images.
    up = axes_x.gather(0, axes_x.abs().argmax(dim=0)[None]).sign()
    return (axes_x * up)[:, :n_axes], values[:n_axes], (axes_y * up)[:, :n_axes]


def fit_linear(x: Rows, y: Rows, pairs: Draw, axes: Axes, kind: Kind = "linear") -> LatentModel:
    """Encoders that project on the axes, and the least-squares decoders of the other side.

    Latents come out centred and, taken together, with unit variance, so that distances on both sides compare.
    """
    sides = ((x, pairs.row_x, axes[0]), (y, pairs.row_y, axes[1]))
    encoders, latents = [], []
    for rows, index, directions in sides:
        z = torch.cat([batch @ directions for batch in batches(rows, index)])
        mean, spread = z.mean(dim=0), z.std(dim=0).square().mean().sqrt().clamp(min=1e-12)
        encoders.append(linear_layer(directions.T / spread, -mean / spread))
        latents.append((z - mean) / spread)
    decoders = [
        least_squares(latents[0], y, pairs.row_y),
        least_squares(latents[1], x, pairs.row_x),
    ]
    return LatentModel(kind, *encoders, *decoders)


def _couples(x: Rows, y: Rows, pairs: Draw) -> Callable[[], Iterable[Couple]]:
    """Batches of both sides, as often as they are asked for; cut once, where they fit."""

    def cut() -> Iterable[Couple]:
        return zip(batches(x, pairs.row_x), batches(y, pairs.row_y), strict=True)

    if 4 * len(pairs.row_x) * (x.n_features + y.n_features) > MAX_BYTES:
        return cut
    kept = list(cut())
    return lambda: kept


def _covariance_times(couples: Iterable[Couple], axes: Tensor) -> Tensor:
    """Cov(x, y) @ axes over the pairs."""
    n, product, sum_x, sum_z = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for x, y in couples:
        z = y @ axes
        n += len(x)
        product = product.to(z.device) + x.T @ z
        sum_x = sum_x.to(z.device) + x.sum(dim=0)
        sum_z = sum_z.to(z.device) + z.sum(dim=0)
    covariance: Tensor = (product - torch.outer(sum_x, sum_z) / n) / n
    return covariance
