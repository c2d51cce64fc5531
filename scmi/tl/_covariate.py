"""What to condition on."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._slots import are_real, check_column

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Covariate", "covariate_of"]


class Covariate(NamedTuple):
    """What to condition on, for each cell: codes from 0, or columns of numbers."""

    names: list[str]
    values: NDArray[Any]
    discrete: bool


def covariate_of(adata: "AnnData", on: str | Sequence[str], paired: NDArray[np.int64]) -> Covariate:
    """Columns of ``.obs``: numbers, or one column of labels; those of the paired cells must be known."""
    if not isinstance(on, Iterable):
        raise TypeError(f"`on` must name columns of `.obs`, got {on!r}.")
    names = [on] if isinstance(on, str) else list(on)
    for name in names:
        check_column(adata, "on", name)
    frame = adata.obs[names]
    numeric = [are_real(t) and not pd.api.types.is_bool_dtype(t) for t in frame.dtypes]
    discrete = len(names) == 1 and not numeric[0]
    if not discrete and not (names and all(numeric)):
        raise ValueError(
            f"`on` must name one column of labels or columns of numbers, got {names} of types "
            f"{[str(t) for t in frame.dtypes]}; join labels into one column."
        )
    values: NDArray[Any] = (
        pd.factorize(frame[names[0]])[0].astype(np.int64)
        if discrete
        else frame.to_numpy(dtype=np.float64, na_value=np.nan)
    )
    known = values >= 0 if discrete else np.isfinite(values).all(axis=1)
    missing = np.unique(paired[~known[paired]])
    if len(missing):
        raise ValueError(
            f"`.obs{names}`, given as `on`, is missing or infinite in {len(missing)} paired cells; fill it, "
            "or drop their barcodes."
        )
    return Covariate(names, values, discrete)
