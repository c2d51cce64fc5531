"""Which columns a label tells of: how well its mean, learned from other groups, predicts each."""

import numpy as np
import torch

from scmi.estimators.inference.attribution import FeatureInformation, feature_moments, summarise
from scmi.estimators.inference.heldout import one_of_each
from scmi.estimators.inputs.rows import Rows, Scale
from scmi.estimators.latent.layers import linear_layer
from scmi.typing import Index, Matrix, Values

__all__ = ["column_information"]

CHUNK = 4096


def column_information(
    matrix: Matrix, scale: Scale, known: Index, shares: Values, group: Index, fold: Index, rng: np.random.Generator
) -> FeatureInformation:
    """The share of each column's variance that the labels' means explain, in parts that these were not learned from.

    Parameters
    ----------
    matrix, scale
        All cells x columns, and how they are standardised.
    known
        The labelled rows.
    shares, group, fold
        Of each of them: cells x labels, and the part that it is left out in.
    rng
        Chooses one cell of each group, which permutations exchange.
    """
    rows = Rows(matrix, scale, torch.device("cpu"))
    n_folds, n_labels = int(fold.max()) + 1, shares.shape[1]
    total = np.zeros((n_folds, n_labels, rows.n_features))
    for start, batch in zip(range(0, len(known), CHUNK), rows.batches(known, CHUNK), strict=True):
        values, at = batch.numpy().astype(np.float64), slice(start, start + CHUNK)
        for i in np.unique(fold[at]):
            of_fold = fold[at] == i
            total[i] += shares[at][of_fold].T @ values[of_fold]
    count = np.stack([shares[fold == i].sum(axis=0) for i in range(n_folds)])
    moments = []
    for i in np.unique(fold):
        learned, n = total.sum(axis=0) - total[i], count.sum(axis=0) - count[i]
        # Of a label that the others lack nothing is known: its cells get the mean of all.
        mean = np.divide(
            learned, n[:, None], out=np.tile(learned.sum(axis=0) / n.sum(), (n_labels, 1)), where=n[:, None] > 0
        )
        decoder = linear_layer(torch.from_numpy(mean.T.astype(np.float32)), torch.zeros(rows.n_features))
        own = np.flatnonzero(fold == i)
        tested = own[one_of_each(group[own], rng)]
        moments.append(feature_moments(matrix, known[tested], scale, decoder, shares[tested]))
    return summarise(moments)
