"""The network family: two autoencoders whose latent spaces predict both sides."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmi._progress import Tick
from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.inputs.rows import Rows
from scmi.estimators.settings import Objective, Settings
from scmi.typing import Index

from .descend import History, descend
from .layers import MLP

__all__ = ["CrossAutoencoder", "Losses", "fit_network"]

# Of the contrastive bound, in nats, beside mean squared errors of standardised features.
CONTRAST_WEIGHT = 1.0
# Of Adam.
EPSILON = 1e-7
# SMILE clips its critic, so that no single pair decides the bound.
SMILE_CLIP = 5.0


class Losses(NamedTuple):
    """What one batch says: self-reconstruction, cross-reconstruction, and minus the contrastive bound in nats."""

    self: Tensor
    cross: Tensor
    contrast: Tensor


class CrossAutoencoder(nn.Module):
    """Two encoders and four decoders: each side is reconstructed from both latent spaces (Eq. 4 and 5).

    Parameters
    ----------
    n_x, n_y
        Features of the two sides.
    n_latent
        Latent dimensions of each side.
    hidden
        Hidden sizes of the encoders; the decoders mirror them.
    generator
        Source of the initial weights; its device is where the model lives.
    """

    def __init__(self, n_x: int, n_y: int, n_latent: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        down, up = tuple(hidden), tuple(reversed(hidden))

        def mlp(n_in: int, inner: tuple[int, ...], n_out: int, *, last_activation: bool = False) -> MLP:
            return MLP((n_in, *inner, n_out), generator, last_activation=last_activation)

        self.encoder_x = mlp(n_x, down, n_latent, last_activation=True)
        self.encoder_y = mlp(n_y, down, n_latent, last_activation=True)
        self.decoder_xx = mlp(n_latent, up, n_x)
        self.decoder_yy = mlp(n_latent, up, n_y)
        self.decoder_xy = mlp(n_latent, up, n_y)
        self.decoder_yx = mlp(n_latent, up, n_x)
        self.log_scale = nn.Parameter(torch.zeros((), device=generator.device))

    def losses(self, x: Tensor, y: Tensor, objective: Objective, dropout: torch.Generator | None = None) -> Losses:
        """The terms of the objective; reconstruction errors are the mean squared error of x plus that of y."""
        z_x, z_y = self.encoder_x(x), self.encoder_y(y)
        self_loss = F.mse_loss(self.decoder_xx(z_x), x) + F.mse_loss(self.decoder_yy(z_y), y)
        cross = contrast = torch.zeros((), device=x.device)
        if "cross" in objective:
            cross = F.mse_loss(self.decoder_yx(z_y, dropout), x) + F.mse_loss(self.decoder_xy(z_x, dropout), y)
        if objective != "cross":
            contrast = -self._bound(z_x, z_y, objective)
        return Losses(self_loss, cross, contrast)

    def _bound(self, z_x: Tensor, z_y: Tensor, objective: Objective) -> Tensor:
        """Lower bound of the mutual information in nats, with all other pairs of the batch for contrast.

        The critic is minus the squared distance of the latents: what shares information must come to lie together,
        which suits the nearest neighbours that are asked afterwards.
        """
        score = -torch.exp(self.log_scale) * torch.cdist(z_x, z_y).square()
        n = len(score)
        joint = score.diagonal().mean()
        if "infonce" in objective:
            return joint + math.log(n) - 0.5 * (score.logsumexp(dim=0) + score.logsumexp(dim=1)).mean()
        if objective == "smile":
            score = score.clamp(-SMILE_CLIP, SMILE_CLIP)
        apart = score.masked_fill(torch.eye(n, dtype=torch.bool, device=score.device), -torch.inf)
        return joint + math.log(n * (n - 1)) - apart.flatten().logsumexp(dim=0)


def fit_network(
    x: Rows,
    y: Rows,
    draw: Callable[[np.random.Generator], Draw],
    validation: Draw,
    *,
    n_latent: int,
    objective: Objective,
    lam: float,
    alpha: float,
    settings: Settings,
    rng: np.random.Generator,
    device: torch.device,
    progress: Tick,
) -> tuple[CrossAutoencoder, History]:
    """Train the two autoencoders on pairings drawn anew every epoch.

    Parameters
    ----------
    x, y
        The rows of the two sides.
    draw
        Gives the pairs of the next epoch.
    validation
        The fixed pairs whose loss decides when to stop; none of their barcodes is ever drawn.
    n_latent
        Latent dimensions of each side.
    objective
        What the latent spaces are to share.
    lam, alpha
        Weights of the shared loss and of self-reconstruction.
    settings
        Architecture and budget.
    rng
        Source of all randomness here.
    device
        Where the model lives.
    progress
        Called after every validation with the share of the training that is done and the validation loss.

    Returns
    -------
    The model with the weights of the lowest validation loss, and the course of the training.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    model = CrossAutoencoder(x.n_features, y.n_features, n_latent, settings.hidden, generator)
    dropout = generator if settings.dropout else None
    batches = _Batches(draw, rng, settings.batch_size)
    blocks = [
        (x.batch(validation.row_x[rows]), y.batch(validation.row_y[rows])) for rows in _blocks(validation, settings)
    ]
    weights = np.array([len(valid_x) for valid_x, _ in blocks]) / len(validation.row_x)

    def loss() -> tuple[Tensor, Tensor]:
        row_x, row_y = batches.next()
        losses = model.losses(x.batch(row_x), y.batch(row_y), objective, dropout)
        shared = lam * (losses.cross + CONTRAST_WEIGHT * losses.contrast)
        return shared + alpha * losses.self, _deciding(losses, objective)

    def validate() -> float:
        # Self-reconstruction goes on improving long after, by what is not shared.
        losses = [_deciding(model.losses(valid_x, valid_y, objective), objective) for valid_x, valid_y in blocks]
        return float(weights @ torch.stack(losses).cpu().double().numpy())

    history = descend(model, loss, validate, settings, progress, steps_per_epoch=batches.per_epoch, epsilon=EPSILON)
    return model, history


def _deciding(losses: Losses, objective: Objective) -> Tensor:
    """Cross-reconstruction gets worse by what can't be predicted long before the bound has begun to rise."""
    return losses.cross if objective == "cross" else losses.contrast


def _blocks(validation: Draw, settings: Settings) -> list[Index]:
    """Validation pairs that are contrasted with each other: of one pairing, and no more than in a training step.

    Another couple of the same barcode is no example of cells that don't belong together, and the contrast of all with
    all takes a time that grows with their square. Pairs of a single barcode have nothing else to be contrasted with.
    """
    if len(np.unique(validation.barcode)) == 1:
        return [np.arange(len(validation.barcode))]
    blocks: list[Index] = []
    for pairing in np.unique(validation.pairing):
        rows = np.flatnonzero(validation.pairing == pairing)
        blocks += _even_parts(rows, settings.batch_size)
    return blocks


def _even_parts(rows: Index, size: int) -> list[Index]:
    """Parts of about as many rows each: a last one of a few would take a step as large as a full one's.

    None is of one row, which has nothing to be contrasted with.
    """
    return np.array_split(rows, max(1, min(-(-len(rows) // size), len(rows) // 2)))


class _Batches:
    """Row indices of one batch after the other, epochs drawn as they are needed."""

    def __init__(self, draw: Callable[[np.random.Generator], Draw], rng: np.random.Generator, batch_size: int) -> None:
        self._draw, self._rng, self._size = draw, rng, batch_size
        self._queue: list[tuple[Index, Index]] = []
        self._refill()
        self.per_epoch = len(self._queue)

    def _refill(self) -> None:
        pairs = self._draw(self._rng)
        order = self._rng.permutation(len(pairs.row_x))
        parts = _even_parts(order, self._size)
        self._queue = [(pairs.row_x[part], pairs.row_y[part]) for part in reversed(parts)]

    def next(self) -> tuple[Index, Index]:
        if not self._queue:
            self._refill()
        return self._queue.pop()
