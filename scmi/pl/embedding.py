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
    mask_obs: str | NDArray[np.bool_] | None = None,
    cmap: "str | Colormap" = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    na_color: str = "lightgray",
    size: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Pointwise mutual information of each cell on an embedding, in bits (Fig. 6b of the paper).

    Cells without a value (unbarcoded, or of a barcode that is not shared) lie behind, in grey. The others are drawn in
    the order they are stored in, so that high values don't cover low ones.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.lmi` has written to.
    basis
        Embedding: ``"spring"`` finds ``.obsm["spring"]`` or ``.obsm["X_spring"]``.
    key
        ``key_added`` of the estimate.
    mask_obs
        Cells to colour, boolean ``.obs`` column or array; the others are grey. As in the paper's figure, colour the
        early cells: ``mask_obs=adata.obs["day"] == "2"``.
    cmap
        Colour map.
    vmin, vmax
        Colour limits in bits; by default the 2 % and 98 % quantiles.
    na_color
        Colour of cells without a value.
    size
        Area of a coloured point; grey ones are half as large. By default chosen by the number of cells, as in Scanpy.
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
        If the embedding is not two-dimensional, or no cell to colour has a value.

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
    pmi = _values(adata, f"{key}_pmi", mask_obs)
    has_value = ~np.isnan(pmi)
    low, high = np.quantile(pmi[has_value], LIMIT_QUANTILES)
    size = 120_000 / adata.n_obs if size is None else size
    if ax is None:
        _, ax = plt.subplots(layout="constrained")

    x, y = points[:, 0], points[:, 1]
    ax.scatter(x[~has_value], y[~has_value], s=size / 2, color=na_color, linewidths=0, rasterized=True)
    drawn = ax.scatter(
        x[has_value],
        y[has_value],
        c=pmi[has_value],
        s=size,
        cmap=cmap,
        vmin=low if vmin is None else vmin,
        vmax=high if vmax is None else vmax,
        linewidths=0,
        rasterized=True,
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


def _values(adata: "AnnData", column: str, mask_obs: str | NDArray[np.bool_] | None) -> NDArray[np.float64]:
    if column not in adata.obs.columns:
        raise KeyError(f"Did not find `.obs[{column!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    values: NDArray[np.float64] = adata.obs[column].to_numpy(dtype=np.float64, copy=True)
    if isinstance(mask_obs, str):
        if mask_obs not in adata.obs.columns:
            raise KeyError(f"Did not find `mask_obs={mask_obs!r}` in `.obs`, which has {list(adata.obs.columns)}.")
        mask_obs = adata.obs[mask_obs].to_numpy()
    if mask_obs is not None:
        mask = np.asarray(mask_obs)
        if mask.dtype != bool or mask.shape != values.shape:
            raise ValueError(
                f"`mask_obs` must be boolean with one value per cell ({adata.n_obs}), got {mask.dtype} of shape "
                f"{mask.shape}."
            )
        values[~mask] = np.nan
    if np.isnan(values).all():
        raise ValueError(f"`.obs[{column!r}]` has no value in any of the cells to colour.")
    return values
