"""Tests of mutual information given a covariate."""

from collections.abc import Sequence
from dataclasses import replace
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
from scmi.typing import MatrixLike, Rng

from .heldout import HeldOut, some_rows
from .permutation import PermutationTest, check_folds, p_value, permutation_test

__all__ = ["conditional_test", "local_permutation_test", "within_strata"]

# Each x may go to one of this many nearest in z, itself included (5 to 10 in Runge 2018).
LOCAL = 5


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
) -> PermutationTest:
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
        For the test.

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
        return permutation_test(within_strata(some, ksg.k), ksg.k, **options)
    return local_permutation_test(some, covariates, ksg.k, **options)
