"""Mutual information given a covariate, and its permutation test."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma
from sklearn.neighbors import KDTree

from ._conditional import count_psi, local_permutation
from ._neighbours import Metric
from ._validation import as_generator, as_points, check_counts, check_same_length
from .heldout import HeldOut, as_folds
from .inference import PermutationTest, p_value

__all__ = ["conditional_ksg", "local_permutation_test", "within_strata"]

# Each x may go to one of this many nearest in z, itself included (5 to 10 in Runge 2018).
LOCAL = 5

Values = NDArray[np.float64]


def conditional_ksg(
    x: ArrayLike, y: ArrayLike, z: ArrayLike, k: int = 3, *, metric: Metric = "chebyshev"
) -> NDArray[np.float64]:
    r"""Pointwise mutual information between x and y given z, by nearest neighbours.

    For each of the N joint samples, finds the distance to its k-th nearest neighbour in all three spaces (the largest
    of the distances in x, y and z), counts the other points that lie strictly nearer in (x, z), in (y, z) and
    in z, and returns

    .. math:: \left[\psi(k) - \psi(n_{xz} + 1) - \psi(n_{yz} + 1) + \psi(n_z + 1)\right] / \ln 2 .

    The mean estimates I(X; Y | Z). Each column of z is standardised; x and y are divided by one number each, the root
    mean square of their columns' standard deviations, so that the three spaces are of comparable size and the geometry
    of the latent spaces stays. For a discrete z see :func:`within_strata`.

    Parameters
    ----------
    x, y, z
        Samples x features, or vectors; row i of all is one joint sample.
    k
        Which neighbour sets the distance.
    metric
        Distance within each of the three spaces.

    Returns
    -------
    Conditional pMI of each sample, in bits.

    Raises
    ------
    ValueError
        If the rows don't match, a value is missing or infinite, or there are fewer than ``k + 1`` samples.

    References
    ----------
    Frenzel and Pompe (2007), Phys. Rev. Lett. 99, 204101.
    """
    x, y, z = _scaled(x, y, z, k)
    bits: Values = _bits(x, y, z, np.arange(len(x), dtype=np.int32)[None], k, metric)[0]
    return bits


def local_permutation_test(
    folds: Sequence[HeldOut],
    z: Sequence[ArrayLike],
    k: int = 3,
    *,
    metric: Metric = "chebyshev",
    n_permutations: int = 999,
    rng: int | np.random.Generator | None = None,
) -> PermutationTest:
    """Test whether x and y are independent given a continuous covariate z.

    Under each permutation a pair's x goes to one of the pairs nearest in z (five of them, itself included), if
    possible to one that has got none yet. That keeps how x depends on z, and y with its z, and breaks what else
    links x to y; p = (b + 1) / (m + 1), one-sided. The test is as good as x is alike among the nearest: approximate,
    unlike :func:`~scmi.estimators.inference.permutation_test`, and better with more pairs.

    One random pair of each group is tested, for the reasons given there; strata are ignored.

    Parameters
    ----------
    folds
        The held-out pairs of each fold.
    z
        The covariate of each fold's pairs: pairs x features.
    k
        Which neighbour sets the distance.
    metric
        Distance within each of the three spaces.
    n_permutations
        How many permutations.
    rng
        Seed or generator.

    References
    ----------
    Runge (2018), Conditional independence testing based on a nearest-neighbor estimator of conditional mutual
    information, AISTATS.
    """
    check_counts(n_permutations=n_permutations)
    rng = as_generator(rng)
    if len(z) != len(folds):
        raise ValueError(f"`z` has {len(z)} entries for {len(folds)} folds; pass the covariate of each fold's pairs.")
    total, n_pairs = np.zeros(n_permutations + 1), 0
    for i, fold in enumerate(as_folds(folds)):
        covariate = as_points(z[i], f"z[{i}]")
        check_same_length(fold.x, covariate, f"folds[{i}].x", f"z[{i}]")
        rows = fold.one_per_group(rng)
        u, v, w = _scaled(fold.x[rows], fold.y[rows], covariate[rows], k)
        near = KDTree(w, metric=metric).query(w, k=min(LOCAL, len(w)), return_distance=False)
        permutations = [np.arange(len(w)), *(local_permutation(near, rng) for _ in range(n_permutations))]
        total += _bits(u, v, w, np.array(permutations, dtype=np.int32), k, metric).sum(axis=1)
        n_pairs += len(w)
    mi, null = total[0] / n_pairs, total[1:] / n_pairs
    return PermutationTest(mi=float(mi), null=null, p=p_value(mi, null), n_pairs=n_pairs)


def within_strata(folds: Sequence[HeldOut], k: int = 3) -> list[HeldOut]:
    """Cut folds by their strata, for mutual information given a discrete covariate (batch, well, library).

    The mean of :func:`scmi.ksg` within each stratum, weighted by its pairs, estimates I(X; Y | stratum);
    it is the ``mi`` of :func:`~scmi.estimators.inference.permutation_test` on these parts, which permutes within each,
    and their standard error is that of :func:`~scmi.estimators.subsampling.subsampling_error`. (On folds that are not
    cut, the same permutations test an estimate that includes what the strata themselves tell about both sides.)

    Strata with fewer than ``k + 1`` groups of pairs can't be estimated and are left out.

    Parameters
    ----------
    folds
        The held-out pairs of each fold, with ``strata``.
    k
        Which neighbour will set the distance.

    Raises
    ------
    ValueError
        If no stratum is left.
    """
    parts = []
    for fold in as_folds(folds):
        for stratum in np.unique(fold.strata):
            rows = np.flatnonzero(fold.strata == stratum)
            if len(np.unique(fold.groups[rows])) > k:
                parts.append(HeldOut(fold.x[rows], fold.y[rows], groups=fold.groups[rows]))
    if not parts:
        raise ValueError(f"No stratum of any fold has {k + 1} groups of pairs; pass coarser `strata` or a smaller k.")
    return parts


def _scaled(x: ArrayLike, y: ArrayLike, z: ArrayLike, k: int) -> tuple[Values, Values, Values]:
    x, y, z = as_points(x, "x"), as_points(y, "y"), as_points(z, "z")
    n = check_same_length(x, y)
    check_same_length(x, z, "x", "z")
    if not 1 <= k < n:
        raise ValueError(f"k={k} needs k >= 1 and at least {max(k, 1) + 1} samples, got {n}.")
    spread = z.std(axis=0)
    return _unit(x), _unit(y), (z - z.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _unit(points: Values) -> Values:
    spread = np.sqrt(points.var(axis=0).mean())
    return points / spread if spread > 0 else points


def _bits(x: Values, y: Values, z: Values, permutations: NDArray[np.int32], k: int, metric: Metric) -> Values:
    bits: Values = (digamma(k) - count_psi(x, y, z, permutations, k, metric)) / np.log(2)
    return bits
