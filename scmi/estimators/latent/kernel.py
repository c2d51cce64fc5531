"""The kernel family: the smooth functions of x and of y that are most correlated, in closed form."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from scmi.estimators.inputs.pairing import Draw, Pairing
from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index

from .half import Half, Latents, Part, Unsolvable, batches, fitting_pairs, least_squares, scaled
from .layers import MLP, RadialBasis, linear_layer, precise
from .model import Kind, LatentModel
from .moments import Cells, Moments, SideValues, cells_of

__all__ = ["N_COMPONENTS", "Bases", "KernelFamily", "fit_kernel"]

# Latent dimensions that are tried, where the user names none.
SIZES = (1, 2, 4, 6)
# Principal components that the functions are of. More than the networks get: the ridge, not their number, keeps noise
# out.
N_COMPONENTS = 40
# A side's functions are combinations of the kernel at so many of its rows.
MAX_LANDMARKS = 300
# Added to the kernel between landmarks, which is singular to within rounding: keeps weights below a thousand or so,
# that single precision still adds up well.
NUGGET = 1e-3


class KernelFamily:
    """Kernel canonical correlation analysis of the leading principal components.

    Parameters
    ----------
    half
        The training half.
    n_latent
        Latent dimensions; None lets cross-validation choose.
    rng
        Chooses the landmarks.
    """

    kind: Kind = "kernel"

    def __init__(self, half: Half, n_latent: int | None, rng: np.random.Generator) -> None:
        self.sizes: tuple[int, ...] = (n_latent,) if n_latent else SIZES
        self._half = half
        layers = (half.components[0].layers(N_COMPONENTS)[0], half.components[1].layers(N_COMPONENTS)[0])
        self._bases = Bases(half.x, half.y, layers, half.pairing.draw(rng, barcodes=half.training), rng)

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        bases = self._bases
        barcodes, cells_x, cells_y = cells_of(self._half.pairing, self._half.training, rng)
        u, v = bases.values(cells_x, cells_y)
        everything = Moments.of(u, v, torch.ones(len(barcodes), dtype=torch.bool))

        found = []
        for fitted, judged in parts:
            left_out = torch.from_numpy(~np.isin(barcodes, fitted))
            moments = everything.without(Moments.of(u, v, left_out))
            to_x, to_y = bases.functions(moments, len(fitted), self.sizes[-1])
            x, y = self._half.x, self._half.y
            z_x = precise(nn.Sequential(bases.layers[0], bases.x, to_x))(x.batch(judged.row_x))
            z_y = precise(nn.Sequential(bases.layers[1], bases.y, to_y))(y.batch(judged.row_y))
            found.append((scaled(z_x), scaled(z_y)))
        return found

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        return fit_kernel(self._half.x, self._half.y, self._bases, self._half.pairing, barcodes, size, rng)


class Bases:
    """The functions that each side may use: the kernel at some of its rows, as principal components.

    Parameters
    ----------
    x, y
        Standardised rows.
    layers
        From them to their principal components.
    pairs
        Joint samples whose rows serve as landmarks.
    rng
        Chooses them.
    """

    def __init__(self, x: Rows, y: Rows, layers: tuple[MLP, MLP], pairs: Draw, rng: np.random.Generator) -> None:
        self._rows, self.layers = (x, y), layers
        self.x, self.y = (
            _radial_basis(layer(rows.batch(rng.permutation(np.unique(index))[:MAX_LANDMARKS])))
            for rows, layer, index in zip(self._rows, layers, (pairs.row_x, pairs.row_y), strict=True)
        )

    def values(self, x: Cells, y: Cells) -> tuple[SideValues, SideValues]:
        """The kernel between cells and landmarks, of x and of y."""
        u, v = (
            SideValues(torch.cat([basis(layer(batch)) for batch in batches(rows, cells.rows)]), cells.owner)
            for rows, layer, basis, cells in zip(self._rows, self.layers, (self.x, self.y), (x, y), strict=True)
        )
        return u, v

    def functions(self, moments: Moments, n_barcodes: int, n_latent: int) -> tuple[MLP, MLP]:
        """Layers from the kernel's values to the leading canonical functions of each side.

        The ridge is one over the number of barcodes: correlations found by chance shrink with it. Functions are weighed
        by the square root of their correlation, because what is hardly shared should hardly count in the distances by
        which neighbours are found.
        """
        n, sum_x, sum_y, xx, yy, xy = moments
        mean_x, mean_y = sum_x / n, sum_y / n
        root_x, root_y = (
            _root(second / n - torch.outer(mean, mean) + _penalty(basis) / n_barcodes)
            for second, mean, basis in ((xx, mean_x, self.x), (yy, mean_y, self.y))
        )
        cross = torch.linalg.solve_triangular(root_x, xy / n - torch.outer(mean_x, mean_y), upper=False)
        cross = torch.linalg.solve_triangular(root_y, cross.T, upper=False).T
        left, correlation, right = torch.linalg.svd(cross, full_matrices=False)
        kept = min(n_latent, len(correlation))
        weight = correlation[:kept].sqrt()
        to_x = torch.linalg.solve_triangular(root_x.T, left[:, :kept] * weight, upper=True)
        to_y = torch.linalg.solve_triangular(root_y.T, right[:kept].T * weight, upper=True)
        return _layer(to_x, mean_x, self.x), _layer(to_y, mean_y, self.y)


def fit_kernel(
    x: Rows, y: Rows, bases: Bases, pairing: Pairing, barcodes: Index, n_latent: int, rng: np.random.Generator
) -> LatentModel:
    """Kernel canonical correlation analysis, and the least-squares decoders of the other side.

    Latents come out with unit variance, taken together, so that distances on both sides compare.

    Parameters
    ----------
    x, y
        Standardised rows.
    bases
        What the functions are made of.
    pairing
        Which rows carry each barcode.
    barcodes
        Those to learn from.
    n_latent
        Canonical functions of each side.
    rng
        Draws the pairs that decoders learn from.
    """
    chosen, *cells = cells_of(pairing, barcodes, rng)
    moments = Moments.of(*bases.values(*cells), torch.ones(len(chosen), dtype=torch.bool))
    pairs = fitting_pairs(pairing, barcodes, rng)
    encoders, latents = [], []
    for rows, index, layer, to, basis in zip(
        (x, y),
        (pairs.row_x, pairs.row_y),
        bases.functions(moments, len(np.unique(chosen)), n_latent),
        bases.layers,
        (bases.x, bases.y),
        strict=True,
    ):
        z = torch.cat([layer(basis(to(batch))) for batch in batches(rows, index)])
        spread = z.square().mean().sqrt().clamp(min=1e-12)
        scaled = linear_layer(layer.weights[0] / spread, layer.biases[0] / spread)
        encoders.append(nn.Sequential(to, basis, scaled))
        latents.append(z / spread)
    return LatentModel(
        "kernel",
        encoders[0],
        encoders[1],
        least_squares(latents[0], y, pairs.row_y),
        least_squares(latents[1], x, pairs.row_x),
    )


def _radial_basis(landmarks: Tensor) -> RadialBasis:
    apart = torch.pdist(landmarks)
    apart = apart[apart > 0]
    return RadialBasis(landmarks, apart.median() if len(apart) else torch.ones((), device=landmarks.device))


def _root(matrix: Tensor) -> Tensor:
    """Cholesky's; where all landmarks but a wild one lie together, rounding leaves none."""
    root: Tensor
    root, failed = torch.linalg.cholesky_ex(matrix)
    if int(failed) or not torch.isfinite(root).all():
        raise Unsolvable("the kernel between the landmarks is singular")
    return root


def _penalty(basis: RadialBasis) -> Tensor:
    """The kernel between landmarks, which says how rough a function is; a little more where landmarks coincide."""
    between = basis(basis.landmarks).cpu().double()
    penalty: Tensor = between + NUGGET * torch.eye(len(between), dtype=between.dtype)
    return penalty


def _layer(to: Tensor, mean: Tensor, basis: RadialBasis) -> MLP:
    device = basis.landmarks.device
    return linear_layer(to.T.float().to(device), -(mean @ to).float().to(device))
