"""The linear latent model: axes of greatest covariance between x and y (partial least squares), in closed form."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from .networks import MLP, linear_layer
from .pairing import Draw, Index
from .rows import Rows

__all__ = ["LinearModel", "batches", "fit_axes", "fit_linear", "least_squares"]

# Axes of a thousand genes are known from fewer pairs than this; more would only cost time.
MAX_PAIRS = 10_000
CHUNK = 4096
# Pairs of both sides that are kept at hand while axes are looked for.
MAX_BYTES = 2**28
# Rounds of subspace iteration, and axes beyond those wanted: both sharpen the last ones.
ROUNDS = 4
EXTRA_AXES = 8
RIDGE = 1e-4

Couple = tuple[Tensor, Tensor]


class LinearModel(nn.Module):
    """Encoders and cross-decoders of one linear layer each."""

    def __init__(self, encoder_x: MLP, encoder_y: MLP, decoder_xy: MLP, decoder_yx: MLP) -> None:
        super().__init__()
        self.encoder_x, self.encoder_y = encoder_x, encoder_y
        self.decoder_xy, self.decoder_yx = decoder_xy, decoder_yx


def fit_axes(x: Rows, y: Rows, pairs: Draw, n_axes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Leading singular vectors of the cross-covariance of the pairs: features x axes, for x and for y.

    By subspace iteration, so that the matrix of all features of x by all of y is never formed.
    """
    n_axes = min(n_axes, x.n_features, y.n_features)
    width = min(n_axes + EXTRA_AXES, x.n_features, y.n_features)
    couples = _couples(x, y, pairs)
    axes_y = torch.randn((y.n_features, width), generator=generator, device=generator.device)
    for _ in range(ROUNDS):
        axes_x = torch.linalg.qr(_covariance_times(couples(), axes_y))[0]
        back = _covariance_times(((v, u) for u, v in couples()), axes_x)
        axes_y = torch.linalg.qr(back)[0]
    left, _, right = torch.linalg.svd(back, full_matrices=False)
    return (axes_x @ right.T)[:, :n_axes], left[:, :n_axes]


def fit_linear(x: Rows, y: Rows, pairs: Draw, axes: tuple[Tensor, Tensor]) -> LinearModel:
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
    return LinearModel(*encoders, *decoders)


def batches(rows: Rows, index: Index) -> Iterator[Tensor]:
    """Some rows, a few thousand at a time."""
    return (rows.batch(index[start : start + CHUNK]) for start in range(0, len(index), CHUNK))


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


def least_squares(z: Tensor, target: Rows, index: Index) -> MLP:
    """The linear layer that predicts rows from their latents."""
    with_one = torch.cat([z, torch.ones((len(z), 1), device=z.device)], dim=1)
    moments = torch.zeros((with_one.shape[1], target.n_features), device=z.device)
    for start in range(0, len(z), CHUNK):
        part = slice(start, start + CHUNK)
        moments += with_one[part].T @ target.batch(index[part])
    gram = with_one.T @ with_one
    gram += RIDGE * len(z) * torch.eye(len(gram), device=z.device)
    coefficients = torch.linalg.solve(gram, moments)
    return linear_layer(coefficients[:-1].T.contiguous(), coefficients[-1])
