"""Neighbour counts behind conditional mutual information, for many arrangements of x, exact."""

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from scmi.typing import Index, Values

from ._nearest import insert
from .ksg import KSG
from .parallel import Kernel, compiled
from .permuted import sorted_blocks

__all__ = ["count_psi", "local_permutation"]


def count_psi(x: Values, y: Values, z: Values, permutations: NDArray[np.int32], ksg: KSG) -> Values:
    """``psi(n_xz + 1) + psi(n_yz + 1) - psi(n_z + 1)`` of each point, with ``x[permutation]`` for x.

    As in ``permuted``: what no permutation of x changes, the order of the others in (y, z) and in z, is found once.

    Parameters
    ----------
    x, y, z
        N x features.
    permutations
        Permutations x N.
    ksg
        Which joint neighbour sets the distance, and the metric within each of x, y and z.

    Returns
    -------
    Permutations x N.
    """
    psi = digamma(np.arange(1, len(x) + 1, dtype=np.float64))
    value = np.empty(permutations.shape)
    for in_yz, in_z in zip(sorted_blocks(y, z, metric=ksg.metric), sorted_blocks(z, metric=ksg.metric), strict=True):
        _count(*in_yz, *in_z[1:], x, permutations, ksg.k, ksg.metric == "euclidean", psi, value)
    return value


@Kernel
def _count(
    start: int,
    order_yz: Index,
    distance_yz: Values,
    order_z: Index,
    distance_z: Values,
    x: Values,
    permutations: NDArray[np.int32],
    k: int,
    euclidean: bool,
    psi: Values,
    value: Values,
) -> None:
    n_others = order_z.shape[1]
    for p in numba.prange(len(permutations)):
        owner = permutations[p]
        nearest = np.empty(k)
        for b in range(order_z.shape[0]):
            i = owner[start + b]
            nearest[:] = np.inf
            kth = np.inf
            n_yz = 0
            while n_yz < n_others and distance_yz[b, n_yz] < kth:
                d = _distance(x, i, owner[order_yz[b, n_yz]], euclidean)
                d = max(d, distance_yz[b, n_yz])
                if d < kth:
                    kth = insert(nearest, d)
                n_yz += 1
            while n_yz > 0 and distance_yz[b, n_yz - 1] >= kth:
                n_yz -= 1
            n_z = np.searchsorted(distance_z[b], kth)
            n_xz = 0
            for t in range(n_z):
                n_xz += _distance(x, i, owner[order_z[b, t]], euclidean) < kth
            value[p, start + b] = psi[n_xz] + psi[n_yz] - psi[n_z]


@compiled
def _distance(x: Values, i: int, j: int, euclidean: bool) -> float:
    """Between two points; squared, if Euclidean."""
    d = 0.0
    for f in range(x.shape[1]):
        u = x[i, f] - x[j, f]
        d = d + u * u if euclidean else max(d, abs(u))
    return d


def local_permutation(near: Index, rng: np.random.Generator) -> NDArray[np.int32]:
    """One of its neighbours for each point, none twice where that can be avoided (Algorithm 1 of Runge 2018)."""
    return _assign(rng.permuted(near, axis=1), rng.permutation(len(near)))


@compiled
def _assign(candidates: Index, turns: Index) -> NDArray[np.int32]:
    used = np.zeros(len(candidates), np.bool_)
    chosen = np.empty(len(candidates), np.int32)
    for i in turns:
        pick = candidates[i, -1]
        for candidate in candidates[i]:
            if not used[candidate]:
                pick = candidate
                break
        used[pick] = True
        chosen[i] = pick
    return chosen
