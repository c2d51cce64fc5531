"""Estimates beside their null."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi.estimators.inference.interval import interval
from scmi.pl._null import draw_null
from scmi.pl._style import PALETTE, axes_or_new, draw_no_end, draw_zero, foreground, legend_above, open_frame, spaced

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["estimates"]

HALF_WIDTH = 0.22
# What the legend says where a null's mean is more than two standard errors above 0.
BIASED = " (not at 0: ties, copies or strata)"
# What is read of a result; all but the first may be missing. Only information about labels has a share (of entropy).
FIELDS = ("mi", "se", "null", "entropy", "share", "ci", "ci_high")


@with_shared_docs
def estimates(
    results: "AnnData | Mapping[str, Any] | pd.DataFrame",
    *,
    color: str = PALETTE[0],
    null_color: str = "gray",
    ax: "Axes | None" = None,
) -> "Axes":
    """Mutual information of several comparisons beside what permuted pairs give, in bits (figure 5a-b of the paper).

    Parameters
    ----------
    results
        An object, for all estimates that it holds: of :func:`scmi.tl.lmi`, :func:`scmi.tl.label_information` and
        :func:`scmi.tl.conditional_information`, named by their groups or their label where that tells
        them apart. Or what to draw, by name, left to right. Each a number of bits; a result with ``mi``, and perhaps
        ``se`` and ``null``, such as an :class:`scmi.LMIResult`; or a dictionary of these, such as
        ``adata.uns["lmi"]``. Or a DataFrame with a row per comparison and columns of these names, such
        as :func:`scmi.get.lmi_matrix` returns. ``null`` is one value or several; twenty and more are drawn as a violin.
        Where a result has the ``entropy`` of its labels, a dash marks it: the most there is to know. The null of
        :func:`scmi.tl.label_information` is not drawn: models that are sure of one label are wrong about permuted ones
        by many bits, far below 0.
    {color}
    null_color
        Colour of the null.
    {ax}

    Returns
    -------
    The axes. Bars about estimates are 90 % intervals, as everywhere here: 1.64 standard errors each way. An arrow
    stands for one without an upper end, where so many pairs can hardly show more.

    Raises
    ------
    KeyError
        If a result has no ``mi``.
    ValueError
        If there is nothing to draw, or the object holds no estimate.

    Examples
    --------
    >>> import scmi as sm
    >>> ax = sm.pl.estimates({"days 2 and 6": {"mi": 0.5, "se": 0.05, "null": [0.01, -0.02]}, "wells": {"mi": 0.9}})
    """
    rows = _rows(results)
    ax = axes_or_new(ax)
    draw_zero(ax)
    with_null = [at for at, row in enumerate(rows) if len(row.null)]
    biased = any(rows[at].null.mean() > 2 * rows[at].se for at in with_null)
    for at in with_null:
        label = f"permuted partners{BIASED if biased else ''}" if at == with_null[0] else None
        draw_null(ax, at, rows[at].null, HALF_WIDTH, color=null_color, label=label)
    _draw_entropy(ax, [row.entropy for row in rows])
    mi = np.array([row.mi for row in rows])
    se = np.array([row.se for row in rows])
    known = np.isfinite(se) & ~np.array([row.saturated for row in rows])
    half = [interval(0.0, error)[1] for error in se[known]]
    ax.errorbar(np.flatnonzero(known), mi[known], yerr=half, fmt="none", ecolor=color, capsize=3, zorder=2.5)
    for at, row in enumerate(rows):
        if row.saturated:
            draw_no_end(ax, at, row.mi, color)
    label = "estimate (90 % interval)" if known.any() else "estimate"
    ax.plot(np.arange(len(mi)), mi, "o", color=color, zorder=3, label=label)
    ax.set(xticks=np.arange(len(rows)), xlim=(-0.5, len(rows) - 0.5), ylabel="mutual information (bits)")
    ax.set_xticklabels([row.name for row in rows])
    ax.margins(y=0.08)
    open_frame(ax)
    legend_above(ax)
    return ax


def _draw_entropy(ax: "Axes", entropy: list[float]) -> None:
    """A dash at the most there is to know of labels."""
    at = np.flatnonzero(np.isfinite(entropy))
    if len(at):
        ends = at - HALF_WIDTH, at + HALF_WIDTH
        ax.hlines(np.take(entropy, at), *ends, color=foreground(ax), linewidth=1.5, label="entropy of the labels")


class _Row(NamedTuple):
    """What is drawn in one place: standard error and entropy are NaN if unknown, null values none, one or several.

    A saturated estimate is so near the most that its pairs can show that its interval has no upper end.
    """

    name: str
    mi: float
    se: float
    null: NDArray[np.float64]
    entropy: float
    saturated: bool


def _rows(results: "AnnData | Mapping[str, Any] | pd.DataFrame") -> list[_Row]:
    named = _named(results)
    if not named:
        raise ValueError("`results` is empty; pass at least one estimate.")
    return [_row(str(name), result) for name, result in named.items()]


def _named(results: "AnnData | Mapping[str, Any] | pd.DataFrame") -> dict[Any, Any]:
    if isinstance(results, pd.DataFrame):
        return dict(results.to_dict("index"))
    if isinstance(results, Mapping):
        return dict(results)
    if not hasattr(results, "uns"):
        raise TypeError(
            f"`results` must be an AnnData, a dictionary of results or a DataFrame, got {type(results).__name__}."
        )
    stored = {key: results.uns[key] for key in results.uns if holds(results, "results", key, "mi", "p", "params")}
    if not stored:
        raise ValueError("`results` holds no estimate in `.uns`. Run `sm.tl.lmi` first.")
    compared = {key: _compared(one) for key, one in stored.items()}
    # By what was compared, where that tells them apart.
    apart = Counter(compared.values())
    return {key if not name or apart[name] > 1 else name: stored[key] for key, name in compared.items()}


def _compared(stored: Mapping[str, Any]) -> str:
    """The label, the covariate, or the two groups that were compared; nothing where none is known."""
    params = stored["params"]
    if "on" in stored:
        return f"given {' and '.join(spaced(str(name)) for name in np.atleast_1d(stored['on']))}"
    if "label_key" in params:
        return " and ".join(dict.fromkeys(spaced(str(name)) for name in np.atleast_1d(params["label_key"])))
    groups = params.get("groups")
    return "" if groups is None else f"{spaced(str(params['groupby']))} {groups[0]} and {groups[1]}"


def _row(name: str, result: Any) -> _Row:
    if isinstance(result, int | float | np.number):
        result = {"mi": float(result)}
    fields = result if isinstance(result, Mapping) else {field: getattr(result, field, None) for field in FIELDS}
    mi, se, null, entropy, share, ci, ci_high = (fields.get(field) for field in FIELDS)
    if mi is None:
        raise KeyError(f"`results[{name!r}]` has no `mi`; pass a result, its dictionary, or a number of bits.")
    values = np.asarray([] if null is None else null, dtype=np.float64).ravel()
    se, entropy = ("nan" if value is None else value for value in (se, entropy))
    values = values[~np.isnan(values)] if share is None else values[:0]
    saturated = (ci_high if ci is None else ci[1]) == np.inf
    return _Row(name, float(mi), float(se), values, float(entropy), saturated)
