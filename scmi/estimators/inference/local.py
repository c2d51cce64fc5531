"""The pMI of a neighbourhood: what can be said of a single cell, whose own pMI is noisy."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.sparse import coo_array

from scmi.estimators._fold import CHUNK, Fold
from scmi.estimators.inputs.stored import take_rows
from scmi.estimators.neighbours.parallel import prepare_torch, threads_are_safe
from scmi.typing import Bits, Index, Matrix, Values

__all__ = ["FEWEST", "Side", "local_mean", "local_pmi", "neighbourhoods", "size_of_neighbourhood"]

Side = Literal["x", "y"]

# Points of a neighbourhood, itself among them: a twentieth of all. KSG counts the same pairs for a cell and for those
# next to it, so that their errors are alike and few of them average little away.
SHARE = 20
FEWEST, MOST = 30, 200
# Up to so many points all distances are worked out, in half a minute at most; of more, neighbours are searched for.
EXACT = 100_000
# Neighbourhoods that are summed up at once.
BLOCK = 16_384


def local_pmi(folds: Sequence[Fold], side: Side, matrix: Matrix, pmi: Bits, groups: Index) -> tuple[Bits, Bits]:
    """The mean pMI of the rows nearest to each, and its standard error over groups, in bits.

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
    near = neighbourhoods(points, size_of_neighbourhood(len(rows)))
    mean[rows], error[rows] = local_mean(pmi[rows], near, groups[rows])
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


def size_of_neighbourhood(n: int) -> int:
    """Of so many points, how many a neighbourhood holds."""
    return min(max(FEWEST, n // SHARE), MOST)


def neighbourhoods(points: Values, n_neighbors: int) -> Index:
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
    codes = np.unique(groups, return_inverse=True)[1]
    for start in range(0, len(neighbours), BLOCK):
        near = neighbours[start : start + BLOCK]
        n, k = near.shape
        at = slice(start, start + n)
        mean[at] = values[near].mean(axis=1)
        apart = values[near] - mean[at, None]
        # One entry for each group that is in a neighbourhood.
        shape = (n, codes.max() + 1)
        sums = coo_array((apart.ravel(), (np.repeat(np.arange(n), k), codes[near].ravel())), shape).tocsr()
        n_groups = np.diff(sums.indptr)
        squared = sums.power(2).sum(axis=1) / k**2
        scale = np.divide(n_groups, n_groups - 1, out=np.full(n, np.nan), where=n_groups > 1)
        error[at] = np.sqrt(squared * scale)
    return mean, error
