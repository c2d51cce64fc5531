"""Estimates beside their null."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi.estimators.inference.interval import interval
from scmi.pl._style import PALETTE, axes_or_new, draw_zero, legend_above, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["estimates"]

HALF_WIDTH = 0.22
# What the legend says where a null's mean is more than two standard errors above 0.
BIASED = " (not at 0: ties, copies or strata)"
# What is read of a result; all but the first may be missing.
FIELDS = ("mi", "se", "null")


@with_shared_docs
def estimates(
    results: "Mapping[str, Any] | pd.DataFrame",
    *,
    color: str = PALETTE[0],
    null_color: str = "gray",
    ax: "Axes | None" = None,
) -> "Axes":
    """Mutual information of several comparisons beside what permuted pairs give, in bits (figure 5a-b of the paper).

    Parameters
    ----------
    results
        What to draw, by name, left to right. Each a number of bits; a result with ``mi``, and perhaps ``se`` and
        ``null``, such as an :class:`scmi.LMIResult`; or a dictionary of these, such as ``adata.uns["lmi"]``. Or a
        DataFrame with a row per comparison and columns of these names, such as :func:`scmi.get.lmi_matrix` returns.
        ``null`` is one value or several.
    {color}
    null_color
        Colour of the null.
    {ax}

    Returns
    -------
    The axes. Bars about estimates are 90 % intervals, as everywhere here: 1.64 standard errors each way.

    Raises
    ------
    KeyError
        If a result has no ``mi``.
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> import scmi as sm
    >>> ax = sm.pl.estimates({"days 2 and 6": {"mi": 0.5, "se": 0.05, "null": [0.01, -0.02]}, "wells": {"mi": 0.9}})
    """
    rows = _rows(results)
    ax = axes_or_new(ax)
    draw_zero(ax)
    nulls = [(at, null) for at, (_, _, _, null) in enumerate(rows) if len(null)]
    biased = any(len(null) and null.mean() > 2 * error for _, _, error, null in rows)
    for i, (at, null) in enumerate(nulls):
        # Side by side in the order of the values, so that each is seen.
        spread = np.linspace(-HALF_WIDTH, HALF_WIDTH, len(null)) if len(null) > 1 else np.zeros(1)
        ax.scatter(
            at + np.random.default_rng(0).permutation(spread),
            null,
            s=12,
            color=null_color,
            alpha=1.0 if len(null) < 20 else 0.4,
            linewidths=0,
            label="_" if i else f"permuted pairs{BIASED if biased else ''}",
        )
    mi = np.array([value for _, value, _, _ in rows])
    se = np.array([error for _, _, error, _ in rows])
    known = np.isfinite(se)
    half = [interval(0.0, error)[1] for error in se[known]]
    ax.errorbar(np.flatnonzero(known), mi[known], yerr=half, fmt="none", ecolor=color, capsize=3, zorder=2.5)
    label = "estimate (90 % interval)" if known.any() else "estimate"
    ax.plot(np.arange(len(mi)), mi, "o", color=color, zorder=3, label=label)
    ax.set(xticks=np.arange(len(rows)), xlim=(-0.5, len(rows) - 0.5), ylabel="mutual information (bits)")
    ax.set_xticklabels([name for name, *_ in rows])
    ax.margins(y=0.08)
    open_frame(ax)
    legend_above(ax)
    return ax


def _rows(results: "Mapping[str, Any] | pd.DataFrame") -> list[tuple[str, float, float, NDArray[np.float64]]]:
    """Name, bits, standard error (NaN if unknown) and null values (none, one or several)."""
    if not isinstance(results, Mapping | pd.DataFrame):
        raise TypeError(f"`results` must be a dictionary of results or a DataFrame, got {type(results).__name__}.")
    named = results.to_dict("index") if isinstance(results, pd.DataFrame) else dict(results)
    if not named:
        raise ValueError("`results` is empty; pass at least one estimate.")
    return [_row(str(name), result) for name, result in named.items()]


def _row(name: str, result: Any) -> tuple[str, float, float, NDArray[np.float64]]:
    if isinstance(result, int | float | np.number):
        result = {"mi": float(result)}
    fields = result if isinstance(result, Mapping) else {field: getattr(result, field, None) for field in FIELDS}
    mi, se, null = (fields.get(field) for field in FIELDS)
    if mi is None:
        raise KeyError(f"`results[{name!r}]` has no `mi`; pass a result, its dictionary, or a number of bits.")
    values = np.asarray([] if null is None else null, dtype=np.float64).ravel()
    return name, float(mi), float("nan" if se is None else se), values[~np.isnan(values)]
