"""What is left of an estimate once a covariate is known."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._slots import check_column
from scmi.estimators._neighbours import Metric
from scmi.estimators.conditional import local_permutation_test, within_strata
from scmi.estimators.folds import FoldModel
from scmi.estimators.heldout import HeldOut
from scmi.estimators.inference import permutation_test
from scmi.estimators.result import LMIResult
from scmi.estimators.uncertainty import MAX_PAIRS

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Covariate", "conditioned", "covariate_of"]


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
            f"`.obs{names}`, given as `condition_on`, is missing or infinite in {len(missing)} paired cells; fill it, or "
            "drop their barcodes."
        )
    return Covariate(names, values, discrete)


def conditioned(
    result: LMIResult,
    models: Sequence[FoldModel],
    groups: NDArray[np.int64],
    covariate: Covariate,
    *,
    k: int,
    metric: Metric,
    n_permutations: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Conditional information of the first random pairing and its test, as a dict for ``.uns``.

    Parameters
    ----------
    result, models
        The estimate, whose latent spaces are used as they are.
    groups
        The group of each barcode.
    covariate
        By row of x.
    k, metric
        As the estimate was made with.
    n_permutations
        Of the partners, within labels or among those nearest in the numbers.
    rng
        For the test.
    """
    folds, z = [], []
    for fold, model in enumerate(models):
        pairs = np.flatnonzero((result.fold == fold) & (result.pairs.pairing == 0))
        kept = np.sort(rng.permutation(len(pairs))[:MAX_PAIRS])
        values = covariate.values[result.pairs.row_x[pairs[kept]]]
        label = groups[result.pairs.barcode[pairs[kept]]]
        strata = values if covariate.discrete else None
        folds.append(HeldOut(model.reference_x[kept], model.reference_y[kept], groups=label, strata=strata))
        z.append(values)
    options: dict[str, Any] = {"metric": metric, "n_permutations": n_permutations, "rng": rng}
    try:
        if covariate.discrete:
            test = permutation_test(within_strata(folds, k), k, **options)
        else:
            test = local_permutation_test(folds, z, k, **options)
    except ValueError as reason:
        missing = {"mi": np.nan, "p_value": np.nan, "null": np.empty(0), "n_pairs": 0, "missing": str(reason)}
        return {"on": covariate.names, **missing}
    return {
        "on": covariate.names,
        "mi": test.mi,
        "p_value": test.p,
        "null": test.null,
        "n_pairs": test.n_pairs,
        "missing": "",
    }
