"""pMI on a two-dimensional embedding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._slots import are_real, check_is_anndata, masked_pmi
from scmi.estimators.inputs.checks import check_counts, check_number
from scmi.estimators.inputs.matrices import as_array
from scmi.pl._style import PALETTE, check_one_each, legend_below, name_bar, open_frame, row_of_axes, spaced

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

__all__ = ["pmi_embedding"]

# Single values reach far out; colours should serve the many.
LIMIT_QUANTILES = (0.02, 0.98)
N_MARKED = 50
# Of all points together, as a share of the axes; half that of Scanpy's 120,000 / n in its default figure.
INK = 0.6
MAX_AREA = 30.0


@with_shared_docs
def pmi_embedding(
    adata: "AnnData | Sequence[AnnData]",
    *,
    basis: str | Sequence[str],
    key: str = "lmi",
    mask_obs: str | NDArray[np.bool_] | None = None,
    smooth: int | str | None = None,
    mark: tuple[str, float] | None = None,
    cmap: "str | Colormap" = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    vcenter: float | None = None,
    na_color: str = "lightgray",
    size: float | None = None,
    title: str | Sequence[str] | None = None,
    ax: "Axes | Sequence[Axes] | None" = None,
) -> "Axes | list[Axes]":
    """Pointwise mutual information of cells on an embedding, in bits (figure 6b of the paper).

    Cells without a value (unbarcoded, or of a barcode that is not shared) lie behind, in grey. The others are drawn in
    the order they are stored in, so that high values don't cover low ones. Several objects, such as the early and the
    late one, are drawn side by side in the same colours.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.lmi` has written to, or several.
    basis
        Embedding: ``"spring"`` finds ``.obsm["spring"]`` or ``.obsm["X_spring"]``. Or two ``.obs`` columns.
    {key}
    {mask_obs}
        These are coloured, as the early ones are in the paper's figure; the others are grey. For several objects, the
        name of a column of each.
    smooth
        What a cell's colour is the mean of, since its own value is noisy. By default of its neighbourhood in latent
        space, ``.obs["lmi_pmi_local"]``; else of neighbours that are coloured too: so many in the embedding, the cell
        itself among them (with 1, its own value); or the name of an ``.obsp`` graph, such as ``"connectivities"``,
        whose weights count, the cell itself with 1.
    mark
        ``.obs`` column of a pseudotime, and a value: a star at the middle of the coloured cells nearest to it.
    {cmap}
    vmin, vmax
        Colour limits in bits; by default the 2 % and 98 % quantiles, of all objects together.
    vcenter
        Bits that the middle of a diverging map stands for, such as ``vcenter=0, cmap="RdBu_r"``. Limits that are not
        given are equally far from it.
    na_color
        Colour of cells without a value.
    size
        Area of a coloured point; grey ones are half as large. By default chosen by the number of cells and the size of
        the axes.
    title
        Title, or one per object.
    {ax}
        For several objects, one each.

    Returns
    -------
    The axes; for several objects, a list of them.

    Raises
    ------
    KeyError
        If the estimate, the embedding, a column or the graph is missing.
    ValueError
        If the embedding is not two-dimensional, no cell to colour has a value, or ``vcenter`` is not between the
        limits.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> ax = sm.pl.pmi_embedding(adata, basis="spring")
    """
    import matplotlib.pyplot as plt

    single = not isinstance(adata, Sequence)
    adatas = [adata] if not isinstance(adata, Sequence) else list(adata)
    if not single and not isinstance(mask_obs, str | None):
        raise ValueError("For several objects, `mask_obs` must name a boolean `.obs` column of each.")
    if not adatas:
        raise ValueError("`adata` is an empty list; pass at least one object.")
    if vcenter is not None:
        check_number("vcenter", vcenter)
    panels = [_panel(one, basis, key, mask_obs, smooth, mark) for one in adatas]
    values = np.concatenate([panel.pmi for panel in panels])
    norm = _norm(values[~np.isnan(values)], vmin, vmax, vcenter)
    titles = [title] * len(panels) if title is None or isinstance(title, str) else list(title)
    check_one_each("title", titles, len(panels), "objects")
    width, height = plt.rcParams["figure.figsize"]
    axes = row_of_axes(ax, len(panels), "objects", (width * len(panels), height))

    names = [name.removeprefix("X_") for name in ([basis] if isinstance(basis, str) else basis)]
    if len(names) == 1:
        name = names[0].upper() if names[0] in {"spring", "umap"} else names[0]
        names = [f"{name}1", f"{name}2"]
    for one, panel, panel_title in zip(axes, panels, titles, strict=True):
        x, y = panel.points.T
        has_value = ~np.isnan(panel.pmi)
        area = _area(one, len(x)) if size is None else size
        one.scatter(x[~has_value], y[~has_value], s=area / 2, color=na_color, linewidths=0, rasterized=True)
        drawn = one.scatter(
            x[has_value],
            y[has_value],
            c=panel.pmi[has_value],
            s=area,
            cmap=cmap,
            norm=norm,
            linewidths=0,
            rasterized=True,
        )
        if panel.mark is not None and mark is not None:
            _draw_mark(one, panel.mark, f"{spaced(mark[0])} {mark[1]:g}")
        one.set(xticks=[], yticks=[], xlabel=names[0], ylabel=names[1], aspect="equal")
        if panel_title is not None:
            one.set_title(panel_title)
        open_frame(one)
    where = axes[0] if single else axes
    bar = axes[0].figure.colorbar(drawn, ax=where, extend="both", shrink=0.7)
    name_bar(bar, "pMI\n(bits)")
    return axes[0] if single else axes


def _norm(values: NDArray[np.float64], vmin: float | None, vmax: float | None, vcenter: float | None) -> "Normalize":
    """From bits to the colours of a map."""
    from matplotlib.colors import Normalize, TwoSlopeNorm

    low, high = (float(limit) for limit in np.quantile(values, LIMIT_QUANTILES))
    if vcenter is None:
        return Normalize(low if vmin is None else vmin, high if vmax is None else vmax)
    reach = max(abs(limit - vcenter) for limit in (low if vmin is None else vmin, high if vmax is None else vmax))
    first, last = vcenter - reach if vmin is None else vmin, vcenter + reach if vmax is None else vmax
    if not first < vcenter < last:
        raise ValueError(
            f"`vcenter={vcenter:g}` must be between the limits of the colours, {first:g} and {last:g} bits."
        )
    return TwoSlopeNorm(vcenter, first, last)


def _area(ax: "Axes", n_points: int) -> float:
    """In points squared, such that points of small axes don't bury each other."""
    box = ax.get_window_extent()
    return min(INK * box.width * box.height * (72 / ax.figure.dpi) ** 2 / n_points, MAX_AREA)


class _Panel(NamedTuple):
    """What is drawn of one object: where cells are, their values, and where the mark goes."""

    points: NDArray[np.float64]
    pmi: NDArray[np.float64]
    mark: NDArray[np.float64] | None


def _panel(
    adata: "AnnData",
    basis: str | Sequence[str],
    key: str,
    mask_obs: str | NDArray[np.bool_] | None,
    smooth: int | str | None,
    mark: tuple[str, float] | None,
) -> _Panel:
    check_is_anndata(adata, "adata")
    points = _coordinates(adata, basis)
    if not np.isfinite(points).all(axis=1).any():
        raise ValueError(f"`basis={basis!r}` has no cell with finite coordinates.")
    pmi = masked_pmi(adata, key, mask_obs, local=smooth is None)
    has_value = np.flatnonzero(~np.isnan(pmi))
    if mark is not None and not (isinstance(mark, tuple | list) and len(mark) == 2):
        raise TypeError(f"`mark` must be a pseudotime and its value, such as `('pseudotime', 0.5)`, got {mark!r}.")
    at = None if mark is None else _mark_at(adata, points, has_value, *mark)
    if smooth is not None:
        pmi[has_value] = _smoothed(adata, points, pmi, has_value, smooth)
    return _Panel(points, pmi, at)


def _coordinates(adata: "AnnData", basis: str | Sequence[str]) -> NDArray[np.float64]:
    if not isinstance(basis, str):
        if not isinstance(basis, Sequence):
            raise TypeError(f"`basis` must name an embedding or two `.obs` columns, got {basis!r}.")
        if len(basis) != 2:
            raise ValueError(f"`basis` must name an embedding or two `.obs` columns, got {list(basis)}.")
        for name in basis:
            if name not in adata.obs.columns:
                raise KeyError(f"Did not find {name!r} of `basis` in `.obs`, which has {list(adata.obs.columns)}.")
        for name in basis:
            if not are_real(adata.obs[name].dtype):
                raise TypeError(f"`.obs[{name!r}]` of `basis` is {adata.obs[name].dtype}; coordinates must be numbers.")
        return np.asarray(adata.obs[list(basis)].to_numpy(dtype=np.float64, na_value=np.nan))
    for name in (basis, f"X_{basis}"):
        if name in adata.obsm:
            points = np.asarray(as_array(adata.obsm[name], f"`.obsm[{name!r}]`"), dtype=np.float64)
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError(f"`.obsm[{name!r}]` has shape {points.shape}; a picture needs two dimensions.")
            return points
    raise KeyError(f"Did not find {basis!r} or 'X_{basis}' in `.obsm`, which has {list(adata.obsm)}.")


def _smoothed(
    adata: "AnnData",
    points: NDArray[np.float64],
    pmi: NDArray[np.float64],
    has_value: NDArray[np.intp],
    smooth: int | str,
) -> NDArray[np.float64]:
    values = pmi[has_value]
    if isinstance(smooth, str):
        if smooth not in adata.obsp:
            raise KeyError(f"Did not find `smooth={smooth!r}` in `.obsp`. Run `sc.pp.neighbors` first.")
        graph = adata.obsp[smooth][has_value][:, has_value]
        return np.asarray((graph @ values + values) / (graph @ np.ones_like(values) + 1))
    from scipy.spatial import KDTree

    check_counts(smooth=smooth)
    # A cell without coordinates is not drawn, and nobody's neighbour.
    placed = np.isfinite(points[has_value]).all(axis=1)
    near = points[has_value][placed]
    _, neighbours = KDTree(near).query(near, k=np.arange(1, min(smooth, len(near)) + 1))
    smoothed = values.copy()
    smoothed[placed] = values[placed][neighbours].mean(axis=1)
    return smoothed


def _mark_at(
    adata: "AnnData", points: NDArray[np.float64], has_value: NDArray[np.intp], pseudotime: str, value: float
) -> NDArray[np.float64]:
    """The cell in the middle of those nearest in pseudotime: a mean may lie where no cell is."""
    if pseudotime not in adata.obs.columns:
        raise KeyError(f"Did not find {pseudotime!r} of `mark` in `.obs`, which has {list(adata.obs.columns)}.")
    if not are_real(adata.obs[pseudotime].dtype):
        raise TypeError(f"`.obs[{pseudotime!r}]` of `mark` is {adata.obs[pseudotime].dtype}; it must be numbers.")
    distance = np.abs(adata.obs[pseudotime].to_numpy(dtype=np.float64, na_value=np.nan)[has_value] - value)
    distance[np.isnan(distance)] = np.inf
    if not np.isfinite(distance).any():
        raise ValueError(f"`.obs[{pseudotime!r}]` of `mark` is missing in all cells with a value.")
    nearest = np.argsort(distance, kind="stable")[:N_MARKED]
    near = points[has_value[nearest[np.isfinite(distance[nearest])]]]
    middle = np.linalg.norm(near - np.median(near, axis=0), axis=1).argmin()
    return np.asarray(near[middle])


def _draw_mark(ax: "Axes", at: NDArray[np.float64], label: str) -> None:
    ax.plot(*at, marker="*", markersize=13, color=PALETTE[1], markeredgecolor="white", linestyle="none", label=label)
    # Cells may be anywhere in the axes, and a title above.
    legend_below(ax, 0.25, fontsize="small", handletextpad=0.2)
