"""The layers that all models are made of."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LEAK", "MLP", "NormalScores", "RadialBasis", "linear_layer", "precise", "projected"]

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


class RadialBasis(nn.Module):
    """Gaussian kernel of each row with each landmark.

    Parameters
    ----------
    landmarks
        Landmarks x features.
    width
        Standard deviation of the kernel, in the units of the features.
    """

    landmarks: Tensor
    width: Tensor

    def __init__(self, landmarks: Tensor, width: Tensor) -> None:
        super().__init__()
        self.register_buffer("landmarks", landmarks)
        self.register_buffer("width", width)

    def forward(self, x: Tensor) -> Tensor:
        """Rows x landmarks."""
        return torch.exp(-0.5 * (torch.cdist(x, self.landmarks) / self.width).square())


class NormalScores(nn.Module):
    """A map of each column by itself, in the order of its values: linear between knots, constant beyond the outermost.

    Parameters
    ----------
    knots
        Features x knots, rising.
    scores
        What each becomes, rising as well.
    """

    knots: Tensor
    scores: Tensor

    def __init__(self, knots: Tensor, scores: Tensor) -> None:
        super().__init__()
        self.register_buffer("knots", knots)
        self.register_buffer("scores", scores)

    def forward(self, x: Tensor) -> Tensor:
        """Rows x features."""
        columns = x.T.contiguous()
        above = torch.searchsorted(self.knots, columns).clamp(1, self.knots.shape[1] - 1)
        low, high = self.knots.gather(1, above - 1), self.knots.gather(1, above)
        share = ((columns - low) / (high - low).clamp(min=torch.finfo(x.dtype).tiny)).clamp(0, 1)
        return torch.lerp(self.scores.gather(1, above - 1), self.scores.gather(1, above), share).T


def linear_layer(weight: Tensor, bias: Tensor) -> MLP:
    """A fixed linear map, as a perceptron of one layer."""
    layer = MLP((weight.shape[1], weight.shape[0]), torch.Generator(weight.device), last_activation=False)
    layer.weights[0].data, layer.biases[0].data = weight.contiguous(), bias
    return layer.requires_grad_(False)


def precise(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The same function, worked out in double precision and then rounded: equal rows get equal values.

    In single precision a product of matrices rounds a row according to its place in the batch. Counts and labels, of
    which many rows are equal, would come out a rounding error apart; and since partners are at the same place on both
    sides, nearest neighbours took these errors for information: .6 bit between two columns of ten labels.
    """
    if any(parameter.device.type == "mps" for parameter in network.parameters()):
        return network  # has no double precision
    double = deepcopy(network).double()
    return lambda rows: double(rows.double()).float()


def projected(rows: Tensor, axes: Tensor) -> Tensor:
    """Rows on axes, as precisely."""
    if rows.device.type == "mps":
        return rows @ axes
    return (rows.double() @ axes.double()).float()


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
