"""Column names of data frames, compared between fit and use in scikit-learn's words."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._warnings import warn

__all__ = ["check_aligned", "check_feature_names", "feature_names"]

Names = NDArray[np.object_]
SHOWN = 5


def feature_names(values: Any) -> Names | None:
    """Column names of a data frame (of any library) if all are text, and None for whatever has none."""
    columns = getattr(values, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.asarray(list(columns), dtype=object)


def check_feature_names(values: Any, fitted: Names | None, name: str) -> None:
    """Raise if columns are named otherwise than in fit; warn if they are named on one of the two occasions only."""
    given = feature_names(values)
    if given is None and fitted is None:
        return
    if fitted is None or given is None:
        text = (
            f"{name} has feature names, but LMI was fitted without feature names"
            if fitted is None
            else f"{name} does not have valid feature names, but LMI was fitted with feature names"
        )
        warn(f"feature names of {name}", text)
        return
    if np.array_equal(given, fitted):
        return
    message = f"The feature names of {name} should match those that were passed during fit.\n"
    for title, names in (
        ("Feature names unseen at fit time", sorted(set(given) - set(fitted))),
        ("Feature names seen at fit time, yet now missing", sorted(set(fitted) - set(given))),
    ):
        if names:
            lines = [f"- {each}\n" for each in names[:SHOWN]] + ["- ...\n"] * (len(names) > SHOWN)
            message += f"{title}:\n" + "".join(lines)
    if sorted(given) == sorted(fitted):
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(message)


def check_aligned(**given: Any) -> None:
    """Raise if two inputs name their rows alike but in another order, or only some of them.

    Row i of all is one sample. Names that have nothing in common say nothing, nor do the numbers that rows have by
    default: a series and itself a step later overlap in them. The same numbers backwards do.
    """
    named = {name: values.index for name, values in given.items() if isinstance(values, pd.DataFrame | pd.Series)}
    for (name, index), (other, others) in itertools.combinations(named.items(), 2):
        if len(index) != len(others) or index.equals(others):
            continue
        shared = index.isin(others).sum()
        numbered = isinstance(index, pd.RangeIndex) and isinstance(others, pd.RangeIndex)
        if not shared or (numbered and shared < len(index)):
            continue
        order = "in another order" if shared == len(index) else f"but for {len(index) - shared} rows"
        raise ValueError(
            f"`{name}` and `{other}` have the same row names {order}. Row i of both must be one sample: align them, as "
            f"in `{other}.loc[{name}.index]`, or pass `.to_numpy()` if the names mean nothing."
        )
