"""pMI along pseudotime."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi._words import in_two_digits, p_in_words
from scmi.pl._style import axes_or_new, draw_zero, legend_below, open_frame, shade, spaced

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["pmi_trend"]

# Height of a row of the rug, as a share of the axes.
RUG_ROW = 0.045
# Fewer cells are no measure of a gap: 200 cells at random are broken 4.5 times by 5 on either side, .07 times by 10.
FEWEST_OF_A_WINDOW = 10


@with_shared_docs
def pmi_trend(
    adata: "AnnData",
    pseudotime: str | Sequence[str] | None = None,
    *,
    key: str = "lmi_trend",
    color: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Pointwise mutual information along pseudotime, in bits (figure 6c of the paper).

    The rolling mean and its band; the onset as a dashed line, its interval shaded, where pMI rises (p at most 1 -
    ``confidence_level``; elsewhere the legend says that no rise is clear); and a rug of the cells in a strip at the
    bottom. The rolling mean ends half a window before the cells do; an onset beyond it is told, and not drawn. Curve
    and band are broken where a stretch without cells is longer than a window's cells on either side of it take up.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.pmi_trend` has written to.
    pseudotime
        Lineages to draw, of those stored; by default all.
    {key}
    color
        Categorical ``.obs`` column, such as fate, that colours the rug: a row per category, in the colours of
        ``.uns[f"{color}_colors"]``. By default a row per lineage.
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If the trend, a lineage of it or the column is missing.
    TypeError
        If the column is not categorical.
    ValueError
        If cell names are not unique, so that the rug can't be coloured.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> sm.tl.pmi_trend(adata, "pseudotime", mask_obs=adata.obs["day"] == "2")
    >>> ax = sm.pl.pmi_trend(adata, color="fate")
    """
    stored, names = _stored(adata, key, pseudotime)
    lineages = {name: stored["cells"][stored["cells"]["lineage"] == name] for name in names}
    onsets = stored["onset"].set_index("lineage")
    rug = _rug(adata, lineages, color)
    strip = RUG_ROW * (len(rug) + 0.5)
    ax = axes_or_new(ax)

    draw_zero(ax)
    level = float(stored["params"]["confidence_level"])
    for i, (name, cells) in enumerate(lineages.items()):
        label = spaced(name) if len(names) > 1 else f"rolling mean, {100 * level:g} % band"
        t, mean, low, high = _broken(cells, int(onsets.loc[name, "window"]))
        ax.fill_between(t, low, high, color=shade(i), alpha=0.25, linewidth=0)
        ax.plot(t, mean, color=shade(i), label=label)
        curve = cells["pseudotime"][cells["mean"].notna()]
        ends = (float(curve.min()), float(curve.max()))
        _draw_onset(ax, onsets.loc[name], ends, strip, shade(i), level)
    ax.autoscale_view()
    _draw_rug(ax, rug, strip)
    ax.set(xlabel=spaced(names[0]) if len(names) == 1 else "pseudotime", ylabel="pMI (bits)")
    open_frame(ax)
    # The distance is that of the tick labels and the axis label.
    legend_below(ax, 0.5, ncols=2, fontsize="x-small", handlelength=1.2, columnspacing=1)
    return ax


def _stored(adata: "AnnData", key: str, pseudotime: str | Sequence[str] | None) -> tuple[dict[str, Any], list[str]]:
    if not holds(adata, "adata", key, "cells", "onset", "params"):
        raise KeyError(f"Did not find `.uns[{key!r}]`. Run `sm.tl.pmi_trend` first, or pass its `key_added` as `key`.")
    stored: dict[str, Any] = adata.uns[key]
    present = list(stored["onset"]["lineage"])
    if pseudotime is None:
        return stored, present
    names = [pseudotime] if isinstance(pseudotime, str) else list(pseudotime)
    for name in names:
        if name not in present:
            raise KeyError(f"`.uns[{key!r}]` has no {name!r}, only {present}. Run `sm.tl.pmi_trend` with it first.")
    return stored, names


def _broken(cells: pd.DataFrame, window: int) -> NDArray[np.float64]:
    """Pseudotime, mean and band, with NaN where a stretch without cells exceeds a window of them on either side."""
    values = cells[["pseudotime", "mean", "low", "high"]].to_numpy(dtype=np.float64).T
    t, reach = values[0], max(window, FEWEST_OF_A_WINDOW)
    at = np.arange(len(t) - 1)
    before = t[at] - t[np.maximum(at - reach + 1, 0)]
    after = t[np.minimum(at + reach, len(t) - 1)] - t[at + 1]
    gaps = np.flatnonzero(np.diff(t) > np.maximum(before, after))
    return np.insert(values, gaps + 1, np.nan, axis=1)


def _rug(
    adata: "AnnData", lineages: dict[str, pd.DataFrame], color: str | None
) -> list[tuple[str, Any, "pd.Series[float]"]]:
    """Label, colour and pseudotimes of every row of the rug."""
    if color is None:
        return [("", shade(i), cells["pseudotime"]) for i, cells in enumerate(lineages.values())]
    if color not in adata.obs.columns:
        raise KeyError(f"Did not find `color={color!r}` in `.obs`, which has {list(adata.obs.columns)}.")
    column = adata.obs[color]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        raise TypeError(f"`.obs[{color!r}]` is {column.dtype}; make it categorical to colour the rug by it.")
    if not adata.obs_names.is_unique:
        raise ValueError("`.obs_names` are not unique, so that cells of the rug can't be told apart.")
    categories = list(column.cat.categories)
    others = [shade(len(lineages) + i) for i in range(len(categories))]
    stored_colors = list(adata.uns.get(f"{color}_colors", []))
    # Fewer colours than categories are those of another list of categories.
    shades = stored_colors if len(stored_colors) >= len(categories) else others
    cells = pd.concat(lineages.values()).drop_duplicates("cell")
    label = column.reindex(cells["cell"]).to_numpy()
    rows = [
        (str(category), one, cells["pseudotime"][label == category])
        for category, one in zip(categories, shades, strict=False)
    ]
    return [row for row in rows if len(row[2])]


def _draw_onset(
    ax: "Axes", onset: Any, ends: tuple[float, float], bottom: float, color: str, confidence_level: float
) -> None:
    """Within the ends of the curve: beyond them a line would stand where nothing is seen to rise."""
    p = f"p {p_in_words(onset['p'])}"
    if not onset["p"] <= 1 - confidence_level:
        ax.plot([], [], color="none", label=f"no clear rise ({p})")
        return
    at, first, last = in_two_digits(onset["onset"], onset["ci_low"], onset["ci_high"])
    low, high = np.clip((onset["ci_low"], onset["ci_high"]), *ends)
    if low < high:
        ax.axvspan(low, high, bottom, color=color, alpha=0.12, linewidth=0, zorder=0)
    if ends[0] <= onset["onset"] <= ends[1]:
        label = f"onset {at}, {p}\n({first} to {last})"
        ax.axvline(onset["onset"], bottom, color=color, linestyle="--", linewidth=1.2, label=label)
    else:
        side = "before" if onset["onset"] < ends[0] else "after"
        ax.plot([], [], color="none", label=f"onset {side} the curve, {p}\n({first} to {last})")


def _draw_rug(ax: "Axes", rug: list[tuple[str, Any, "pd.Series[float]"]], share: float) -> None:
    # A strip of its own below the data, which the axis of bits does not enter.
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    ax.spines["left"].set_bounds(low, high)
    ax.set_ylim(low - (high - low) * share / (1 - share), high)
    # From the top, as the legend reads.
    for row, (label, color, t) in enumerate(rug, start=1):
        bottom = RUG_ROW * (len(rug) - row + 0.2)
        ax.vlines(
            t,
            bottom,
            bottom + 0.8 * RUG_ROW,
            color=color,
            linewidth=0.5,
            alpha=0.6,
            transform=ax.get_xaxis_transform(),
            rasterized=True,
        )
        if label:
            ax.plot([], [], color=color, marker="s", linestyle="none", label=label)
