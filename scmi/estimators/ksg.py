"""The pointwise KSG estimator and its log density ratio at new points."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from ._neighbours import Metric, marginal_counts
from ._validation import as_points, check_same_length

__all__ = ["check_k", "ksg", "log_density_ratio"]


def ksg(x: ArrayLike, y: ArrayLike, k: int = 3, *, metric: Metric = "chebyshev") -> NDArray[np.float64]:
    r"""Pointwise mutual information between two variables, by nearest neighbours (KSG).

    For each of the N joint samples, finds the distance to its k-th nearest neighbour in the joint space (the larger of
    the Chebyshev distances in x and in y), counts the other points that lie strictly nearer in x alone and in y alone,
    and returns

    .. math:: \left[\psi(k) + \psi(N) - \psi(n_x + 1) - \psi(n_y + 1)\right] / \ln 2 .

    The mean over the samples estimates the mutual information. Scales matter: bring columns to comparable scales
    first. Exact copies of a joint sample are at distance 0 and break the estimator.

    Parameters
    ----------
    x
        Samples x features, or a vector.
    y
        Samples x features, or a vector; row i of ``x`` and row i of ``y`` are one joint sample.
    k
        Which neighbour sets the distance.

    Returns
    -------
    pMI of each sample, in bits.

    Raises
    ------
    ValueError
        If the rows don't match, a value is missing or infinite, or there are fewer than ``k + 1`` samples.

    References
    ----------
    Kraskov, Stögbauer and Grassberger (2004), estimator 1; as pointwise values: Algorithm 5 of :cite:t:`Gowri2024`.

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
    return _bits(k, n, *marginal_counts(x, y, x, y, k, same=True, metric=metric))


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
    reference this equals its :func:`ksg` value.

    Parameters
    ----------
    x, y
        The new pairs: queries x features.
    reference_x, reference_y
        The reference pairs: N x features.
    k
        Which neighbour sets the distance.

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


def _bits(k: int, n: int, count_x: NDArray[np.int64], count_y: NDArray[np.int64]) -> NDArray[np.float64]:
    # Counts are small integers: one table of digamma serves every point.
    psi = digamma(np.arange(1, n + 1, dtype=np.float64))
    value: NDArray[np.float64] = (psi[k - 1] + psi[n - 1] - (psi[count_x] + psi[count_y])) / np.log(2)
    return value


def check_k(k: int, n_others: int) -> None:
    """Raise unless there are k other samples."""
    if not 1 <= k <= n_others:
        raise ValueError(
            f"k={k} needs at least {max(k, 1)} other samples, got {n_others}; use more samples or a smaller k >= 1."
        )
