"""The Markov test: what the progenitor tells, beside what sisters share."""

from typing import TYPE_CHECKING, Any

import numpy as np

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi._words import p_in_words
from scmi.pl._null import draw_null
from scmi.pl._style import PALETTE, axes_or_new, draw_no_end, draw_zero, foreground, open_frame

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["markov_test"]

# Half the width of a column of permuted values, and how far the control of equal depth is set aside.
HALF_NULL, ASIDE = 0.18, 0.14
# Above the data for the legend, as a share of their height.
ROOM = 0.3


@with_shared_docs
def markov_test(adata: "AnnData", *, key: str = "markov_test", ax: "Axes | None" = None) -> "Axes":
    """The two estimates of the Markov test with their 90 % intervals, in bits, and the difference between them.

    Grey violins are the estimates under permuted partners, with their median. Open symbols are the same test at equal
    depth, and a dotted line is the ceiling that measurement noise leaves at the early time, where these controls were
    made.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.markov_test` has written to.
    {key}
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If no Markov test is stored under this key.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(400, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> test = sm.tl.markov_test(adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well")
    >>> ax = sm.pl.markov_test(adata)
    """
    if not holds(adata, "adata", key, "early_late", "late_late"):
        raise KeyError(
            f"Did not find `.uns[{key!r}]`. Run `sm.tl.markov_test` first, or pass its `key_added` as `key`."
        )
    stored: dict[str, Any] = adata.uns[key]
    ax = axes_or_new(ax, figsize=(4, 4))

    draw_zero(ax)
    arms = (stored["early_late"], stored["late_late"])
    control = stored.get("depth_matched")
    controls = (None, None) if control is None else (control["early_late"], control["late_late"])
    for x, (arm, lower, color) in enumerate(zip(arms, controls, PALETTE[:2], strict=True)):
        null = np.asarray(arm["null"], dtype=np.float64).ravel()
        if len(null):
            draw_null(ax, x, null, HALF_NULL, color="gray", label="permuted partners" if x == 0 else None)
        _draw_estimate(ax, x, arm, color)
        if lower is not None:
            label = f"at {int(stored['depth_matched']['depth']):,} counts per cell" if x == 0 else None
            _draw_estimate(ax, x - ASIDE, lower, color, markerfacecolor=ax.get_facecolor(), label=label)
    if "ceiling" in stored:
        ceiling = stored["ceiling"]
        between = "; ".join(ceiling["between"])
        ax.axhline(ceiling["mi"], color=PALETTE[2], linestyle=":", linewidth=1.5, label=f"ceiling: I({between})")
    _draw_difference(ax, stored)
    ax.set_xlim(-0.5, 1.75)
    ax.set_xticks([0, 1], ["\nto\n".join(arm["between"]) for arm in arms])
    ax.set_ylabel("mutual information (bits)")
    open_frame(ax)
    ax.autoscale_view()
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize="x-small")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + ROOM * (high - low))
    return ax


def _draw_estimate(ax: "Axes", x: float, arm: dict[str, Any], color: str, **style: Any) -> None:
    low, high = arm["ci"]
    if high == np.inf:
        draw_no_end(ax, x, arm["mi"], color)
    ax.errorbar(
        x,
        arm["mi"],
        yerr=None if np.isnan(low) or high == np.inf else [[arm["mi"] - low], [high - arm["mi"]]],
        fmt="o",
        color=color,
        capsize=3,
        **style,
    )


def _draw_difference(ax: "Axes", stored: dict[str, Any]) -> None:
    """A bracket to the right, from one estimate to the other."""
    color = foreground(ax)
    levels = stored["early_late"]["mi"], stored["late_late"]["mi"]
    bracket = {"arrowstyle": "|-|,widthA=.25,widthB=.25", "shrinkA": 0, "shrinkB": 0, "color": color}
    ax.annotate("", (1.28, levels[0]), (1.28, levels[1]), arrowprops=bracket)
    ax.hlines(levels[0], 0.08, 1.28, color=color, linestyle="--", linewidth=0.6)
    p = "" if np.isnan(stored["p"]) else f"\np {p_in_words(stored['p'])}"
    se = "" if np.isnan(stored["se"]) else f"\n± {stored['se']:.2f}"
    ax.text(1.33, np.mean(levels), f"{stored['difference']:+.2f}{se}\nbits{p}", va="center", fontsize="small")
