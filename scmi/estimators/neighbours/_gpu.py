"""The neighbour counts behind KSG by blocked brute force in torch: what a GPU does best."""

import numpy as np
import torch
from torch import Tensor

from scmi.typing import Values

from .windows import Counts, Metric

__all__ = ["marginal_counts"]

# Values that a block of differences may hold: 256 MiB in float64.
BLOCK_VALUES = 2**25


def marginal_counts(x: Values, y: Values, k: int, *, metric: Metric, device: torch.device) -> Counts:
    """Count, per point, the others strictly nearer in x (and in y) than its k-th joint neighbour; exact, in float64."""
    sides = [torch.from_numpy(np.ascontiguousarray(points)).to(device) for points in (x, y)]
    n = len(x)
    size = max(1, BLOCK_VALUES // (n * max(x.shape[1], y.shape[1])))
    counts = []
    for start in range(0, n, size):
        rows = torch.arange(start, min(start + size, n), device=device)
        distances = [_distances(points[rows], points, metric) for points in sides]
        # The point itself is the nearest of all, at distance 0.
        radius = torch.maximum(*distances).kthvalue(k + 1, dim=1, keepdim=True).values
        itself = (radius > 0).squeeze(1).long()
        counts.append(torch.stack([(distance < radius).sum(dim=1) - itself for distance in distances]))
    count_x, count_y = torch.cat(counts, dim=1).cpu().numpy()
    return count_x, count_y


def _distances(block: Tensor, points: Tensor, metric: Metric) -> Tensor:
    difference = block[:, None, :] - points[None, :, :]
    return difference.abs().amax(dim=2) if metric == "chebyshev" else difference.square().sum(dim=2)
