"""pMI along pseudotime."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from scmi._slots import holds

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["pmi_trend"]

# Okabe and Ito's, which colour-blind readers tell apart and which show on white and on black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
RUG_ROW = 0.045


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
    ``confidence_level``; elsewhere the legend says that no rise is clear); and a rug of the cells at the bottom.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.pmi_trend` has written to.
    pseudotime
        Lineages to draw, of those stored; by default all.
    key
        ``key_added`` of the trend.
    color
        Categorical ``.obs`` column, such as fate, that colours the rug: a row per category, in the colours of
        ``.uns[f"{color}_colors"]``. By default a row per lineage.
    ax
        Axes to draw on; by default new ones.

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
    import matplotlib.pyplot as plt
    from matplotlib.transforms import ScaledTranslation

    stored, names = _stored(adata, key, pseudotime)
    lineages = {name: stored["cells"][stored["cells"]["lineage"] == name] for name in names}
    onsets = stored["onset"].set_index("lineage")
    rug = _rug(adata, lineages, color)
    if ax is None:
        _, ax = plt.subplots(layout="constrained")

    foreground = ax.xaxis.label.get_color()
    ax.axhline(0, color=foreground, linewidth=0.6, zorder=0.5)
    for (name, cells), shade in zip(lineages.items(), _cycle(len(names)), strict=True):
        ax.fill_between(cells["pseudotime"], cells["low"], cells["high"], color=shade, alpha=0.25, linewidth=0)
        ax.plot(
            cells["pseudotime"], cells["mean"], color=shade, label=_spaced(name) if len(names) > 1 else "rolling mean"
        )
        _draw_onset(ax, onsets.loc[name], shade, float(stored["params"]["confidence_level"]))
    ax.autoscale_view()
    _draw_rug(ax, rug)
    ax.set(xlabel=_spaced(names[0]) if len(names) == 1 else "pseudotime", ylabel="pMI (bits)")
    ax.spines[["top", "right"]].set_visible(False)
    # Below the axes, which the data fill; the distance is that of the tick labels and the axis label.
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        ncols=2,
        frameon=False,
        fontsize="x-small",
        handlelength=1.2,
        columnspacing=1,
    )
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


def _cycle(n: int, after: int = 0) -> list[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(after, after + n)]


def _rug(
    adata: "AnnData", lineages: dict[str, pd.DataFrame], color: str | None
) -> list[tuple[str, Any, "pd.Series[float]"]]:
    """Label, colour and pseudotimes of every row of the rug."""
    if color is None:
        shades = _cycle(len(lineages))
        return [("", shade, cells["pseudotime"]) for shade, cells in zip(shades, lineages.values(), strict=True)]
    if color not in adata.obs.columns:
        raise KeyError(f"Did not find `color={color!r}` in `.obs`, which has {list(adata.obs.columns)}.")
    column = adata.obs[color]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        raise TypeError(f"`.obs[{color!r}]` is {column.dtype}; make it categorical to colour the rug by it.")
    if not adata.obs_names.is_unique:
        raise ValueError("`.obs_names` are not unique, so that cells of the rug can't be told apart.")
    categories = list(column.cat.categories)
    shades = list(adata.uns.get(f"{color}_colors", _cycle(len(categories), after=len(lineages))))
    cells = pd.concat(lineages.values()).drop_duplicates("cell")
    label = column.reindex(cells["cell"]).to_numpy()
    rows = [
        (str(category), shade, cells["pseudotime"][label == category])
        for category, shade in zip(categories, shades, strict=False)
    ]
    return [row for row in rows if len(row[2])]


def _draw_onset(ax: "Axes", onset: Any, shade: str, confidence_level: float) -> None:
    p = f"p = {onset['p_value']:.2g}"
    if not onset["p_value"] <= 1 - confidence_level:
        ax.plot([], [], color="none", label=f"no clear rise ({p})")
        return
    interval = f"{_short(onset['low'])} to {_short(onset['high'])}"
    ax.axvspan(onset["low"], onset["high"], color=shade, alpha=0.12, linewidth=0, zorder=0)
    ax.axvline(
        onset["onset"],
        color=shade,
        linestyle="--",
        linewidth=1.2,
        label=f"onset {_short(onset['onset'])}, {p}\n({interval})",
    )


def _draw_rug(ax: "Axes", rug: list[tuple[str, Any, "pd.Series[float]"]]) -> None:
    # Room below the data for the rows, so that ticks cross nothing.
    low, high = ax.get_ylim()
    share = RUG_ROW * (len(rug) + 0.5)
    ax.set_ylim(low - (high - low) * share / (1 - share), high)
    # From the top, as the legend reads.
    for row, (label, shade, t) in enumerate(rug, start=1):
        bottom = RUG_ROW * (len(rug) - row + 0.2)
        ax.vlines(
            t,
            bottom,
            bottom + 0.8 * RUG_ROW,
            color=shade,
            linewidth=0.5,
            alpha=0.6,
            transform=ax.get_xaxis_transform(),
            rasterized=True,
        )
        if label:
            ax.plot([], [], color=shade, marker="s", linestyle="none", label=label)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _short(value: float) -> str:
    """Three digits, without an exponent where it can be done."""
    return f"{float(f'{value:.3g}'):g}"
