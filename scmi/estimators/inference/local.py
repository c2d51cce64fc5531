"""The pMI of a neighbourhood: what can be said of a single cell, whose own pMI is noisy."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scmi.estimators._fold import CHUNK, Fold
from scmi.estimators.inputs.stored import take_rows
from scmi.estimators.neighbours.parallel import prepare_torch, threads_are_safe
from scmi.typing import Bits, Index, Matrix, Values

__all__ = ["Side", "local_mean", "local_pmi", "neighbourhoods"]

Side = Literal["x", "y"]

# Points of a neighbourhood, itself among them.
N_NEIGHBORS = 30
# Up to so many points all distances are worked out, which takes seconds; of more, neighbours are searched for.
EXACT = 20_000
# Neighbourhoods whose members are compared with each other at once.
BLOCK = 4096


def local_pmi(folds: Sequence[Fold], side: Side, matrix: Matrix, pmi: Bits, groups: Index) -> tuple[Bits, Bits]:
    """The mean pMI of the 30 rows nearest to each, and its standard error over groups, in bits.

    Near in the latent spaces of all folds together: what one training half has not learned, another may have.

    Parameters
    ----------
    folds
        Of a fitted estimator.
    side
        Whether these are rows of x or of y.
    matrix
        All rows of that side.
    pmi
        Of each row, NaN where it was in no estimated pair.
    groups
        A label for each row that has a pMI.

    Returns
    -------
    Mean and standard error of each row, NaN where it has no pMI.
    """
    rows = np.flatnonzero(~np.isnan(pmi))
    points = _in_all_spaces(folds, side, take_rows(matrix, rows))
    mean, error = np.full(len(pmi), np.nan), np.full(len(pmi), np.nan)
    mean[rows], error[rows] = local_mean(pmi[rows], neighbourhoods(points), groups[rows])
    return mean, error


def _in_all_spaces(folds: Sequence[Fold], side: Side, matrix: Matrix) -> Values:
    """Latents of all folds beside each other, so that every fold weighs alike; the rows are read once."""
    prepare_torch()
    import torch

    from scmi.estimators.inputs.rows import Rows
    from scmi.estimators.latent.layers import precise

    encoders = [precise(fold.model.encoder_x if side == "x" else fold.model.encoder_y) for fold in folds]
    rows = Rows(matrix, folds[0].scale_x if side == "x" else folds[0].scale_y, folds[0].model.device)
    with torch.no_grad():
        blocks = [
            np.hstack([encoder(batch).cpu().numpy() for encoder in encoders])
            for batch in rows.batches(np.arange(len(rows)), CHUNK)
        ]
    # All dimensions of a space taken together have unit variance.
    points: Values = np.vstack(blocks) * np.concatenate([np.full(fold.n_latent, fold.n_latent**-0.5) for fold in folds])
    return points


def neighbourhoods(points: Values, n_neighbors: int = N_NEIGHBORS) -> Index:
    """The nearest points to each, itself among them: points x neighbours, or all points where there are fewer.

    Exactly, or by PyNNDescent's search where points are many and its threads are safe.
    """
    n, k = len(points), min(n_neighbors, len(points))
    if n <= EXACT or not threads_are_safe():
        from sklearn.neighbors import NearestNeighbors

        found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors(points)[1]
    else:
        from pynndescent import NNDescent

        found = NNDescent(points, n_neighbors=k, random_state=0).neighbor_graph[0]
    # Points that coincide may crowd one out of its own neighbourhood, and a search may leave a place empty.
    itself = np.arange(n)[:, None]
    found = np.where(found < 0, itself, found)
    missing = ~(found == itself).any(axis=1)
    found[missing, -1] = itself[missing, 0]
    neighbours: Index = found.astype(np.int64)
    return neighbours


def local_mean(values: Values, neighbours: Index, groups: Index) -> tuple[Values, Values]:
    """The mean over each neighbourhood, and its standard error over groups, whose members share their noise.

    Parameters
    ----------
    values
        Of each point.
    neighbours
        Points x neighbours.
    groups
        A label for each point.

    Returns
    -------
    Mean and standard error, in the units of the values; the error is NaN where a neighbourhood is of one group.
    """
    mean, error = np.empty(len(neighbours)), np.empty(len(neighbours))
    for start in range(0, len(neighbours), BLOCK):
        at = slice(start, start + BLOCK)
        near, label = values[neighbours[at]], groups[neighbours[at]]
        mean[at] = near.mean(axis=1)
        apart = near - mean[at, None]
        same = label[:, :, None] == label[:, None, :]
        n_groups = (1 / same.sum(axis=2)).sum(axis=1).round()
        squared = np.einsum("ni,nij,nj->n", apart, same, apart) / near.shape[1] ** 2
        scale = np.divide(n_groups, n_groups - 1, out=np.full(len(near), np.nan), where=n_groups > 1)
        error[at] = np.sqrt(squared.clip(0) * scale)
    return mean, error
