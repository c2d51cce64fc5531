"""What is left of an estimate once a covariate is known."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._slots import check_column
from scmi.estimators.inference.conditional import conditional_test
from scmi.estimators.inputs.checks import TooFew
from scmi.estimators.lmi import LMI

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Covariate", "condition", "covariate_of"]


class Covariate(NamedTuple):
    """What to condition on, for each row of x: codes from 0, or columns of numbers."""

    names: list[str]
    values: NDArray[Any]
    discrete: bool


def covariate_of(
    adata: "AnnData", rows: NDArray[np.int64], condition_on: str | Sequence[str], paired: NDArray[np.int64]
) -> Covariate:
    """Columns of ``.obs``: numbers, or one column of labels; those of paired cells must be known."""
    if not isinstance(condition_on, Iterable):
        raise TypeError(f"`condition_on` must name columns of `.obs`, got {condition_on!r}.")
    names = [condition_on] if isinstance(condition_on, str) else list(condition_on)
    for name in names:
        check_column(adata, "condition_on", name)
    frame = adata.obs[names].iloc[rows]
    numeric = [pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t) for t in frame.dtypes]
    discrete = len(names) == 1 and not numeric[0]
    if not discrete and not (names and all(numeric)):
        raise ValueError(
            f"`condition_on` must name one column of labels or columns of numbers, got {names} of types "
            f"{[str(t) for t in frame.dtypes]}; join labels into one column."
        )
    values: NDArray[Any] = (
        pd.factorize(frame[names[0]])[0].astype(np.int64) if discrete else frame.to_numpy(dtype=np.float64)
    )
    known = values >= 0 if discrete else np.isfinite(values).all(axis=1)
    missing = np.unique(paired[~known[paired]])
    if len(missing):
        raise ValueError(
            f"`.obs{names}`, given as `condition_on`, is missing or infinite in {len(missing)} paired cells; fill it, "
            "or drop their barcodes."
        )
    return Covariate(names, values, discrete)


def condition(model: LMI, covariate: Covariate, rng: np.random.Generator) -> dict[str, Any]:
    """Conditional information of the first random pairing and its test, as a dict for ``.uns``."""
    try:
        test = conditional_test(
            model.folds_, covariate.values, discrete=covariate.discrete, n_permutations=model.n_permutations, rng=rng
        )
    except TooFew as reason:
        missing = {"mi": np.nan, "p": np.nan, "null": np.empty(0), "n_pairs": 0, "missing": str(reason)}
        return {"on": covariate.names, **missing}
    return {
        "on": covariate.names,
        "mi": test.mi,
        "p": test.p,
        "null": test.null,
        "n_pairs": test.n_pairs,
        "missing": "",
    }
