"""Whether the estimate has levelled off: how it grows with the barcodes that it has to learn and to count from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scmi.estimators.inputs.pairing import split
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Bits, Index, Values

from .interval import Z

__all__ = ["FEWEST_TO_LEARN", "Learning", "OfHalf", "growth_of"]

# Half the training barcodes have to be this many groups, or what they teach says nothing about all of them.
FEWEST_TO_LEARN = 20


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How an estimate grows from half of the barcodes to all of them.

    Parameters
    ----------
    mi
        The estimate in bits.
    growth
        What it gained, in bits: the estimate, minus that by models of the same kind and size from half of the training
        barcodes, in half of the held-out pairs at a time. NaN where these are too few.
    se
        Its standard error in bits, over the estimated pairs.

    Examples
    --------
    >>> from scmi.estimators import Learning
    >>> learning = Learning(mi=0.4, growth=0.05, se=0.01)
    >>> learning.levelled, [round(bits, 3) for bits in learning.expected]
    (False, [0.417, 0.491])
    """

    mi: float
    growth: float = float("nan")
    se: float = float("nan")

    @property
    def levelled(self) -> bool:
        """Whether the growth is within its standard error; where not, the estimate is a lower bound.

        True where it can't be told.
        """
        return not self.growth > self.se

    @property
    def expected(self) -> tuple[float, float]:
        """What the estimate should come to with twice the barcodes, in bits.

        From half of the growth more, as where errors fall as 1/N, to half as much again as it grew, as where larger
        models can be afforded; and the error of the growth on either side.
        """
        low, high = max(self.growth - Z * self.se, 0.0) / 2, 1.5 * max(self.growth, 0.0) + Z * self.se
        return self.mi + low, self.mi + high


class OfHalf(NamedTuple):
    """Pairs of a fold as a model of half of its training barcodes encodes them.

    Parameters
    ----------
    split
        Which split the fold is of.
    at
        Which pairs these are.
    x, y
        Their latents.
    """

    split: int
    at: Index
    x: Values
    y: Values


def growth_of(
    mi: float,
    pmi: Bits,
    halves: Sequence[OfHalf],
    groups: Index,
    *,
    corrected: bool,
    ksg: KSG,
    rng: np.random.Generator,
) -> Learning:
    """Compare the pMI of the same pairs by models of all and of half of the training barcodes.

    Parameters
    ----------
    mi
        The estimate in bits.
    pmi
        Of each pair and split, in bits; NaN where it was not estimated.
    halves
        What models of half of the training barcodes make of some of them.
    groups
        A label for each pair; those that share one are not independent.
    corrected
        Whether what KSG misses was added: then pairs are not halved, since the correction makes up for their number.
    ksg
        As the estimate was made with.
    rng
        Cuts the pairs in two.
    """
    gained = np.full(pmi.shape, np.nan)
    for number, at, x, y in halves:
        parts = [np.arange(len(at))] if corrected else split(groups[at], 0.5, rng)
        if min(map(len, parts)) <= ksg.k:  # as where one group is most of the pairs, or k is large
            continue
        for part in parts:
            gained[number, at[part]] = pmi[number, at[part]] - ksg.pointwise(x[part], y[part])
    of_pair = gained.mean(axis=0)
    compared = np.isfinite(of_pair)
    if not compared.any():
        return Learning(mi=mi)
    of_pair, n = of_pair[compared], int(compared.sum())
    mean_ksg = float(pmi[:, compared].mean())
    enlarged = mi / mean_ksg if corrected and mean_ksg > 0 else 1.0
    growth = enlarged * float(of_pair.mean())
    by_group = np.bincount(np.unique(groups[compared], return_inverse=True)[1], of_pair - of_pair.mean())
    se = enlarged * float(np.sqrt((by_group**2).sum())) / n
    return Learning(mi=mi, growth=growth, se=se)
