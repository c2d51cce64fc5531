"""The pointwise KSG estimator and its log density ratio at new points."""

import operator
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from scmi._logging import logger

from ._neighbours import Counts, Metric, marginal_counts
from ._validation import as_points, check_same_length

if TYPE_CHECKING:
    import torch

__all__ = ["check_k", "count_copies_of", "ksg", "ksg_on", "log_density_ratio", "ratio_neighbours"]

# Neighbours of a log density ratio: this share of the rate at which they should grow, but not so many that they cost more
# than they tell.
SHARE = 0.2
MAX_NEIGHBOURS = 50

Points = NDArray[np.floating]


def ksg(x: ArrayLike, y: ArrayLike, k: int = 3, *, metric: Metric = "chebyshev") -> NDArray[np.float64]:
    r"""Pointwise mutual information between two variables, by nearest neighbours (KSG).

    For each of the N joint samples, finds the distance to its k-th nearest neighbour in the joint space (the larger of
    the distances in x and in y), counts the other points that lie strictly nearer in x alone and in y alone,
    and returns

    .. math:: \left[\psi(k) + \psi(N) - \psi(n_x + 1) - \psi(n_y + 1)\right] / \ln 2 .

    The mean over the samples estimates the mutual information. Scales matter: bring columns to comparable scales
    first. Discrete values are fine on one side or both: a joint sample that occurs more than k times is an atom, whose
    other copies take the place of its k neighbours, and points with the same x (or y) that of those strictly nearer. So
    drop copies that stand for nothing, such as cells listed twice.

    Parameters
    ----------
    x
        Samples x features, or a vector.
    y
        Samples x features, or a vector; row i of ``x`` and row i of ``y`` are one joint sample.
    k
        Which neighbour sets the distance.
    metric
        Distance within x and within y: ``"chebyshev"`` as in the paper, or ``"euclidean"``, which :func:`scmi.lmi` uses in
        its latent spaces because it falls less short in many dimensions. The joint distance is the larger of the two.

    Returns
    -------
    pMI of each sample, in bits.

    Raises
    ------
    ValueError
        If the rows don't match, a value is missing or infinite, or there are fewer than ``k + 1`` samples.

    References
    ----------
    Kraskov, Stögbauer and Grassberger (2004), estimator 1; as pointwise values: Algorithm 5 of :cite:t:`Gowri2024`. For
    atoms: Gao, Kannan, Oh and Viswanath (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=1000)
    >>> y = x + rng.normal(size=1000)  # 0.5 bit
    >>> pmi = sm.ksg(x, y)
    >>> pmi.shape, round(float(pmi.mean()), 1)
    ((1000,), 0.5)
    """
    x, y = as_points(x, "x"), as_points(y, "y")
    n = check_same_length(x, y)
    check_k(k, n - 1)
    if metric not in get_args(Metric):
        raise ValueError(f"metric={metric!r} is not known; choose one of {list(get_args(Metric))}.")
    return _pointwise(x, y, k, marginal_counts(x, y, x, y, k, same=True, metric=metric))


def ksg_on(device: "torch.device", x: Points, y: Points, k: int, *, metric: Metric) -> NDArray[np.float64]:
    """:func:`scmi.ksg` where the networks are: brute force on a GPU, sorted windows on the CPU; the same numbers."""
    if device.type != "cuda":
        return ksg(x, y, k, metric=metric)
    from . import _neighbours_torch

    logger.debug("KSG of %d pairs by blocked brute force on %s", len(x), device)
    x, y = as_points(x, "x"), as_points(y, "y")
    return _pointwise(x, y, k, _neighbours_torch.marginal_counts(x, y, k, metric=metric, device=device))


def log_density_ratio(
    x: ArrayLike,
    y: ArrayLike,
    reference_x: ArrayLike,
    reference_y: ArrayLike,
    *,
    k: int = 3,
    metric: Metric = "chebyshev",
) -> NDArray[np.float64]:
    r"""log2 of p(x, y) / (p(x) p(y)) at new pairs, from reference pairs.

    The pointwise KSG value that a new pair would get if it were added to the N reference pairs:
    :math:`\psi(k) + \psi(N + 1) - \psi(n_x + 1) - \psi(n_y + 1)`, in bits. For a reference pair left out of the
    reference this equals its :func:`scmi.ksg` value.

    Parameters
    ----------
    x, y
        The new pairs: queries x features.
    reference_x, reference_y
        The reference pairs: N x features.
    k
        Which neighbour sets the distance.
    metric
        As in :func:`scmi.ksg`.

    Returns
    -------
    The log density ratio of each new pair, in bits.

    References
    ----------
    Algorithm 2 of :cite:t:`Gowri2024`, with the k-th neighbour and the counts made consistent with Algorithm 5.
    """
    x, y = as_points(x, "x"), as_points(y, "y")
    reference_x, reference_y = as_points(reference_x, "reference_x"), as_points(reference_y, "reference_y")
    check_same_length(x, y)
    n = check_same_length(reference_x, reference_y, "reference_x", "reference_y")
    check_k(k, n)
    for name, query, reference in (("x", x, reference_x), ("y", y, reference_y)):
        if query.shape[1] != reference.shape[1]:
            raise ValueError(
                f"{name} has {query.shape[1]} features, but reference_{name} has {reference.shape[1]}; "
                "new pairs must be described by the same features as the reference."
            )
    counts = marginal_counts(x, y, reference_x, reference_y, k, same=False, metric=metric)
    return _bits(k, n + 1, *counts)


def ratio_neighbours(k: int, n: int, n_dimensions: int) -> int:
    r"""How many neighbours best judge a new pair by n reference pairs in so many joint dimensions; no fewer than k.

    Few neighbours are right for a mean over many pairs, where the noise of each averages out. A single value has the
    variance :math:`\psi'(k)` nats squared however many reference pairs there are (.39 at k = 3, .11 at k = 10). More
    neighbours are farther away, and the more dimensions, the more so. The squared error of both together is least where
    the neighbours grow as :math:`n^{4 / (4 + d)}`; in many dimensions, k stays what it is.
    """
    best = int(SHARE * n ** (4 / (4 + n_dimensions)))
    return max(k, min(best, MAX_NEIGHBOURS))


def _bits(k: int, n: int, count_x: NDArray[np.int64], count_y: NDArray[np.int64]) -> NDArray[np.float64]:
    # Counts are small integers: one table of digamma serves every point.
    psi = digamma(np.arange(1, n + 1, dtype=np.float64))
    value: NDArray[np.float64] = (psi[k - 1] + psi[n - 1] - (psi[count_x] + psi[count_y])) / np.log(2)
    return value


def _pointwise(x: Points, y: Points, k: int, counts: Counts) -> NDArray[np.float64]:
    value = _bits(k, len(x), *counts)
    if (counts[0] + counts[1] > 0).all():
        return value
    # Nothing is nearer than distance 0: some joint samples may occur more than k times. How often they, their x and their
    # y occur is then what counts.
    n_copies = count_copies_of(np.hstack([x, y]))
    atom = n_copies > k
    psi = digamma(np.arange(1, len(x) + 1, dtype=np.float64))
    n_x, n_y = count_copies_of(x)[atom], count_copies_of(y)[atom]
    value[atom] = (psi[n_copies[atom] - 2] + psi[-1] - psi[n_x - 1] - psi[n_y - 1]) / np.log(2)
    return value


def count_copies_of(points: Points) -> NDArray[np.int64]:
    """How many rows equal each row, itself among them."""
    order = np.lexsort(points.T)
    ranked = points[order]
    group = np.cumsum(np.concatenate([[False], (ranked[1:] != ranked[:-1]).any(axis=1)]))
    copies = np.empty(len(points), dtype=np.int64)
    copies[order] = np.bincount(group)[group]
    return copies


def check_k(k: int, n_others: int) -> None:
    """Raise unless there are k other samples."""
    try:
        operator.index(k)
    except TypeError as error:
        raise TypeError(f"`k` must be an integer, got {k!r}.") from error
    if not 1 <= k <= n_others:
        raise ValueError(
            f"k={k} needs at least {max(k, 1)} other samples, got {n_others}; use more samples or a smaller k >= 1."
        )
