"""What several pictures share: colours, axes, and where legends go. None of it touches rcParams."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar

# Okabe and Ito's, which colour-blind readers tell apart and which show on white and on black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

# Length of the arrow for an interval without an upper end, in points.
NO_END = 18


def shade(number: int) -> str:
    """A colour of the palette, which starts anew where it ends."""
    return PALETTE[number % len(PALETTE)]


def foreground(ax: "Axes") -> Any:
    """The colour in which the style writes, and which can therefore be seen on its ground."""
    return ax.xaxis.label.get_color()


def axes_or_new(ax: "Axes | None", **figure: Any) -> "Axes":
    """The axes that were given, or those of a new figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained", **figure)
    return ax


def row_of_axes(
    ax: "Axes | Sequence[Axes] | None", n_panels: int, what: str, figsize: tuple[float, float]
) -> "list[Axes]":
    """As many axes as there are panels, side by side: those that were given, or those of a new figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, grid = plt.subplots(ncols=n_panels, squeeze=False, layout="constrained", figsize=figsize)
        return list(grid[0])
    axes = list(ax) if isinstance(ax, Sequence | np.ndarray) else [ax]
    check_one_each("ax", axes, n_panels, what)
    return axes


def check_one_each(name: str, given: Sequence[object], n: int, what: str) -> None:
    """Raise unless there is one entry for each."""
    if len(given) != n:
        raise ValueError(f"`{name}` has {len(given)} entries for {n} {what}.")


def draw_zero(ax: "Axes") -> None:
    """A thin line at zero bits, behind the data."""
    ax.axhline(0, color=foreground(ax), linewidth=0.6, zorder=0.5)


def draw_no_end(ax: "Axes", x: float, mi: float, color: str) -> None:
    """An arrow up from an estimate whose interval has no upper end."""
    arrow = {"arrowstyle": "<-", "color": color, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (x, mi), xytext=(0, NO_END), textcoords="offset points", arrowprops=arrow, annotation_clip=False)


def open_frame(ax: "Axes") -> None:
    """Leave only the sides that bear ticks."""
    ax.spines[["top", "right"]].set_visible(False)


def legend_above(ax: "Axes", borderaxespad: float = 0.2) -> None:
    """A legend on top of the axes, where no data can be."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize="x-small", borderaxespad=borderaxespad)


def legend_below(ax: "Axes", inches: float, **options: Any) -> None:
    """A legend under the axis label, this far below the axes; the data may fill these."""
    from matplotlib.transforms import ScaledTranslation

    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -inches, ax.figure.dpi_scale_trans),
        frameon=False,
        **options,
    )


def name_bar(bar: "Colorbar", name: str) -> None:
    """Say above a colour bar what it shows: beside it, the words would run into the axes to the right.

    In a short word, no wider than bar and ticks: layouts leave no room for titles at the side.
    """
    bar.ax.set_title(name, loc="left", fontsize="small")


def spaced(name: str) -> str:
    """A column's name as a label."""
    return name.replace("_", " ")
