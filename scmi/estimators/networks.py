"""Encoders, decoders, and the losses that make two latent spaces share what x and y share."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .settings import Objective

__all__ = ["MLP", "CrossAutoencoder", "Losses", "linear_layer"]

LEAK = 0.2
# SMILE clips its critic, so that no single pair decides the bound.
SMILE_CLIP = 5.0


class Losses(NamedTuple):
    """What one batch says: self-reconstruction, cross-reconstruction, and minus the contrastive bound in nats."""

    self: Tensor
    cross: Tensor
    contrast: Tensor


class MLP(nn.Module):
    """A multilayer perceptron with Leaky ReLUs, initialised and dropped out from a generator of its own."""

    def __init__(self, sizes: Sequence[int], generator: torch.Generator, *, last_activation: bool) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
            weight = torch.empty(n_out, n_in, device=generator.device)
            self.weights.append(nn.init.xavier_uniform_(weight, generator=generator))
            self.biases.append(torch.zeros(n_out, device=generator.device))
        self.last_activation = last_activation

    def forward(self, x: Tensor, dropout: torch.Generator | None = None) -> Tensor:
        """Apply the layers; with a generator, drop half of the hidden units."""
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = F.linear(x, weight, bias)
            if i < last or self.last_activation:
                x = F.leaky_relu(x, LEAK)
            if i < last and dropout is not None:
                x = x * _half_mask(x, dropout)
        return x


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

        The critic is minus the squared distance of the latents: what shares information must come to lie together, which
        suits the nearest neighbours that are asked afterwards.
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


def linear_layer(weight: Tensor, bias: Tensor) -> MLP:
    """A fixed linear map, as a perceptron of one layer."""
    layer = MLP((weight.shape[1], weight.shape[0]), torch.Generator(weight.device), last_activation=False)
    layer.weights[0].data, layer.biases[0].data = weight.contiguous(), bias
    return layer.requires_grad_(False)


def _half_mask(x: Tensor, generator: torch.Generator) -> Tensor:
    """2 or 0 with equal chance, for each value of x.

    Dropout of one half needs one random bit a value; torch's own draws a float for each, a quarter of the training
    time, and from the global state.
    """
    n = x.numel()
    words = torch.randint(0, 256, (-(-n // 8),), dtype=torch.uint8, device=x.device, generator=generator)
    return F.embedding(words.int(), _byte_masks(x.device)).view(-1)[:n].view(x.shape)


_BYTE_MASKS: dict[torch.device, Tensor] = {}


def _byte_masks(device: torch.device) -> Tensor:
    """The eight masks that the eight bits of each byte spell."""
    if device not in _BYTE_MASKS:
        bits = torch.arange(256, device=device)[:, None] >> torch.arange(8, device=device) & 1
        _BYTE_MASKS[device] = bits.float() * 2
    return _BYTE_MASKS[device]
