"""How far an estimate would vary over samples of barcodes, and whether it still drifts with their number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from scmi._docs import with_shared_docs
from scmi.estimators.inputs.checks import TooFew, as_generator
from scmi.estimators.inputs.pairing import partition
from scmi.estimators.neighbours.ksg import KSG, of_common_size, parted
from scmi.estimators.neighbours.windows import Metric
from scmi.typing import Bits, Index, Rng, Values

from .heldout import HeldOut
from .permutation import check_folds
from .shared import Shared, shared_folds

__all__ = ["DRIFT", "DriftCheck", "SubsamplingError", "drift_check", "subsampling_error"]

PARTS = range(2, 11)
# Those of the drift table: halves of halves.
DRIFT_PARTS = (1, 2, 4, 8)
# Random partitions over which the variances are averaged: they cost less than twice as many estimates of all pairs.
# Folds of several splits average the noise of a partition, so that fewer do, but not where pairs are so few that there
# are hardly any numbers of subsets: the error is then read from the difference of halves alone.
PARTITIONS = 20
FEWEST_PARTITIONS = 4
FEW_PAIRS = 400
# Fewest pairs of a subset, in multiples of k + 1: in smaller ones KSG and its variance collapse. Halves may be smaller,
# since there is nothing else to go by.
ENOUGH, FEWEST = 5, 2
# Fewer numbers of subsets don't show how the variance falls.
TO_FIT = 4
NEIGHBOURS = (1, 2, 3, 5, 7, 10)
# Standard errors by which half the pairs, or twice the neighbours, may move a settled estimate. Of 375 Gaussian samples
# (75 settings: 1 to 9 dimensions, 0 to 3 bits, 200 to 1,400 pairs) one without bias exceeded them; in every setting
# where half the samples did, KSG was too low, by .09 to 2 bits. The reverse does not hold: in 6 dimensions 1 bit came
# out as .6, settled.
TOLERANCE = 2.0
DRIFT = ("n_subsets", "n_pairs", "k", "mean", "sd")


@dataclass(frozen=True, kw_only=True)
class SubsamplingError:
    """Standard error of an estimate by subsampling.

    Parameters
    ----------
    se
        Standard error in bits from the sampling of the pairs: the square root of ``constant / n_pairs``.
    constant
        Variance times number of pairs at the full number of pairs, in bits squared.
    excess
        How variance times number of pairs grows with the number of pairs n, as n to this power; 0 is the law of large
        samples.
    n_pairs
        Number of pairs.
    table
        For each number of disjoint subsets ``n_subsets``: pairs in a subset (over all folds) ``n_pairs``, neighbours
        ``k``, ``mean`` and ``sd`` of the subsets' estimates in bits.
    """

    se: float
    constant: float
    excess: float
    n_pairs: int
    table: pd.DataFrame = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DriftCheck:
    """Whether an estimate still moves with the number of pairs and of neighbours.

    Parameters
    ----------
    settled
        Both shifts are at most ``threshold``.
    shift_n
        The estimate of all pairs minus that of half of them, in bits.
    shift_k
        The estimate with k neighbours minus that with 2k, in bits.
    threshold
        Two standard errors, in bits.
    table
        ``n_subsets``, ``n_pairs``, ``k``, and the ``mean`` and ``sd`` of the subsets' estimates in bits; sd is NaN for
        all pairs, which are one subset.
    """

    settled: bool
    shift_n: float
    shift_k: float
    threshold: float
    table: pd.DataFrame = field(repr=False)


@with_shared_docs
def subsampling_error(
    folds: Sequence[HeldOut],
    k: int = 3,
    *,
    against: Sequence[HeldOut] | None = None,
    metric: Metric = "chebyshev",
    rng: Rng = None,
) -> SubsamplingError:
    r"""Standard error of mean KSG from the sampling of the pairs, the encoders being fixed.

    Each fold is cut at random into n = 2, ..., 10 disjoint subsets. These are independent samples of N/n pairs, so the
    variance of their estimates is that of an estimate of N/n pairs. In large samples it falls as B/N. In samples of
    hundreds, as far as the mean still drifts, so does B: small subsets lose information and with it variance, and B
    fitted to them gives errors too small by up to a quarter. So B is extrapolated to all pairs as a power of the
    subsets' size, fitted to all n with their degrees of freedom n - 1 for weights; on Gaussians the error is then 8 to
    14 % too large with folds of 150 to 500 pairs. Folds of less than ``25 * (k + 1)`` pairs give too few n for that and
    get the mean B.

    The folds' errors are added as independent. No pair is drawn twice, unlike in a bootstrap: copies break KSG. Pairs
    of a group stay together, so what they share counts as the single observation that it is; subsets are then of about
    equal size.

    Parameters
    ----------
    folds
        The held-out pairs of each fold; strata are ignored.
    {k}
    against
        Other folds of the same barcodes: row i of both belongs to barcode i. The error is then that of the difference
        of the two estimates, both being made from the same subsets, so that what they share cancels.
    {metric}
    {rng}

    Returns
    -------
    The error, and what it comes from.

    Raises
    ------
    ValueError
        If a fold can't be cut into two subsets of ``2 * (k + 1)`` pairs or more, or those of ``against`` differ in
        length.

    References
    ----------
    Holmes and Nemenman (2019), Phys. Rev. E 100, 022404.
    """
    KSG(k, metric)  # checks them
    if against is not None and list(map(len, against)) != list(map(len, folds)):
        raise ValueError(
            f"`against` has folds of {list(map(len, against))} pairs, `folds` of {list(map(len, folds))}; row i of "
            "both must be the same barcode."
        )
    n_pairs = sum(map(len, shared_folds(folds)))
    table = _subsample(folds, against, PARTS, (k,), metric, PARTITIONS, as_generator(rng))
    constant, excess = _extrapolated(table)
    se = float(np.sqrt(constant / n_pairs))
    return SubsamplingError(se=se, constant=constant, excess=excess, n_pairs=n_pairs, table=table)


@with_shared_docs
def drift_check(
    folds: Sequence[HeldOut],
    k: int = 3,
    *,
    se: float,
    metric: Metric = "chebyshev",
    rng: Rng = None,
) -> DriftCheck:
    """Compare the estimate with those of fewer pairs and of other numbers of neighbours.

    A bias that falls as 1/N or slower is at the full number of pairs at least as large as the step from N/2 to N. And
    twice the neighbours reach about as far as half the pairs do. So the estimate has settled if neither halving N nor
    doubling k moves it by more than two standard errors: what bias is left is then lost in the noise.

    Parameters
    ----------
    {folds}
    k
        The neighbour that the estimate was made with.
    se
        Standard error of the estimate in bits, as from :func:`subsampling_error`.
    {metric}
    {rng}

    Raises
    ------
    ValueError
        If a fold can't be cut into two subsets of ``2 * (k + 1)`` pairs or more.

    References
    ----------
    Holmes and Nemenman (2019), Phys. Rev. E 100, 022404.
    """
    KSG(k, metric)  # checks them
    ks = (k, *sorted({*NEIGHBOURS, 2 * k} - {k}))
    table = _subsample(folds, None, DRIFT_PARTS, ks, metric, 1, as_generator(rng))
    mean = table.set_index(["n_subsets", "k"])["mean"]
    shift_n = float(mean[1, k] - mean[2, k])
    shift_k = float(mean[1, k] - mean[1, 2 * k])
    threshold = TOLERANCE * se
    settled = max(abs(shift_n), abs(shift_k)) <= threshold
    return DriftCheck(settled=settled, shift_n=shift_n, shift_k=shift_k, threshold=threshold, table=table)


def _extrapolated(table: pd.DataFrame) -> tuple[float, float]:
    """Variance times pairs at the full number of pairs, and the power of that number by which it grows."""
    n_subsets = table["n_subsets"].to_numpy(np.float64)
    scaled = (table["sd"] ** 2 * table["n_pairs"]).to_numpy(np.float64)
    if len(table) < TO_FIT or not (scaled > 0).all():
        return float(np.average(scaled, weights=n_subsets - 1)), 0.0
    # polyfit weighs residuals, not their squares.
    slope, log_scaled = np.polyfit(np.log(n_subsets), np.log(scaled), 1, w=np.sqrt(n_subsets - 1))
    return float(np.exp(log_scaled)), float(-slope)


def _subsample(
    folds: Sequence[HeldOut],
    others: Sequence[HeldOut] | None,
    parts: Sequence[int],
    ks: Sequence[int],
    metric: Metric,
    n_partitions: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Mean and sd of the estimates of disjoint subsets, over all folds; what would be too small is left out."""
    check_folds(folds)
    together = shared_folds(folds)
    n_pairs = sum(map(len, together))
    # Folds that share barcodes are drawn from together, and average their noise.
    if n_partitions > 1 and n_pairs > FEW_PAIRS:
        n_splits = max(len(shared.folds) for shared in together) // 2
        n_partitions = max(FEWEST_PARTITIONS, n_partitions // max(1, n_splits))
    # Ties are parted once, not anew in every subset.
    of_fold = {id(fold): _Sample.of(fold, metric) for fold in folds}
    if others is not None:
        of_fold |= {id(other): _Sample.of(other, metric) for other in others}
        against = {id(fold): of_fold[id(other)] for fold, other in zip(folds, others, strict=True)}
    rows = []
    for n_subsets in parts:
        # k by partition, summed over the folds.
        mean, variance = np.zeros((2, len(ks), n_partitions))
        for shared in together:
            samples = [of_fold[id(fold)] for fold in shared.folds]
            compared = [None if others is None else against[id(fold)] for fold in shared.folds]
            weight = len(shared) / n_pairs
            for i in range(n_partitions):
                values = _estimates(shared, samples, compared, n_subsets, ks, metric, rng)
                mean[:, i] += weight * values.mean(axis=1)
                variance[:, i] += weight**2 * values.var(axis=1, ddof=1) if n_subsets > 1 else np.nan
        sd = np.sqrt(variance.mean(axis=1))
        rows += [(n_subsets, n_pairs / n_subsets, *row) for row in zip(ks, mean.mean(axis=1), sd, strict=True)]
    table = pd.DataFrame(rows, columns=list(DRIFT))
    return table.dropna(subset="mean").sort_values(["n_subsets", "k"], ignore_index=True)


class _Sample(NamedTuple):
    """A fold's pairs as they are, and with their ties parted."""

    x: Values
    y: Values
    u: Values
    v: Values

    @classmethod
    def of(cls, fold: HeldOut, metric: Metric) -> Self:
        x, y = of_common_size(fold.x, fold.y)
        return cls(x, y, *parted(x, y, metric))

    def bits(self, rows: Index, ksg: KSG) -> float:
        """Mean KSG of some of the pairs."""
        x, y = self.x[rows], self.y[rows]
        u, v = x if self.u is self.x else self.u[rows], y if self.v is self.y else self.v[rows]
        return float(ksg.of_parted(x, y, u, v).mean())


def _estimates(
    shared: Shared,
    samples: Sequence[_Sample],
    compared: Sequence[_Sample | None],
    n_subsets: int,
    ks: Sequence[int],
    metric: Metric,
    rng: np.random.Generator,
) -> Bits:
    """The estimate of each of some disjoint subsets of barcodes, k by subset; NaN where one has too few pairs for a k.

    Minus that of the same rows of other folds, if there are any.

    The first k must at least do for two subsets.
    """
    part = partition(shared.groups, n_subsets, rng)
    of_folds = [part[place] for place in shared.places]
    smallest = min(int(np.bincount(of_fold, minlength=n_subsets).min()) for of_fold in of_folds)
    if n_subsets <= 2 and smallest < FEWEST * (ks[0] + 1):
        n, n_groups = min(map(len, shared.places)), len(np.unique(shared.groups))
        in_groups, finer = (f" in {n_groups} groups", ", finer groups") if n_groups < len(shared.groups) else ("", "")
        raise TooFew(
            f"A fold of {n} pairs{in_groups} can't be cut into two subsets of enough pairs, so its error can't be "
            f"estimated. Use more pairs{finer} or a smaller k."
        )
    values = np.full((len(ks), n_subsets), np.nan)
    for i, k in enumerate(ks):
        if smallest >= (FEWEST if n_subsets <= 2 else ENOUGH) * (k + 1):
            ksg = KSG(k, metric)
            each = [
                len(of_fold) * (_means(sample, of_fold, ksg) - (0 if other is None else _means(other, of_fold, ksg)))
                for of_fold, sample, other in zip(of_folds, samples, compared, strict=True)
            ]
            values[i] = np.sum(each, axis=0) / sum(map(len, of_folds))
    return values


def _means(sample: _Sample, part: Index, ksg: KSG) -> Bits:
    return np.array([sample.bits(np.flatnonzero(part == p), ksg) for p in range(part.max() + 1)])
