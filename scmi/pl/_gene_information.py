"""Which genes carry the information, as a ranked dot plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._slots import holds, matrix_of
from scmi.estimators.inputs.checks import check_counts
from scmi.estimators.inputs.stored import is_sparse
from scmi.pl._style import PALETTE, foreground, legend_above, name_bar, open_frame, row_of_axes, spaced
from scmi.typing import Values

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["gene_information"]

# Places along pseudotime, and the cells nearest to one that its mean is of.
PLACES = 100
SHARE, FEWEST = 0.3, 30
# Of the range of pseudotime: a longer stretch without cells stays empty.
MAX_GAP = 0.1
# Of z-scores: genes that hardly change are to look so.
LEAST_LIMIT = 0.5


@with_shared_docs
def gene_information(
    adata: "AnnData",
    *,
    key: str = "lmi_genes",
    n_genes: int = 20,
    q: float = 0.05,
    pseudotime: str | None = None,
    mask_obs: str | NDArray[np.bool_] | None = None,
    layer: str | None = None,
    cmap: str = "RdBu_r",
    color: str = PALETTE[0],
    ax: "Axes | Sequence[Axes] | None" = None,
) -> "Axes | list[Axes]":
    """The genes that are most surely predicted from the other population's cells.

    Genes are in the order of the table, least p first: p says how surely a gene is predicted better than with other
    partners, and R2, which pays for a wrong scale as well, how well. A gene of larger R2 may therefore stand below.
    A dot per gene at its held-out R2, filled where its q-value is at most ``q`` and hollow elsewhere, beside a tick at
    the R2 that 5 % of the permutations of the partners reach. Ticks lie below 0: a prediction made for another cell is
    worse than the mean, the more so the more predictions vary. What counts is how far a dot is to the right of its
    tick, even where both are below 0. With ``pseudotime``, the genes' expression along it,
    beside the dots.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.gene_information` has written to.
    {key}
    n_genes
        How many genes, from the top of the table.
    q
        Largest q-value of filled dots.
    pseudotime
        ``.obs`` column to show expression along, NaN off the lineage: z-scores over the cells shown, at every place the
        mean of the three tenths of them (30 at least) that are nearest, by the tricube of their distance.
    {mask_obs}
        Their expression is shown.
    {layer}
    {cmap}
    {color}
    {ax}
        With ``pseudotime``, two.

    Returns
    -------
    The axes; with ``pseudotime`` a list of two.

    Raises
    ------
    KeyError
        If the table, the column or the layer is missing, or a gene is no longer in the object.
    ValueError
        If the mask doesn't fit, no cell to show has a pseudotime, or the number of axes is wrong.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> sm.tl.gene_information(adata)
    >>> ax = sm.pl.gene_information(adata, n_genes=10)
    """
    import matplotlib.pyplot as plt

    check_counts(n_genes=n_genes)
    if not holds(adata, "adata", key, "table"):
        raise KeyError(f"Did not find `.uns[{key!r}]`. Run `sm.tl.gene_information` first, or pass its `key_added`.")
    table: pd.DataFrame = adata.uns[key]["table"].iloc[:n_genes]
    along = None if pseudotime is None else _along(adata, list(table["gene"]), pseudotime, mask_obs, layer)
    n_panels = 1 if along is None else 2
    width, _ = plt.rcParams["figure.figsize"]
    figsize = (width * (0.7 if along is None else 1.2), 0.9 + 0.2 * len(table))
    axes = row_of_axes(ax, n_panels, "panels", figsize)

    _draw_dots(axes[0], table, q, color)
    if along is None:
        only: Axes = axes[0]
        return only
    edges, z = along
    limit = max(LEAST_LIMIT, float(np.nanmax(np.abs(z))))
    mesh = axes[1].pcolormesh(
        edges,
        np.arange(len(table) + 1) - 0.5,
        z,
        cmap=cmap,
        vmin=-limit,
        vmax=limit,
        rasterized=True,
    )
    axes[1].set(ylim=axes[0].get_ylim(), yticks=[], xlabel=spaced(str(pseudotime)))
    # Two or three: at the width of a column more would run into each other.
    axes[1].locator_params(axis="x", nbins=3, steps=[1, 2, 4, 5, 10])
    bar = axes[1].figure.colorbar(mesh, ax=axes[1], shrink=0.7)
    name_bar(bar, "z-score")
    axes[1].set_title("smoothed\nexpression", fontsize="medium")
    return axes


def _draw_dots(ax: "Axes", table: pd.DataFrame, q: float, color: str) -> None:
    faint = foreground(ax)
    at = np.arange(len(table))
    passed = (table["q"] <= q).to_numpy()
    r2, null = table["r2"].to_numpy(), table["null"].to_numpy()
    ax.axvline(0, color=faint, linewidth=0.6, zorder=0.5)
    ax.hlines(at, np.minimum(r2, null), np.maximum(r2, null), color=faint, linewidth=0.6, alpha=0.35, zorder=1)
    ax.plot(null, at, "|", color=faint, alpha=0.7, markersize=7, label="5 % of permutations")
    for chosen, fill, label in ((passed, color, f"q ≤ {q:g}"), (~passed, "none", f"q > {q:g}")):
        if chosen.any():
            ax.plot(
                r2[chosen],
                at[chosen],
                "o",
                markerfacecolor=fill,
                markeredgecolor=color,
                label=f"{label} ({int(chosen.sum())} of {len(table)})",
            )
    ax.set(xlabel="held-out $R^2$", yticks=at, ylim=(len(table) - 0.5, -0.5))
    ax.set_yticklabels(list(table["gene"]), fontsize="small")
    ax.set_ylabel("least p first")
    open_frame(ax)
    legend_above(ax)


def _along(
    adata: "AnnData", genes: list[str], pseudotime: str, mask_obs: str | NDArray[np.bool_] | None, layer: str | None
) -> tuple[Values, Values]:
    """Edges of places along pseudotime, and the smoothed z-score of every gene at each."""
    for name, what in ((pseudotime, "pseudotime"), (mask_obs, "mask_obs")):
        if isinstance(name, str) and name not in adata.obs.columns:
            raise KeyError(f"Did not find `{what}={name!r}` in `.obs`, which has {list(adata.obs.columns)}.")
    t = adata.obs[pseudotime].to_numpy(dtype=np.float64)
    mask = np.asarray(adata.obs[mask_obs] if isinstance(mask_obs, str) else True if mask_obs is None else mask_obs)
    if mask.dtype != bool or mask.shape not in ((), t.shape):
        raise ValueError(f"`mask_obs` must be boolean with one value per cell ({adata.n_obs}).")
    columns = adata.var_names.get_indexer(genes) if adata.var_names.is_unique else np.array([-1])
    if (columns < 0).any():
        raise KeyError("Genes of the table are not in `.var_names`, or these are not unique; run the tools again.")
    cells = np.flatnonzero(np.isfinite(t) & mask)
    cells = cells[np.argsort(t[cells], kind="stable")]
    if len(np.unique(t[cells])) < 2:
        raise ValueError(f"`.obs[{pseudotime!r}]` has fewer than two values in the cells to show.")
    matrix, _, _ = matrix_of(adata[:, columns], "adata", layer=layer, use_rep=None, mask_var=None)
    values = matrix[np.sort(cells)]
    values = np.asarray(values.toarray() if is_sparse(values) else values, dtype=np.float64)
    values = values[np.searchsorted(np.sort(cells), cells)]
    spread = values.std(axis=0)
    z = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return _smoothed(t[cells], z)


def _smoothed(t: Values, z: Values) -> tuple[Values, Values]:
    """Edges of places along sorted ``t``, and the means of the columns of ``z`` there, NaN far from all cells."""
    edges = np.linspace(t[0], t[-1], PLACES + 1)
    k = min(len(t), max(FEWEST, round(SHARE * len(t))))
    means = np.full((z.shape[1], PLACES), np.nan)
    for i, place in enumerate((edges[1:] + edges[:-1]) / 2):
        apart = np.abs(t - place)
        after = np.clip(np.searchsorted(t, place), 1, len(t) - 1)
        in_gap = t[after] - t[after - 1] > MAX_GAP * (t[-1] - t[0])
        if in_gap and apart.min() > edges[1] - edges[0]:
            continue
        # A little wider, so that the farthest of them counts too, and all where they are at one place.
        reach = np.partition(apart, k - 1)[k - 1] * (1 + 1e-3) + 1e-12 * (t[-1] - t[0])
        weights = np.maximum(0, 1 - (apart / reach) ** 3) ** 3
        means[:, i] = weights @ z / weights.sum()
    return edges, means
