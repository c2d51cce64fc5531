"""pMI on a two-dimensional embedding."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["pmi_embedding"]

# Single values reach far out; colours should serve the many.
LIMIT_QUANTILES = (0.02, 0.98)


def pmi_embedding(
    adata: "AnnData",
    *,
    basis: str,
    key: str = "lmi",
    cmap: "str | Colormap" = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    na_color: str = "lightgray",
    size: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Pointwise mutual information of each cell on an embedding, in bits (Fig. 6b of the paper).

    Cells without a value (unbarcoded, or of a barcode that is not shared) lie behind, in grey. Cells of high pMI are
    drawn last.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.lmi` has written to.
    basis
        Embedding: ``"spring"`` finds ``.obsm["spring"]`` or ``.obsm["X_spring"]``.
    key
        ``key_added`` of the estimate.
    cmap
        Colour map.
    vmin, vmax
        Colour limits in bits; by default the 2 % and 98 % quantiles.
    na_color
        Colour of cells without a value.
    size
        Area of a point; by default chosen by the number of cells, as Scanpy does.
    ax
        Axes to draw on; by default new ones.

    Returns
    -------
    The axes.

    Raises
    ------
    KeyError
        If the estimate or the embedding is missing.
    ValueError
        If the embedding is not two-dimensional, or no cell has a value.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> ax = sm.pl.pmi_embedding(adata, basis="spring")
    """
    import matplotlib.pyplot as plt

    points = _coordinates(adata, basis)
    pmi = _values(adata, f"{key}_pmi")
    has_value = ~np.isnan(pmi)
    low, high = np.quantile(pmi[has_value], LIMIT_QUANTILES)
    size = 120_000 / adata.n_obs if size is None else size
    if ax is None:
        _, ax = plt.subplots(layout="constrained")

    style = {"linewidths": 0, "rasterized": True}
    ax.scatter(*points[~has_value].T, s=size, color=na_color, **style)
    # A rare high value should not hide below many low ones.
    order = np.flatnonzero(has_value)[np.argsort(pmi[has_value], kind="stable")]
    drawn = ax.scatter(
        *points[order].T,
        c=pmi[order],
        s=2 * size,
        cmap=cmap,
        vmin=low if vmin is None else vmin,
        vmax=high if vmax is None else vmax,
        **style,
    )
    ax.figure.colorbar(drawn, ax=ax, label="pMI (bits)", extend="both", shrink=0.7)
    name = basis.removeprefix("X_")
    name = name.upper() if name in {"spring", "umap"} else name
    ax.set(xticks=[], yticks=[], xlabel=f"{name}1", ylabel=f"{name}2", aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _coordinates(adata: "AnnData", basis: str) -> NDArray[np.float64]:
    for name in (basis, f"X_{basis}"):
        if name in adata.obsm:
            points = np.asarray(adata.obsm[name], dtype=np.float64)
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError(f"`.obsm[{name!r}]` has shape {points.shape}; a picture needs two dimensions.")
            return points
    raise KeyError(f"Did not find {basis!r} or 'X_{basis}' in `.obsm`, which has {list(adata.obsm)}.")


def _values(adata: "AnnData", column: str) -> NDArray[np.float64]:
    if column not in adata.obs.columns:
        raise KeyError(f"Did not find `.obs[{column!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    values = adata.obs[column].to_numpy(dtype=np.float64)
    if np.isnan(values).all():
        raise ValueError(f"`.obs[{column!r}]` has no value in any of these {len(values)} cells.")
    return values
