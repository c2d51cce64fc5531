"""Tests of mutual information given a covariate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KDTree

from scmi._docs import with_shared_docs
from scmi.estimators._fold import Fold
from scmi.estimators.inputs.checks import TooFew, as_generator, check_counts, check_same_length
from scmi.estimators.inputs.matrices import as_points
from scmi.estimators.neighbours.conditional import conditional_bits, local_permutation, scaled_points
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.windows import Metric
from scmi.typing import Index, MatrixLike, Rng

from .heldout import HeldOut, some_rows
from .permutation import PermutationTest, check_folds, p_value, permutation_test

__all__ = ["ConditionalInformation", "conditional_test", "local_permutation_test", "within_strata"]

# Each x may go to one of this many nearest in z, itself included (5 to 10 in Runge 2018).
LOCAL = 5
# Random cuts into halves, from which the error is read: its own error is then a tenth.
CUTS = 50


@dataclass(frozen=True, kw_only=True)
class ConditionalInformation:
    """What pairs share beyond a covariate, and beside it what the same pairs share in all.

    Parameters
    ----------
    test
        The information beyond the covariate, and its permutation test.
    se
        Standard error of it in bits; NaN where no part can be halved.
    mi_same_pairs
        Mean KSG of the same pairs, the covariate aside, in bits.
    """

    test: PermutationTest
    se: float
    mi_same_pairs: float


@with_shared_docs
def local_permutation_test(
    folds: Sequence[HeldOut],
    z: Sequence[MatrixLike],
    k: int = 3,
    *,
    metric: Metric = "chebyshev",
    n_permutations: int = 999,
    rng: Rng = None,
) -> PermutationTest:
    """Test whether x and y are independent given a continuous covariate z.

    Under each permutation a pair's x goes to one of the pairs nearest in z (five of them, itself included), if
    possible to one that has got none yet. That keeps how x depends on z, and y with its z, and breaks what else
    links x to y; p = (b + 1) / (m + 1), one-sided. The test is as good as x is alike among the nearest: approximate,
    unlike :func:`~scmi.estimators.permutation_test`, and better with more pairs.

    One random pair of each group is tested, for the reasons given there; strata are ignored.

    Parameters
    ----------
    {folds}
    z
        The covariate of each fold's pairs: pairs x features.
    {k}
    metric
        Distance within each of the three spaces.
    n_permutations
        How many permutations.
    {rng}

    References
    ----------
    Runge (2018), Conditional independence testing based on a nearest-neighbor estimator of conditional mutual
    information, AISTATS.
    """
    check_counts(n_permutations=n_permutations)
    rng = as_generator(rng)
    check_folds(folds)
    if len(z) != len(folds):
        raise ValueError(f"`z` has {len(z)} entries for {len(folds)} folds; pass the covariate of each fold's pairs.")
    total, n_pairs = np.zeros(n_permutations + 1), 0
    ksg = KSG(k, metric)
    for i, fold in enumerate(folds):
        covariate = as_points(z[i], f"z[{i}]")
        check_same_length(fold.x, covariate, f"folds[{i}].x", f"z[{i}]")
        rows = fold.one_per_group(rng)
        u, v, w = scaled_points(fold.x[rows], fold.y[rows], covariate[rows], ksg)
        near = KDTree(w, metric=metric).query(w, k=min(LOCAL, len(w)), return_distance=False)
        permutations = [np.arange(len(w)), *(local_permutation(near, rng) for _ in range(n_permutations))]
        total += conditional_bits(u, v, w, np.array(permutations, dtype=np.int32), ksg).sum(axis=1)
        n_pairs += len(w)
    mi, null = total[0] / n_pairs, total[1:] / n_pairs
    return PermutationTest(mi=float(mi), null=null, p=p_value(mi, null), n_pairs=n_pairs, kept=1 / LOCAL)


def within_strata(folds: Sequence[HeldOut], k: int = 3) -> list[HeldOut]:
    """Cut folds by their strata, for mutual information given a discrete covariate (batch, well, library).

    The mean of :func:`scmi.ksg` within each stratum, weighted by its pairs, estimates I(X; Y | stratum);
    it is the ``mi`` of :func:`~scmi.estimators.permutation_test` on these parts, which permutes
    within each, and their standard error is that of :func:`~scmi.estimators.subsampling_error`.
    (On folds that are not cut, the same permutations test an estimate that includes what the strata themselves tell
    about both sides.)

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
    for fold in folds:
        for stratum in np.unique(fold.strata):
            rows = np.flatnonzero(fold.strata == stratum)
            if len(np.unique(fold.groups[rows])) > k:
                parts.append(HeldOut(fold.x[rows], fold.y[rows], groups=fold.groups[rows]))
    if not parts:
        raise TooFew(f"No stratum of any fold has {k + 1} groups of pairs; pass coarser `strata` or a smaller k.")
    return parts


def conditional_test(
    folds: Sequence[Fold],
    values: Sequence[NDArray[Any]],
    *,
    discrete: bool,
    n_permutations: int,
    rng: np.random.Generator,
) -> ConditionalInformation:
    """Information of the held-out pairs beyond a covariate, in the latent spaces as they are, and its test.

    Parameters
    ----------
    folds
        Those of the estimate; no more than 700 pairs of each are used.
    values
        The covariate of each fold's pairs: codes, or columns of numbers.
    discrete
        Whether these are codes. Partners are then permuted within them, otherwise among those nearest in the numbers.
    n_permutations
        How many permutations.
    rng
        For the test and the error.

    Raises
    ------
    TooFew
        If no stratum, or no fold, has pairs enough.
    """
    ksg, some, covariates = folds[0].ksg, [], []
    for fold, of_fold in zip(folds, values, strict=True):
        kept = some_rows(len(fold.held_out), rng)
        covariate = of_fold[kept]
        pairs = fold.held_out.take(kept)
        some.append(replace(pairs, strata=covariate) if discrete else pairs)
        covariates.append(covariate)
    options: dict[str, Any] = {"metric": ksg.metric, "n_permutations": n_permutations, "rng": rng}
    if discrete:
        parts = within_strata(some, ksg.k)
        test = permutation_test(parts, ksg.k, **options)
    else:
        parts = some
        test = local_permutation_test(some, covariates, ksg.k, **options)

    def bits(i: int, rows: Index) -> float:
        x, y = parts[i].x[rows], parts[i].y[rows]
        if discrete:
            return float(ksg.pointwise(x, y).mean())
        as_they_are = np.arange(len(rows), dtype=np.int32)[None]
        return float(conditional_bits(*scaled_points(x, y, covariates[i][rows], ksg), as_they_are, ksg).mean())

    se = _error_of_halves(parts, bits, fewest=ksg.k + 1, rng=rng)
    at_once = [fold.one_per_group(rng) for fold in some]
    in_all = [ksg.pointwise(fold.x[rows], fold.y[rows]) for fold, rows in zip(some, at_once, strict=True)]
    return ConditionalInformation(test=test, se=se, mi_same_pairs=float(np.concatenate(in_all).mean()))


def _error_of_halves(
    parts: Sequence[HeldOut], bits: Callable[[int, Index], float], *, fewest: int, rng: np.random.Generator
) -> float:
    """Half of how far the estimates of random halves lie apart: each has twice the variance of all, and one bias.

    Parts that can't be halved are taken to vary as the others do.
    """
    differences, n_pairs, n_halved = np.zeros(CUTS), 0, 0
    for i, part in enumerate(parts):
        for cut in range(CUTS):
            rows = rng.permutation(part.one_per_group(rng))
            if len(rows) >= 2 * fewest:
                one, other = np.array_split(rows, 2)
                differences[cut] += len(rows) * (bits(i, one) - bits(i, other))
        n_pairs += len(rows)
        n_halved += len(rows) if len(rows) >= 2 * fewest else 0
    if not n_halved:
        return np.nan
    return float(np.sqrt(np.mean((differences / n_halved) ** 2) * n_halved / n_pairs) / 2)
