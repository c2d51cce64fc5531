"""The pointwise KSG estimator and its log density ratio at new points."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma

from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._warnings import warn
from scmi.estimators.inputs.checks import TooFew, check_choice, check_counts, check_same_length
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.labels import warn_of_codes
from scmi.estimators.inputs.matrices import as_matrix, as_points
from scmi.typing import Bits, Index, MatrixLike, Values

from .ties import TiesOfSides, find_ties_of_sides, part_new
from .windows import Counts, Metric, marginal_counts

if TYPE_CHECKING:
    import torch

__all__ = [
    "KSG",
    "count_copies_of",
    "ksg",
    "log_density_ratio",
    "of_common_size",
    "parted",
    "ratio_neighbours",
]

# Neighbours of a log density ratio: this share of the rate at which they should grow, but not so many that they cost
# more than they tell.
SHARE = 0.2
MAX_NEIGHBOURS = 50
# Draws of the noise that parts ties over which an estimate is averaged.
N_DRAWS = 4
# The share of samples whose pair of labels, or label beside numbers, has to occur more than k times.
MOST_PAIRS = 0.9
MOST_LABELS = 0.9
# Coordinates beyond this, or below its inverse, are scaled before they are squared.
EXTREME = 1e100


@dataclass(frozen=True)
class KSG:
    """The estimator of Kraskov, Stögbauer and Grassberger: which neighbour sets the distance, and how it is measured.

    Parameters
    ----------
    k
        Which joint neighbour sets the distance.
    metric
        Distance within x and within y; the joint distance is the larger of the two.

    Raises
    ------
    TypeError
        If ``k`` is not an integer.
    ValueError
        If it is below 1, or the metric is unknown.
    """

    k: int = 3
    metric: Metric = "chebyshev"

    def __post_init__(self) -> None:
        check_counts(k=self.k)
        object.__setattr__(self, "k", int(self.k))  # NumPy's small ones overflow
        check_choice("metric", self.metric, Metric)

    def check(self, n_others: int) -> None:
        """Raise unless there are k other samples."""
        if self.k > n_others:
            raise TooFew(
                f"k={self.k} needs at least {self.k} other samples, got {n_others}; use more samples or a smaller k >= "
                "1."
            )

    def pointwise(self, x: Values, y: Values, device: "torch.device | None" = None) -> Bits:
        """Pointwise mutual information of checked points, in bits; the same numbers on every device.

        By brute force on a GPU, by sorted windows elsewhere. Ties are parted by one draw of noise.
        """
        return self.over_noise(x, y, None, 1, device)

    def steady(self, x: Values, y: Values, device: "torch.device | None" = None) -> Bits:
        """The same where points are untied; the mean over several draws of the noise that parts ties elsewhere."""
        return self.over_noise(x, y, None, N_DRAWS, device)

    def over_noise(
        self, x: Values, y: Values, ties: TiesOfSides | None, n_draws: int, device: "torch.device | None" = None
    ) -> Bits:
        """The mean over so many draws of the noise; ``ties``, where they have been found already, are those of both."""
        self.check(len(x) - 1)
        x, y = of_common_size(x, y)
        ties = ties or find_ties_of_sides(x, y, self.metric)
        value = np.zeros(len(x))
        for seed in range(n_draws):
            u, v = ties.part(x, y, np.random.default_rng(seed))
            value += self.of_parted(x, y, u, v, device)
            if u is x and v is y:
                return value
        return value / n_draws

    def of_parted(self, x: Values, y: Values, u: Values, v: Values, device: "torch.device | None" = None) -> Bits:
        """Pointwise mutual information of checked points, u and v being x and y with their ties parted."""
        if device is None or device.type != "cuda":
            counts = marginal_counts(u, v, u, v, self.k, same=True, metric=self.metric)
        else:
            from . import _gpu

            logger.debug("KSG of %d pairs by blocked brute force on %s", len(x), device)
            counts = _gpu.marginal_counts(u, v, self.k, metric=self.metric, device=device)
        return _pointwise(x, y, self.k, counts, untied=u is x and v is y)


def parted(x: Values, y: Values, metric: Metric, seed: int = 0) -> tuple[Values, Values]:
    """Both sides with their ties parted, always by the same noise: each side has its own, blind to the pairing."""
    return find_ties_of_sides(x, y, metric).part(x, y, np.random.default_rng(seed))


def ksg(x: MatrixLike, y: MatrixLike, k: int = 3, *, metric: Metric = "chebyshev") -> Bits:
    r"""Pointwise mutual information between two variables, by nearest neighbours (KSG).

    For each of the N joint samples, finds the distance to its k-th nearest neighbour in the joint space (the larger of
    the distances in x and in y), counts the other points that lie strictly nearer in x alone and in y alone,
    and returns

    .. math:: \left[\psi(k) + \psi(N) - \psi(n_x + 1) - \psi(n_y + 1)\right] / \ln 2 .

    The mean over the samples estimates the mutual information. Scales matter: bring columns to comparable scales
    first.

    Neighbours are defined where distances differ. Counts, labels (one-hot), rounded values and rows that recur have
    many points at one and the same distance; such ties are parted by noise far below what the data resolve, the same at
    each call, and the mean over a few draws of it is returned. A joint sample that occurs more than k times is an atom:
    its copies take the place of its neighbours. A side of labels beside a side of numbers is set further apart than any
    numbers are. Where no distances are equal, nothing is changed. Drop copies that stand for nothing, such as cells
    listed twice. Integer codes of labels are numbers here: pass one-hot columns.

    Parameters
    ----------
    x
        Samples x features, or a vector.
    y
        Samples x features, or a vector; row i of ``x`` and row i of ``y`` are one joint sample.
    {k}
    metric
        Distance within x and within y: ``"chebyshev"`` as in the paper, or ``"euclidean"``, which :func:`scmi.lmi` uses
        in its latent spaces because it falls less short in many dimensions. The joint distance is the larger of the
        two.

    Returns
    -------
    pMI of each sample, in bits.

    Raises
    ------
    ValueError
        If the rows don't match, a value is missing or infinite, or there are fewer than ``k + 1`` samples.

    Warns
    -----
    UserWarning
        If labels are too rare to be counted: many joint samples, or many labels, that occur k times or less. If a side
        is one column of whole numbers that recur, as codes of labels are, or all rows of it are the same.

    References
    ----------
    Kraskov, Stögbauer and Grassberger (2004), estimator 1; as pointwise values: Algorithm 5 of :cite:t:`Gowri2024`. For
    atoms: Gao, Kannan, Oh and Viswanath (2017). For labels beside numbers: Ross (2014).

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
    check_aligned(x=x, y=y)
    points_x, points_y = as_points(x, "x"), as_points(y, "y")
    check_same_length(points_x, points_y)
    estimator = KSG(k, metric)
    estimator.check(len(points_x) - 1)
    for name, given, points in (("x", x, points_x), ("y", y, points_y)):
        warn_of_codes(as_matrix(given, name), name)
        if (points == points[0]).all():
            warn(f"constant {name}", f"All rows of {name} are the same: it can tell nothing, and the estimate is 0.")
    points_x, points_y = of_common_size(points_x, points_y)
    ties = find_ties_of_sides(points_x, points_y, metric)
    _warn_of_rare_labels(points_x, points_y, ties, k)
    return estimator.over_noise(points_x, points_y, ties, N_DRAWS)


def _warn_of_rare_labels(x: Values, y: Values, ties: TiesOfSides, k: int) -> None:
    # Numbers are no labels.
    labels_x, labels_y = (of_side is not None and of_side.spacing is not None for of_side in (ties.x, ties.y))
    if labels_x and labels_y:
        counted, what, least = np.hstack([x, y]), "pairs of labels", MOST_PAIRS
    elif labels_x or labels_y:
        counted, what, least = x if labels_x else y, "labels", MOST_LABELS
    else:
        return
    rare = float((count_copies_of(counted) <= k).mean())
    if rare > 1 - least:
        warn(
            "rare labels",
            f"{rare:.0%} of the samples have {what} that occur {k} times or less, too rarely to tell by; the "
            "estimate may be far off, either way. Use more samples, or join rare labels.",
        )


@with_shared_docs
def log_density_ratio(
    x: MatrixLike,
    y: MatrixLike,
    reference_x: MatrixLike,
    reference_y: MatrixLike,
    *,
    k: int = 3,
    metric: Metric = "chebyshev",
) -> Bits:
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
    {k}
    metric
        As in :func:`scmi.ksg`.

    Returns
    -------
    The log density ratio of each new pair, in bits.

    Raises
    ------
    ValueError
        If rows or features don't match, or there are fewer than ``k`` reference pairs.

    References
    ----------
    Algorithm 2 of :cite:t:`Gowri2024`, with the k-th neighbour and the counts made consistent with Algorithm 5.
    """
    check_aligned(x=x, y=y)
    check_aligned(reference_x=reference_x, reference_y=reference_y)
    queries = as_points(x, "x"), as_points(y, "y")
    reference = as_points(reference_x, "reference_x"), as_points(reference_y, "reference_y")
    check_same_length(*queries)
    n = check_same_length(*reference, "reference_x", "reference_y")
    KSG(k, metric).check(n)
    for name, query, points in zip("xy", queries, reference, strict=True):
        if query.shape[1] != points.shape[1]:
            raise ValueError(
                f"{name} has {query.shape[1]} features, but reference_{name} has {points.shape[1]}; "
                "new pairs must be described by the same features as the reference."
            )
    u, v, near_u, near_v = of_common_size(*queries, *reference)
    u, v, near_u, near_v = part_new(u, v, near_u, near_v, np.random.default_rng(0), metric)
    return _bits(k, n + 1, *marginal_counts(u, v, near_u, near_v, k, same=False, metric=metric))


def of_common_size(*points: Values) -> tuple[Values, ...]:
    """All points divided by one power of two where their squares would overflow or vanish, and as they are elsewhere.

    That changes no digit, and neighbours depend on no common factor.
    """
    largest = max(float(np.abs(some).max()) for some in points)
    if largest == 0 or 1 / EXTREME < largest < EXTREME:
        return points
    unit = 2.0 ** np.floor(np.log2(largest))
    return tuple(some / unit for some in points)


def ratio_neighbours(k: int, n: int, n_dimensions: int) -> int:
    r"""How many neighbours best judge a new pair by n reference pairs in so many joint dimensions; no fewer than k.

    Few neighbours are right for a mean over many pairs, where the noise of each averages out. A single value has the
    variance :math:`\psi'(k)` nats squared however many reference pairs there are (.39 at k = 3, .11 at k = 10). More
    neighbours are farther away, and the more dimensions, the more so. The squared error of both together is least where
    the neighbours grow as :math:`n^{4 / (4 + d)}`; in many dimensions, k stays what it is.
    """
    best = int(SHARE * n ** (4 / (4 + n_dimensions)))
    return max(k, min(best, MAX_NEIGHBOURS))


def _bits(k: int, n: int, count_x: Index, count_y: Index) -> Bits:
    # Counts are small integers: one table of digamma serves every point.
    psi = digamma(np.arange(1, n + 1, dtype=np.float64))
    value: Bits = (psi[k - 1] + psi[n - 1] - (psi[count_x] + psi[count_y])) / np.log(2)
    return value


def _pointwise(x: Values, y: Values, k: int, counts: Counts, *, untied: bool) -> Bits:
    value = _bits(k, len(x), *counts)
    if untied and (counts[0] + counts[1] > 0).all():  # nothing is nearer than distance 0
        return value
    # A joint sample that occurs more than k times is an atom. Noise would order its copies at random; the mean over all
    # such orders is known.
    n_copies = count_copies_of(np.hstack([x, y]))
    atom = n_copies > k
    if atom.any():
        psi = digamma(np.arange(1, len(x) + 1, dtype=np.float64))
        n_x, n_y = count_copies_of(x)[atom], count_copies_of(y)[atom]
        value[atom] = (psi[n_copies[atom] - 1] + psi[-1] - psi[n_x - 1] - psi[n_y - 1]) / np.log(2)
    return value


def count_copies_of(points: Values) -> Index:
    """How many rows equal each row, itself among them."""
    order = np.lexsort(points.T)
    ranked = points[order]
    group = np.cumsum(np.concatenate([[False], (ranked[1:] != ranked[:-1]).any(axis=1)]))
    copies = np.empty(len(points), dtype=np.int64)
    copies[order] = np.bincount(group)[group]
    return copies
