"""Labels in the place of numbers: a column for each."""

import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._logging import logger
from scmi._warnings import warn
from scmi.typing import Matrix, MatrixLike

from .matrices import as_array
from .stored import is_of

__all__ = ["entropy_of_labels", "one_hot", "warn_of_codes"]

# Whole numbers that recur so often, on average, may well be labels.
RECUR = 5


def one_hot(values: MatrixLike, name: str) -> MatrixLike:
    """A column for every label of a vector of labels; anything else as it is.

    Labels are text, or a column that its package calls categorical. A table of one such column is a vector.
    """
    labels = _labels(values, name)
    if labels is None:
        return values
    missing = int(pd.isna(labels).sum())
    if missing:
        raise ValueError(f"{name} has {missing} missing labels; drop those rows first.")
    columns = pd.get_dummies(pd.Series(labels), dtype=float)
    logger.info("%s holds labels: %d one-hot columns", name, columns.shape[1])
    return columns.to_numpy()


def entropy_of_labels(one_hot: NDArray[Any]) -> float:
    """H in bits of labels given as a column for each: the most that anything can tell about them."""
    share = one_hot.mean(axis=0)
    return float(-(share * np.log2(share)).sum())


def _labels(values: Any, name: str) -> NDArray[Any] | None:
    if isinstance(values, pd.DataFrame) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    elif is_of(values, "polars", "DataFrame") and values.shape[1] == 1:
        values = values.to_series()
    if isinstance(values, pd.Categorical | pd.Series | pd.Index) and isinstance(values.dtype, pd.CategoricalDtype):
        return np.asarray(values, dtype=object)
    if is_of(values, "polars", "Series"):
        polars: Any = sys.modules["polars"]
        if values.dtype in (polars.Categorical, polars.Enum, polars.String):
            return np.asarray(values.cast(polars.String).to_list(), dtype=object)
        return None
    if hasattr(values, "dtype") and getattr(values.dtype, "kind", "O") not in "OUST":
        return None
    if hasattr(values, "toarray") or hasattr(values, "obsm"):
        return None
    array = as_array(values, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "OUST":
        return None
    if array.dtype.kind == "O":
        kind = pd.api.types.infer_dtype(array, skipna=True)
        if kind in ("floating", "integer", "mixed-integer-float", "decimal", "boolean", "complex", "empty"):
            return None  # numbers in a vector of objects
        if kind not in ("string", "categorical"):
            raise TypeError(f"{name} mixes labels of different types ({kind}); convert it with `.astype(str)`.")
    return array.astype(object)


def warn_of_codes(matrix: Matrix, name: str) -> None:
    """Tell of one column of whole numbers that recur, and are taken as numbers."""
    if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "iu" or matrix.shape[1] != 1:
        return
    n_different = len(np.unique(matrix))
    if n_different > 2 and n_different * RECUR <= len(matrix):
        warn(
            f"codes of {name}",
            f"{name} is one column of whole numbers with {n_different} different values, taken as numbers. If they are "
            "codes of labels, pass text or a categorical instead (`.astype(str)`); if they are numbers, "
            "`.astype(float)` says so.",
        )
