"""What a depth scaling returns and stores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scmi._words import Printed, bits_in_words, in_bits
from scmi.estimators.inference.depth import DepthLaw, draws_of, fit_depth_law
from scmi.tl._stored import numbered
from scmi.typing import Values

__all__ = ["PLATEAU", "DepthScaling"]

# The share of what unlimited depth would tell from which on more depth is hardly worth its price.
PLATEAU = 0.9
# An interval of where that is whose ends differ by more than this factor leaves it open.
VAGUE = 20.0
# Of the fit, an estimate's doubt grows with this power of how much shallower than today's its depth is.
NEARNESS = 0.25
N_DRAWS = 300
# Depths to predict, in multiples of today's.
MULTIPLES = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, kw_only=True, repr=False)
class DepthScaling(Printed):
    """How information grows with sequencing depth; see :func:`scmi.tl.depth_scaling`.

    Parameters
    ----------
    depth
        Today's depth in UMIs per cell.
    ubar, ubar_ci
        The depth at which half of the noise is beaten (signal and noise are equal), and its 90 % interval; infinite
        where information still grows in proportion to the depth, NaN where there is none.
    i_max, i_max_ci
        Bits at unlimited depth, and their 90 % interval.
    r2
        The share of the variance of the estimates (means over repeats) that the law explains.
    share
        What today's depth gives, of ``i_max``; NaN where that is infinite or nothing is shared.
    depth_90, depth_90_ci
        The depth that reaches 90 % of ``i_max``, UMIs per cell.
    plateau
        Whether today's depth is beyond it.
    predicted
        DataFrame: ``depth``, ``mi`` by the law and its 90 % interval ``ci_low``, ``ci_high``, from half of today's
        depth to ten times as much.
    table
        DataFrame, a row per depth and repeat: ``depth``, ``repeat``, ``mi`` (bits, the mean of the pMI: corrections are
        left out, as they may be applied at one depth and not at another) and its standard error ``se``.
    curve
        DataFrame: the law with its interval, to draw; columns as in ``predicted``.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> adata.layers["counts"] = adata.X.copy()
    >>> sm.pp.recipe_lmi(adata)
    >>> scaling = sm.tl.depth_scaling(
    ...     adata, pair_key="clone", groupby="day", groups=("4", "6"), counts_layer="counts", n_depths=3, n_repeats=1
    ... )
    >>> len(scaling.table)
    3
    """

    depth: float
    ubar: float
    ubar_ci: tuple[float, float]
    i_max: float
    i_max_ci: tuple[float, float]
    r2: float
    share: float
    depth_90: float
    depth_90_ci: tuple[float, float]
    plateau: bool
    predicted: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)

    @property
    def law(self) -> DepthLaw:
        """The law that was fitted."""
        return DepthLaw(self.ubar, self.i_max)

    @classmethod
    def of(cls, table: pd.DataFrame, covariance: Values, today: float, rng: np.random.Generator) -> "DepthScaling":
        """Fit the law to a table of estimates whose errors over pairs go together as ``covariance`` says."""
        by_depth = table.groupby("depth", sort=True)["mi"].mean()
        depth, mi = by_depth.index.to_numpy(dtype=np.float64), by_depth.to_numpy()
        # What pairs bring moves every depth together and says nothing of the curve's course; and where cells differ in
        # what they tell, their mean grows more slowly than the law. So the depths near today's count for more.
        doubt = (depth / today) ** -NEARNESS
        law = fit_depth_law(depth, mi, doubt)
        # What the law leaves is the error of each estimate by itself, of thinning and training.
        by_itself = np.sum((mi - law.information(depth)) ** 2) / max(len(mi) - 2, 1)
        draws = draws_of(depth, mi, doubt, covariance + by_itself * np.eye(len(mi)), N_DRAWS, rng)
        deepest = float(depth.max())
        ubar, i_max, depth_90 = _reported(law, deepest)
        reported = np.array([_reported(draw, deepest) for draw in draws])
        known = law.i_max > 0
        return cls(
            depth=today,
            ubar=ubar,
            ubar_ci=_interval(reported[:, 0]),
            i_max=i_max,
            i_max_ci=_interval(reported[:, 1]),
            r2=float(1 - np.mean((mi - law.information(depth)) ** 2) / np.var(mi)) if known else np.nan,
            share=float(law.information(today) / i_max) if known and np.isfinite(i_max) else np.nan,
            depth_90=depth_90,
            depth_90_ci=_interval(reported[:, 2]),
            plateau=depth_90 <= today,
            predicted=_predicted(np.array(MULTIPLES) * today, law, draws),
            table=table,
            curve=_predicted(np.geomspace(depth.min(), 10 * today, 100), law, draws),
        )

    def __str__(self) -> str:
        if np.isnan(self.ubar):
            return f"Nothing is shared at any depth up to {self.depth:,.0f} UMIs per cell."
        if np.isinf(self.ubar):
            return (
                f"No end in sight: information still grows in proportion to the depth at {self.depth:,.0f} UMIs per "
                "cell. Sequence deeper."
            )
        low, high = self.depth_90_ci
        if low <= self.depth <= high:
            vague = not high / low < VAGUE
            verdict = "and whether that is the plateau can't be told" if vague else "about where the plateau begins"
        else:
            verdict = "on the plateau" if self.plateau else "below the plateau"
        return (
            f"{in_bits(self.i_max)} bits at unlimited depth (90 %: {bits_in_words(self.i_max_ci)}), half of "
            f"the noise beaten at {self.ubar:,.0f} UMIs per cell; today's {self.depth:,.0f} tell {self.share:.0%} of "
            f"them, {verdict}, at {self.depth_90:,.0f} ({_range(self.depth_90_ci)})"
        )

    def _rows(self) -> dict[str, str]:
        if not np.isfinite(self.ubar):
            return {"depth today": f"{self.depth:,.0f} UMIs per cell", "what it tells": str(self)}
        return {
            "bits at unlimited depth": f"{in_bits(self.i_max)} (90 %: {bits_in_words(self.i_max_ci)})",
            "half of the noise beaten at": f"{self.ubar:,.0f} UMIs per cell ({_range(self.ubar_ci)})",
            "90 % reached at": f"{self.depth_90:,.0f} UMIs per cell ({_range(self.depth_90_ci)})",
            "depth today": f"{self.depth:,.0f} UMIs per cell, {self.share:.0%}",
            "variance explained by the law": f"{self.r2:.0%}",
        }

    def as_uns(self) -> dict[str, Any]:
        """In types that h5ad and zarr can hold."""
        return {
            "depth": self.depth,
            "ubar": self.ubar,
            "ubar_ci": list(self.ubar_ci),
            "i_max": self.i_max,
            "i_max_ci": list(self.i_max_ci),
            "r2": self.r2,
            "share": self.share,
            "depth_90": self.depth_90,
            "depth_90_ci": list(self.depth_90_ci),
            "plateau": self.plateau,
            "predicted": numbered(self.predicted),
            "table": numbered(self.table),
            "curve": numbered(self.curve),
        }


def _reported(law: DepthLaw, deepest: float) -> tuple[float, float, float]:
    """The two numbers and the plateau's beginning; infinite where measurements can't tell, NaN where there is none."""
    if law.i_max <= 0:
        return np.nan, 0.0, np.nan
    if not law.ends_within(deepest):
        return np.inf, np.inf, np.inf
    return law.ubar, law.i_max, law.depth_of(PLATEAU)


def _interval(draws: Values) -> tuple[float, float]:
    """Of 90 %, among the draws that have a value; an end may be infinite."""
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan
    low, high = np.quantile(draws, [0.05, 0.95], method="nearest")
    return float(low), float(high)


def _predicted(depth: Values, law: DepthLaw, draws: Sequence[DepthLaw]) -> pd.DataFrame:
    low, high = np.quantile([draw.information(depth) for draw in draws], [0.05, 0.95], axis=0)
    return pd.DataFrame({"depth": depth, "mi": law.information(depth), "ci_low": low, "ci_high": high})


def _range(ci: tuple[float, float]) -> str:
    return f"90 %: {ci[0]:,.0f} to {ci[1]:,.0f}"
