"""Labels of every kind, as shares of each cell."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scmi.estimators.inputs.missing import means_missing
from scmi.typing import MatrixLike, Values

__all__ = ["Targets", "as_targets"]


class Targets(NamedTuple):
    """What is to be told of: cells x labels, shares that add up to 1 in each cell; and the labels' names."""

    shares: Values
    names: list[str]


def as_targets(labels: MatrixLike | ArrayLike) -> Targets:
    """Labels of every kind as shares; rows of zeros where there is none.

    NaN, None, -1 and texts such as "nan", "NA", "none" and "" are no labels, as they are no barcodes.
    """
    names: list[str] | None = None
    if isinstance(labels, pd.DataFrame):
        names = list(map(str, labels.columns))
        labels = labels.to_numpy()
    if hasattr(labels, "toarray"):
        labels = labels.toarray()
    if isinstance(labels, pd.Series | pd.Categorical | pd.api.extensions.ExtensionArray):
        return _of_vector(pd.Series(labels))
    array = np.asarray(labels)
    if array.ndim == 1:
        return _of_vector(pd.Series(array))
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise TypeError(f"`labels` must be one per cell, or counts of cells x labels, got {array.dtype} {array.shape}.")
    counts = array.astype(np.float64)
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("`labels` as counts must be finite and not negative; a cell without any is a row of zeros.")
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    present = shares.sum(axis=0) > 0
    names = [str(i) for i in range(counts.shape[1])] if names is None else names
    return Targets(shares[:, present], [name for name, is_there in zip(names, present, strict=True) if is_there])


def _of_vector(labels: "pd.Series[Any]") -> Targets:
    if pd.api.types.is_float_dtype(labels.dtype):
        values = labels.dropna().to_numpy(dtype=np.float64)
        if (values != np.round(values)).any():
            raise TypeError(
                "`labels` are numbers that are not whole. For numbers use `sm.lmi`, or cut them in classes."
            )
    if isinstance(labels.dtype, pd.CategoricalDtype):  # in the order of the categories
        labels = labels.cat.remove_unused_categories()
        codes, found = labels.cat.codes.to_numpy(), labels.cat.categories
    else:
        codes, found = pd.factorize(labels, sort=True)
    there = np.array([not means_missing(value) for value in found], dtype=bool)
    # The last entry is what -1, for NaN, points at.
    codes = np.append(np.where(there, np.cumsum(there) - 1, -1), -1)[codes]
    shares = np.zeros((len(labels), int(there.sum())))
    shares[codes >= 0, codes[codes >= 0]] = 1.0
    return Targets(shares, [_name(value) for value in found[there]])


def _name(label: object) -> str:
    """5.0 as "5": where labels are missing, pandas makes integers floats."""
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)
