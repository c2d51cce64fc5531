"""Labels in the place of numbers: a column for each."""

from typing import Any

import numpy as np
import pandas as pd

from scmi._logging import logger
from scmi.typing import MatrixLike

from .matrices import as_array

__all__ = ["one_hot"]


def one_hot(values: MatrixLike, name: str) -> MatrixLike:
    """A column for every label of a vector of labels; anything else as it is."""
    labels: Any = values if hasattr(values, "dtype") else as_array(values, name)
    if getattr(labels, "ndim", 0) != 1 or getattr(labels.dtype, "kind", "O") not in "OUST":
        return values
    if pd.isna(labels).any():
        raise ValueError(f"{name} has {int(pd.isna(labels).sum())} missing labels; drop those rows first.")
    columns = pd.get_dummies(pd.Series(np.asarray(labels)), dtype=float)
    logger.info("%s holds labels: %d one-hot columns", name, columns.shape[1])
    return columns.to_numpy()
