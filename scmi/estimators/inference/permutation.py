"""Is an estimate more than chance? Permutation tests on held-out pairs, and many p-values at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from scmi._docs import with_shared_docs
from scmi.estimators.inputs.checks import TooFew, as_generator, check_counts
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.permuted import permuted_sums
from scmi.estimators.neighbours.windows import Metric
from scmi.typing import Bits, Index, Rng, Values

from .heldout import HeldOut
from .shared import Shared, shared_folds

__all__ = [
    "PermutationTest",
    "benjamini_hochberg",
    "check_exchangeable",
    "check_folds",
    "p_value",
    "permutation_test",
    "permutations_within",
]

# Two orders of summation differ by less, two values of the statistic by more: its terms are digammas of whole numbers.
TIE = 1e-9


@dataclass(frozen=True, kw_only=True)
class PermutationTest:
    """A statistic, its values under the null hypothesis, and how often these reach it.

    Parameters
    ----------
    mi
        Mean KSG in bits of the pairs that were tested.
    null
        The same under each permutation of the partners, in bits.
    p
        (b + 1) / (m + 1), b of the m permutations reaching ``mi``.
    n_pairs
        How many pairs were tested: one of each group.
    kept
        The share of pairs that a permutation leaves together, on average. They lift the null by at most as large a
        share of ``mi``.
    """

    mi: float
    null: Bits = field(repr=False)
    p: float
    n_pairs: int
    kept: float


@with_shared_docs
def permutation_test(
    folds: Sequence[HeldOut],
    k: int = 3,
    *,
    metric: Metric = "chebyshev",
    n_permutations: int = 999,
    rng: Rng = None,
) -> PermutationTest:
    """Test whether x and y are independent, by permuting the partners of pairs that the networks never saw.

    Within each fold every x keeps its row and gets the y of another pair (of its stratum), the encoders stay as they
    are, and mean KSG over all pairs is computed anew. Under independence all these arrangements of a fold are equally
    probable, whatever its encoders, so its one-sided p = (b + 1) / (m + 1) is exact.

    Pairs of a group are not exchangeable with those of others one by one: a y that all pairs of a large clone share
    would be torn apart by every permutation, and the estimate would exceed its null for that alone. Nor can whole
    groups be exchanged unless they are of equal size, and in uneven clones the large ones, which are unlike the
    others, would stay where they are. Hence **one pair of each group**, drawn at random, is tested: these are
    independent of each other whatever the sizes and whatever a group's pairs share, and with groups of one pair
    nothing is lost. With larger groups the tested statistic is that of fewer pairs than the estimate.

    A stratum with a single tested pair keeps its partner.

    Where folds share barcodes, as several splits make them, a barcode gets one and the same partner in all of them, and
    that from among the barcodes that are in the same folds: the test is one of the mean over the splits.

    Parameters
    ----------
    folds
        The held-out pairs of each fold; more than 50,000 in batches, as they are estimated.
    {k}
    {metric}
    n_permutations
        How many permutations; the smallest possible p is 1 / (n_permutations + 1).
    {rng}

    Raises
    ------
    ValueError
        If no stratum of any fold has two pairs to exchange, or a fold has fewer than ``k + 1`` groups.
    """
    check_counts(n_permutations=n_permutations)
    ksg, rng = KSG(k, metric), as_generator(rng)
    check_folds(folds)
    tested = [shared.one_per_group(rng) for shared in shared_folds(folds)]
    _check_testable(tested, ksg)
    total = np.zeros(n_permutations + 1)
    n_tested = 0
    for shared in tested:
        permutations = permutations_within(shared.exchangeable, n_permutations, rng)
        row = np.empty(len(shared), dtype=np.int32)
        for fold, place in zip(shared.folds, shared.places, strict=True):
            identity = np.arange(len(fold), dtype=np.int32)
            row[place] = identity
            # Those of a fold stay in it.
            total += permuted_sums(fold.x, fold.y, np.vstack([identity, row[permutations[:, place]]]), ksg)
            n_tested += len(fold)
    n_pairs = sum(map(len, tested))
    # A random permutation of some things leaves one of them where it was, on average.
    kept = sum(len(np.unique(shared.exchangeable)) for shared in tested) / n_pairs
    mi, null = total[0] / n_tested, total[1:] / n_tested
    return PermutationTest(mi=float(mi), null=null, p=p_value(mi, null), n_pairs=n_pairs, kept=kept)


def p_value(value: float, null: Bits) -> float:
    """One-sided (b + 1) / (m + 1), equal values counted as reached."""
    return float((np.sum(null >= value - TIE) + 1) / (len(null) + 1))


def benjamini_hochberg(p: ArrayLike) -> Values:
    """Adjusted p-values of a set of estimates: those below q have a false discovery rate of at most q.

    A missing p (an estimate that could not be made) stays missing and does not count.
    """
    p = np.asarray(p, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    q[known] = false_discovery_control(p[known])
    return q


def _check_testable(tested: Sequence[Shared], ksg: KSG) -> None:
    fewest = min(len(fold) for shared in tested for fold in shared.folds)
    if fewest <= ksg.k:
        raise TooFew(
            f"A fold has {fewest} groups of pairs, but k={ksg.k} needs at least {ksg.k + 1}; use finer groups, more "
            "pairs or a smaller k."
        )
    check_exchangeable([shared.exchangeable for shared in tested])


def check_folds(folds: Sequence[HeldOut]) -> None:
    """Raise where there is no fold."""
    if not folds:
        raise ValueError("`folds` is empty; pass the held-out pairs of at least one fold.")


def check_exchangeable(strata: Sequence[Index]) -> None:
    """Raise if no stratum of any fold has two pairs."""
    if all(len(np.unique(labels)) == len(labels) for labels in strata):
        raise TooFew(
            "Every stratum has a single independent pair, so no partners can be exchanged. Pass coarser `strata` or "
            "none."
        )


def permutations_within(strata: Index, n_permutations: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Random permutations of the pairs, each within its stratum."""
    # Sorted by stratum and then at random: the strata keep their places, their members don't.
    key = strata + 0.5 * rng.random((n_permutations, len(strata)))
    shuffled = np.empty(key.shape, np.int32)
    shuffled[:, np.argsort(strata, kind="stable")] = np.argsort(key, axis=1)
    return shuffled
