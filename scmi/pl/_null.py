"""What permuted partners give, beside an estimate."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_null"]

# Fewer are drawn as they are.
FEWEST_OF_A_VIOLIN = 20


def draw_null(
    ax: "Axes", at: float, values: NDArray[np.float64], half_width: float, *, color: str, label: str | None
) -> None:
    """A violin about ``at`` with its median, or a few points side by side."""
    if len(values) < FEWEST_OF_A_VIOLIN:
        # In another order than that of the values, so that each is seen and no slope is.
        spread = np.linspace(-half_width, half_width, len(values)) if len(values) > 1 else np.zeros(1)
        x = at + np.random.default_rng(0).permutation(spread)
        ax.scatter(x, values, s=12, color=color, linewidths=0, label=label, zorder=0.7)
        return
    parts: dict[str, Any] = ax.violinplot([values], [at], widths=2 * half_width, showextrema=False)
    (body,) = parts["bodies"]
    body.set(facecolor=color, edgecolor="none", alpha=0.35, label=label, zorder=0.7)
    ax.hlines(np.median(values), at - half_width / 2, at + half_width / 2, color=color, linewidth=1, zorder=0.8)
