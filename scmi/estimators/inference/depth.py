"""How information grows with sequencing depth: a law of two numbers, fitted to estimates at several depths."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from scmi.typing import Bits, Index, Values

__all__ = ["DepthLaw", "covariance_of_depths", "draws_of", "fit_depth_law", "influence"]

# As far beyond the deepest measurement may the depth lie at which half of the noise is beaten; further out, the curve
# is a straight line in all that was measured, and tells nothing of where it ends.
BEYOND = 100.0
# Bits: more than any estimate from cells can hold.
MOST_BITS = 20.0
STARTS = (1.0, 1.3, 2.0, 4.0)


class DepthLaw(NamedTuple):
    r"""Mutual information as a function of sequencing depth, of :cite:t:`Gowri2025`.

    .. math:: I(u) = I_{max} - \tfrac12 \log_2 \frac{1 + u / \bar u}{u / \bar u + 2^{-2 I_{max}}}

    Counts are a noisy channel between a cell's state and what is seen of it, whose signal grows with the depth u as
    that of a Gaussian channel does.

    Parameters
    ----------
    ubar
        The depth in UMIs per cell at which signal and noise are equal.
    i_max
        Bits at unlimited depth.

    Examples
    --------
    >>> import scmi as sm
    >>> law = sm.estimators.DepthLaw(ubar=1000.0, i_max=2.0)
    >>> round(float(law.information(1000.0)), 3), round(law.depth_of(0.9), 0)
    (1.544, 2872.0)
    """

    ubar: float
    i_max: float

    def information(self, depth: ArrayLike) -> Bits:
        """Bits at some depths, UMIs per cell."""
        ratio = np.asarray(depth, dtype=np.float64) / self.ubar
        bits: Bits = self.i_max - np.log2((1 + ratio) / (ratio + 4.0**-self.i_max)) / 2
        return bits

    def depth_of(self, share: float) -> float:
        """The depth that reaches a share of ``i_max``, UMIs per cell."""
        if self.i_max <= 0:
            return np.nan
        left = float(4.0 ** ((1 - share) * self.i_max))
        return self.ubar * (1 - left * float(4.0**-self.i_max)) / (left - 1)

    def ends_within(self, deepest: float) -> bool:
        """Whether measurements down from this depth can tell where the curve ends; else both numbers are a bound."""
        return self.ubar < 0.99 * BEYOND * deepest and self.i_max < 0.99 * MOST_BITS


def fit_depth_law(depth: Values, mi: Bits, se: Bits | None = None) -> DepthLaw:
    """Fit the law by weighted least squares.

    Parameters
    ----------
    depth
        UMIs per cell, at least three different ones.
    mi
        Estimates there, in bits.
    se
        Their standard errors, in bits; None weighs all alike.

    Returns
    -------
    The law. Where no depth tells anything, ``i_max`` is 0 and ``ubar`` the largest depth, since any would do. ``ubar``
    is at most 100 times that, and ``i_max`` 20 bits: where one is reached, the measurements rise in proportion to the
    depth and tell nothing of where the curve ends.

    Examples
    --------
    >>> import numpy as np
    >>> import scmi as sm
    >>> depth = np.array([30.0, 100.0, 300.0, 1000.0, 3000.0])
    >>> law = sm.estimators.DepthLaw(ubar=500.0, i_max=1.2)
    >>> refitted = sm.estimators.fit_depth_law(depth, law.information(depth))
    >>> round(refitted.ubar), round(refitted.i_max, 3)
    (500, 1.2)
    """
    weight = np.ones(len(mi)) if se is None else 1 / se
    highest = float(mi.max())
    if highest <= 0:
        return DepthLaw(float(depth.max()), 0.0)
    low, high = np.log(depth.min() / BEYOND), np.log(depth.max() * BEYOND)

    def misfit(parameters: Values) -> Values:
        law = DepthLaw(float(np.exp(parameters[0])), float(parameters[1]))
        off: Values = weight * (law.information(depth) - mi)
        return off

    starts = [
        np.array([np.log(ubar), min(highest * more, MOST_BITS / 2)])
        for ubar in np.geomspace(depth.min(), depth.max() * 3, 4)
        for more in STARTS
    ]
    start = min(starts, key=lambda at: float((misfit(at) ** 2).sum()))
    found = least_squares(misfit, start, bounds=([low, 0.0], [high, MOST_BITS]), x_scale=[1.0, max(highest, 0.01)])
    return DepthLaw(float(np.exp(found.x[0])), float(found.x[1]))


def draws_of(
    depth: Values, mi: Bits, se: Bits, covariance: Values, n_draws: int, rng: np.random.Generator
) -> list[DepthLaw]:
    """Laws of estimates that vary about these as their covariance says: what the law's own errors are read from."""
    noise = rng.multivariate_normal(np.zeros(len(mi)), covariance, size=n_draws, method="eigh")
    return [fit_depth_law(depth, mi + one, se) for one in noise]


def influence(pmi: Bits, group: Index, mi: float) -> Bits:
    """By how much each group of pairs, or of cells, moves the mean of their pMI; NaN counts for nothing."""
    known = ~np.isnan(pmi)
    moved: Bits = np.bincount(group[known], pmi[known] - mi, minlength=int(group.max()) + 1) / known.sum()
    return moved


def covariance_of_depths(table: pd.DataFrame, influences: Bits) -> Values:
    """Of the means over repeats at each depth, shallowest first, which the same groups move together.

    Parameters
    ----------
    table
        A row per estimate: its ``depth`` and standard error ``se``.
    influences
        Estimates x groups, as :func:`influence` gives them.

    Returns
    -------
    Depths x depths, in bits squared, as large as the errors say; where one could not be told, as the groups say.
    """
    of_depth = table.groupby("depth", sort=True)
    se = of_depth["se"].mean()
    mean = np.array([influences[of_depth.indices[depth]].mean(axis=0) for depth in se.index])
    covariance = mean @ mean.T
    sd = np.sqrt(np.diag(covariance))
    factor = np.divide(np.where(np.isnan(se), sd, se), sd, out=np.zeros_like(sd), where=sd > 0)
    scaled: Values = covariance * np.outer(factor, factor)
    return scaled
