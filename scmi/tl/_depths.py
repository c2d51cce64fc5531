"""Whether samples that are compared were sequenced equally deep."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scmi._slots import are_real
from scmi.estimators.inputs.stored import as_stored
from scmi.typing import Index

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["depths_of", "in_words", "unequal"]

# A ratio of mean depths that is told of.
UNEQUAL = 1.2


def depths_of(adata: "AnnData", samples: Sequence[Index], counts_layer: str | None) -> list[float] | None:
    """Mean UMIs per cell of some samples.

    Counts are those of the layer that was named; where none was, of one called "counts", or what Scanpy's quality
    control left in ``.obs["total_counts"]``; None where there is neither.
    """
    if counts_layer is None and "total_counts" in adata.obs.columns and are_real(adata.obs["total_counts"].dtype):
        totals = adata.obs["total_counts"].to_numpy(dtype=np.float64)
    else:
        name = "counts" if counts_layer is None else counts_layer
        if name not in adata.layers or as_stored(adata.layers[name], name) is not None:
            return None
        totals = np.asarray(adata.layers[name].sum(axis=1), dtype=np.float64).ravel()
    depths = [float(totals[rows].mean()) for rows in samples]
    return depths if np.isfinite(depths).all() and min(depths) > 0 else None


def unequal(depths: Sequence[float]) -> bool:
    """Whether they differ enough to be told of."""
    return max(depths) > UNEQUAL * min(depths)


def in_words(depths: Sequence[float], names: Sequence[Any]) -> str:
    """Each sample's depth."""
    each = [f"{depth:,.0f} in {name}" for depth, name in zip(depths, names, strict=True)]
    return f"{', '.join(each[:-1])} and {each[-1]} UMIs per cell"
