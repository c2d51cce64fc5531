"""How much of each label is written in its cells."""

from typing import TYPE_CHECKING

import numpy as np

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi.estimators.inference.interval import interval
from scmi.pl._style import PALETTE, axes_or_new, foreground, legend_above, open_frame, spaced

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["label_information"]

INCHES_PER_LABEL = 0.28
BAR = 0.7


@with_shared_docs
def label_information(
    adata: "AnnData",
    *,
    key: str = "label_mi",
    color: str = PALETTE[0],
    ax: "Axes | None" = None,
) -> "Axes":
    """Bits that are told of every label, by expression or by the other population, beside all there are to know.

    A bar per label, from most to least: the mean pMI of its cells (of two populations corrected, as the table has it)
    with its 90 % interval. The pale bar behind it ends at -log2 p(label), what a cell of this label would tell if it
    were certain.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.label_information` has written to.
    key
        Key of the result, ``key_added`` of :func:`scmi.tl.label_information`.
    {color}
    {ax}

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If nothing is stored under this key.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> day6 = adata[adata.obs["day"] == "6"].copy()
    >>> sm.tl.label_information(day6, "fate", groups_key="clone", model=sm.LMI(n_permutations=0))
    >>> ax = sm.pl.label_information(day6)
    """
    if not holds(adata, "adata", key, "table", "params"):
        raise KeyError(f"Did not find `.uns[{key!r}]['table']`. Run `sm.tl.label_information` first.")
    stored = adata.uns[key]
    table = stored["table"].sort_values("pmi", kind="stable")
    ax = axes_or_new(ax, figsize=(4.8, 1.4 + INCHES_PER_LABEL * len(table)))
    at = np.arange(len(table))
    most, told = -np.log2(table["p"].to_numpy()), table["pmi"].to_numpy()
    half = np.array([interval(0.0, error)[1] for error in table["se"]])
    # No more can be told than there is to know.
    ends = half, np.clip(most - told, 0, half)
    ax.barh(at, most, height=BAR, color=color, alpha=0.2, linewidth=0, label="all there is to know, -log2 p(label)")
    by = "the other population's label" if "side" in stored else stored["params"].get("use_rep", "expression")
    ax.barh(at, told, height=BAR, color=color, linewidth=0, label=f"told by {by} (90 % interval)")
    ax.errorbar(told, at, xerr=ends, fmt="none", ecolor=foreground(ax), elinewidth=1, capsize=2)
    ax.axvline(0, color=foreground(ax), linewidth=0.6, zorder=0.5)
    ax.set(yticks=at, ylim=(-0.6, len(table) - 0.4), xlabel="bits about the label")
    ax.set_yticklabels(table["label"])
    label_key = stored["params"]["label_key"]
    ax.set_ylabel(spaced(label_key if isinstance(label_key, str) else label_key["ab".index(stored["side"])]))
    open_frame(ax)
    legend_above(ax)
    return ax
