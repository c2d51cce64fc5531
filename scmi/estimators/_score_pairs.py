"""The log density ratio of new pairs, by the held-out pairs of every fold."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi.estimators.inputs.checks import check_counts
from scmi.estimators.inputs.matrices import as_points
from scmi.estimators.neighbours.all_pairs import all_pairs, rows_at_once
from scmi.estimators.neighbours.ksg import KSG, log_density_ratio, ratio_neighbours
from scmi.estimators.neighbours.ties import part_new
from scmi.typing import Bits, Matrix

from ._fold import Fold

__all__ = ["best_partners", "mean_ratio", "mean_scores"]


def mean_ratio(folds: Sequence[Fold], x: Matrix, y: Matrix, k: int | None) -> Bits:
    """Row i of x with row i of y, the mean over the folds."""
    ratios = [
        log_density_ratio(
            fold.encode_x(x), fold.encode_y(y), fold.held_out.x, fold.held_out.y, k=ksg.k, metric=ksg.metric
        )
        for fold, ksg in zip(folds, _judges(folds, k), strict=True)
    ]
    return np.asarray(np.mean(ratios, axis=0))


def mean_scores(folds: Sequence[Fold], x: Matrix, y: Matrix, k: int | None) -> Iterator[tuple[slice, Bits]]:
    """Some rows of x with all rows of y, the mean over the folds, block by block."""
    latents = [(as_points(fold.encode_x(x), "x"), as_points(fold.encode_y(y), "y")) for fold in folds]
    judges = _judges(folds, k)
    sides = [
        part_new(z_x, z_y, fold.held_out.x, fold.held_out.y, np.random.default_rng(0), ksg.metric)
        for (z_x, z_y), fold, ksg in zip(latents, folds, judges, strict=True)
    ]
    size = rows_at_once(max(y.shape[0], *(len(fold.held_out) for fold in folds)))
    for start in range(0, x.shape[0], size):
        rows = slice(start, start + size)
        scores = [
            all_pairs(z_x[rows], z_y, near_x, near_y, ksg)
            for (z_x, z_y, near_x, near_y), ksg in zip(sides, judges, strict=True)
        ]
        yield rows, np.asarray(np.mean(scores, axis=0))


def best_partners(scores: NDArray[np.float64], first_row: int, top_k: int) -> pd.DataFrame:
    """The best columns of each row, best first."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return pd.DataFrame(
        {
            "x": np.repeat(np.arange(first_row, first_row + len(scores)), best.shape[1]),
            "y": best.ravel(),
            "pmi": np.take_along_axis(scores, best, axis=1).ravel(),
        }
    )


def _judges(folds: Sequence[Fold], k: int | None) -> list[KSG]:
    """Which neighbour among each fold's held-out pairs judges new ones."""
    if k is not None:
        check_counts(k=k)
    found = []
    for fold in folds:
        n = len(fold.held_out)
        chosen = ratio_neighbours(fold.ksg.k, n, 2 * fold.n_latent) if k is None else k
        ksg = KSG(chosen, fold.ksg.metric)
        ksg.check(n)
        found.append(ksg)
    return found
