"""Information against sequencing depth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi.pl._style import axes_or_new, foreground, legend_below, open_frame, shade

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["depth_scaling"]


@with_shared_docs
def depth_scaling(
    adata: "AnnData | Mapping[str, AnnData]",
    *,
    key: str | Sequence[str] = "depth_scaling",
    ax: "Axes | None" = None,
) -> "Axes":
    """Mutual information against sequencing depth, in bits: estimates, the law, and where its plateau begins.

    Dots are estimates from thinned counts. The line is the law that was fitted, its band the 90 % interval, solid as
    far as there are counts and dashed beyond. The tick at the line's foot is today's depth, the diamond the depth that
    reaches 90 % of what unlimited depth would tell.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.depth_scaling` has written to; or several, by name, to be drawn together.
    key
        ``key_added`` of the stored result; several, to draw them together.
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If no depth scaling is stored under a key.
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> adata.layers["counts"] = adata.X.copy()
    >>> sm.pp.recipe_lmi(adata)
    >>> scaling = sm.tl.depth_scaling(
    ...     adata, pair_key="clone", groupby="day", groups=("4", "6"), counts_layer="counts", n_depths=4, n_repeats=1
    ... )
    >>> ax = sm.pl.depth_scaling(adata)
    """
    curves = _curves(adata, key)
    ax = axes_or_new(ax)
    ax.set_xscale("log")
    for number, (name, stored) in enumerate(curves.items()):
        _draw(ax, name, stored, shade(number), alone=len(curves) == 1)
    ax.axhline(0, color=foreground(ax), linewidth=0.6, zorder=0.5)
    ax.set(xlabel="sequencing depth (UMIs per cell)", ylabel="mutual information (bits)")
    open_frame(ax)
    legend_below(ax, 0.5, fontsize="small")
    return ax


def _curves(adata: "AnnData | Mapping[str, AnnData]", key: str | Sequence[str]) -> dict[str, Any]:
    """What is stored, by what the legend calls it."""
    objects = dict(adata) if isinstance(adata, Mapping) else {"": adata}
    keys = [key] if isinstance(key, str) else list(key)
    if not objects or not keys:
        raise ValueError("There is nothing to draw: pass an AnnData, or several by name, and at least one key.")
    found = {}
    for name, one in objects.items():
        for each in keys:
            if not holds(one, "adata", each, "ubar", "i_max", "curve", "table"):
                where = f" in {name!r}" if name else ""
                raise KeyError(
                    f"Did not find `.uns[{each!r}]`{where}. Run `sm.tl.depth_scaling` first, or pass its `key_added` "
                    "as `key`."
                )
            found[", ".join(filter(None, [name, each if len(keys) > 1 else ""]))] = one.uns[each]
    return found


def _draw(ax: "Axes", name: str, stored: Mapping[str, Any], color: str, *, alone: bool) -> None:
    table, curve, today = stored["table"], stored["curve"], float(stored["depth"])
    depth, mi = (curve[column].to_numpy(dtype=np.float64) for column in ("depth", "mi"))
    many = float(table["repeat"].max()) > 0
    ax.plot(table["depth"], table["mi"], "o", markersize=4, color=color, alpha=0.5 if many else 1, linewidth=0)
    ax.fill_between(depth, curve["ci_low"], curve["ci_high"], color=color, alpha=0.15, linewidth=0)
    measured = depth <= today
    ax.plot(depth[measured], mi[measured], color=color, label=_label(name, stored))
    ax.plot(depth[~measured], mi[~measured], color=color, linestyle="--")
    plateau = f"90 % of {float(stored['i_max']):.2f} bits"
    ends = {"today": f"today's depth ({today:,.0f})", "plateau": plateau} if alone else {}
    ax.plot(
        [today], [0], marker="|", markersize=14, color=color, linestyle="none", clip_on=False, label=ends.get("today")
    )
    depth_90 = float(stored["depth_90"])
    if np.isfinite(depth_90):
        height = float(np.interp(np.log(depth_90), np.log(depth), mi))
        reached = f"{ends['plateau']} ({depth_90:,.0f})" if ends else None
        ax.plot([depth_90], [height], "D", markersize=7, color=color, markerfacecolor="none", label=reached)


def _label(name: str, stored: Mapping[str, Any]) -> str:
    i_max, ubar = float(stored["i_max"]), float(stored["ubar"])
    if np.isinf(i_max):
        law = "no end in sight"
    elif np.isnan(ubar):
        law = "nothing shared"
    else:
        low, high = stored["i_max_ci"]
        law = f"{i_max:.2f} bits at unlimited depth (90 %: {low:.2f} to {high:.2f})"
    return f"{name}: {law}" if name else law
