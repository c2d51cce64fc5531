"""Moderators: coordinates of a side that predict nothing by themselves, and say how much the others tell."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scmi.estimators.inputs.rows import Rows
from scmi.typing import Index, Values

from .components import Components
from .half import Family, Half, Latents, Part, batches
from .layers import MLP, linear_layer, projected
from .model import Kind, LatentModel

__all__ = ["Moderated", "find_moderators"]

# Leading principal components of a side that a moderator is a combination of.
N_COMPONENTS = 10
# Shrinks the combination, as so many pairs for each component that say nothing would.
RIDGE = 4.0
# What the t statistic of a moderator has to exceed. Chance does so in 3 to 8 of 100: parts share what they are fitted
# to, so that t has a standard deviation of 1.3 to 1.5.
SIGNIFICANT = 2.0

Axes = tuple[Tensor | None, Tensor | None]


class Moderated:
    """A linear family whose latents begin with a moderator of either side.

    How much a cell's fate tells may depend on its maturity, which itself tells nothing of the other side and so is on
    none of the axes. Neighbours that are alike in both are pairs of the same distribution.

    Parameters
    ----------
    base
        The family whose axes these are.
    half
        The training half.
    axes
        Features x 1, of x and of y. A side without a moderator has a constant in its place, so that both have as many
        dimensions.
    latents
        What the base found of each part's judged pairs.
    size
        Dimensions of the base at which the moderators were found.
    """

    def __init__(self, base: Family, half: Half, axes: Axes, latents: Sequence[Latents], size: int) -> None:
        self.kind: Kind = base.kind
        self.sizes: tuple[int, ...] = (size + 1,)
        self._base, self._half, self._axes, self._latents = base, half, axes, latents

    def held_out(self, parts: Sequence[Part], rng: np.random.Generator) -> list[Latents]:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        found = []
        for (_, judged), (z_x, z_y) in zip(parts, self._latents, strict=True):
            added = [
                torch.zeros((len(z), 1), device=z.device) if axis is None else _unit(_along(rows, axis, index))
                for rows, axis, index, z in (
                    (self._half.x, self._axes[0], judged.row_x, z_x),
                    (self._half.y, self._axes[1], judged.row_y, z_y),
                )
            ]
            found.append((torch.cat([added[0], z_x], dim=1), torch.cat([added[1], z_y], dim=1)))
        return found

    def fit(self, barcodes: Index, size: int, rng: np.random.Generator) -> LatentModel:
        """See :class:`~scmi.estimators.latent.half.Family`."""
        model = self._base.fit(barcodes, size - 1, rng)
        of_x, of_y = self._half.pairing.rows_of(barcodes)
        return LatentModel(
            self.kind,
            _with_moderator(model.encoder_x, self._half.x, self._axes[0], of_x),
            _with_moderator(model.encoder_y, self._half.y, self._axes[1], of_y),
            _blind_to_the_first(model.decoder_xy),
            _blind_to_the_first(model.decoder_yx),
        )


class _Moments(NamedTuple):
    """Sums of squares and products of what a moderator is fitted to, over some pairs."""

    n: int
    square: Values
    product: Values

    def less(self, other: "_Moments") -> "_Moments":
        return _Moments(self.n - other.n, self.square - other.square, self.product - other.product)

    def solved(self) -> Values:
        """Weights of the components, shrunk."""
        n_components = len(self.product)
        ridge = RIDGE * max(np.trace(self.square), 1e-12) / self.n
        weights: Values = np.linalg.solve(self.square + ridge * np.eye(n_components), self.product)
        return weights


def find_moderators(half: Half, latents: Sequence[Latents], size: int, parts: Sequence[Part]) -> Axes:
    """Axis of each side along which its latents count more or less, from pairs that these were not fitted to.

    With latents u of one side and v of the other, v is predicted by a u, and the error of that by b u w, with w a
    combination of the side's components whose weights are the same for all axes. Where the prediction of other parts
    correlates with the error in each (t above 2 over groups of barcodes), w is a moderator.

    Returns
    -------
    Features x 1 for each side, or None.
    """
    found: list[Tensor | None] = []
    for at, (rows, components) in enumerate(zip((half.x, half.y), half.components, strict=True)):
        axis = None
        if size < rows.n_features:  # or nothing is left to add
            axes = _leading(components)
            pairs = []
            for (_, judged), z in zip(parts, latents, strict=True):
                w = _along(rows, axes, judged[2 + at]) - components.mean @ axes
                pairs.append([side.cpu().double().numpy() for side in (z[at][:, :size], z[1 - at][:, :size], w)])
            groups = [half.pairing.groups[judged.barcode] for _, judged in parts]
            weights, t = _interaction(pairs, groups)
            if t > SIGNIFICANT:
                axis = axes @ torch.tensor(weights, dtype=axes.dtype, device=axes.device)[:, None]
        found.append(axis)
    return found[0], found[1]


def _interaction(parts: Sequence[Sequence[Values]], groups: Sequence[Index]) -> tuple[Values, float]:
    """Weights of the components w in the error of v given u, and the t statistic of their held-out prediction."""
    designs, errors = [], []
    for u, v, w in parts:
        slope = (u * v).sum(axis=0) / np.maximum((u**2).sum(axis=0), 1e-12)
        errors.append(v - slope * u)
        designs.append(u[:, :, None] * w[:, None, :])
    each = [
        _Moments(len(e), np.einsum("nac,nad->cd", d, d), np.einsum("nac,na->c", d, e))
        for d, e in zip(designs, errors, strict=True)
    ]
    everything = _Moments(
        sum(one.n for one in each), np.sum([one.square for one in each], 0), np.sum([one.product for one in each], 0)
    )
    contributions = []
    for moments, design, error, group in zip(each, designs, errors, groups, strict=True):
        predicted = design @ everything.less(moments).solved()
        together = (predicted * error).sum(axis=1) / max(float(np.sqrt((predicted**2).mean())), 1e-12)
        contributions.append(np.bincount(np.unique(group, return_inverse=True)[1], together))
    total = np.concatenate(contributions)
    spread = float(np.sqrt((total**2).sum()))
    return everything.solved(), float(total.sum() / spread) if spread > 0 else 0.0


def _leading(components: Components) -> Tensor:
    """Axes of the leading components, scaled so that these have unit variance."""
    n = min(N_COMPONENTS, components.axes.shape[1])
    return components.axes[:, :n] / components.variance[:n].sqrt().clamp(min=1e-12)


def _along(rows: Rows, axes: Tensor, index: Index) -> Tensor:
    return torch.cat([projected(batch, axes) for batch in batches(rows, index)])


def _unit(values: Tensor) -> Tensor:
    return (values - values.mean(dim=0)) / values.std(dim=0).clamp(min=1e-12)


def _with_moderator(encoder: torch.nn.Module, rows: Rows, axis: Tensor | None, index: Index) -> MLP:
    """The axes of an encoder with one before them, of unit variance as the latents are taken together."""
    assert isinstance(encoder, MLP)  # of one layer, as all linear families have
    weight, bias = encoder.weights[0], encoder.biases[0]
    if axis is None:
        first, offset = torch.zeros_like(weight[:1]), torch.zeros_like(bias[:1])
    else:
        along = _along(rows, axis, index)
        spread = along.std().clamp(min=1e-12)
        first, offset = axis.T / spread, -along.mean()[None] / spread
    return linear_layer(torch.cat([first, weight.data]), torch.cat([offset, bias.data]))


def _blind_to_the_first(decoder: torch.nn.Module) -> MLP:
    """A moderator predicts nothing of the other side."""
    assert isinstance(decoder, MLP)
    weight = decoder.weights[0].data
    return linear_layer(torch.cat([torch.zeros_like(weight[:, :1]), weight], dim=1), decoder.biases[0].data)
