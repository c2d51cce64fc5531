"""Encoders, decoders, and the loss that makes two latent spaces predict each other."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["CrossAutoencoder"]

LEAK = 0.2


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

    def losses(self, x: Tensor, y: Tensor, dropout: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Self- and cross-reconstruction errors, each the mean squared error of x plus that of y."""
        z_x, z_y = self.encoder_x(x), self.encoder_y(y)
        self_loss = F.mse_loss(self.decoder_xx(z_x), x) + F.mse_loss(self.decoder_yy(z_y), y)
        cross_loss = F.mse_loss(self.decoder_yx(z_y, dropout), x) + F.mse_loss(self.decoder_xy(z_x, dropout), y)
        return self_loss, cross_loss


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
