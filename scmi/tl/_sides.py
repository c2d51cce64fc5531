"""One population of cells, as the tools hand it to the estimator."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scmi._slots import DEFAULT, Default, holds, matrix_of
from scmi._warnings import warn
from scmi.estimators.inputs.matrices import as_matrix, count_copies
from scmi.estimators.inputs.stored import Piece, Stored, as_stored, is_sparse, take_rows
from scmi.pp.recipe import MAX_LOG
from scmi.typing import Matrix

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Population", "cells_of", "described", "side_of", "warn_of_copies"]


class Population(NamedTuple):
    """One population: its name in messages, the object it is written to, and its rows there."""

    name: str
    target: "AnnData"
    rows: NDArray[np.int64]
    matrix: Matrix


def side_of(name: str, adata: "AnnData", rows: NDArray[np.int64], matrix_options: dict[str, Any]) -> Population:
    """Some rows of an object and the matrix that a tool was asked to use."""
    matrix, where, columns = matrix_of(adata, name, **matrix_options)
    if len(rows) < adata.n_obs:
        stored = as_stored(matrix, where)
        matrix = matrix[rows] if stored is None else stored.take(rows)
    checked = as_matrix(matrix, where, (adata.obs_names[rows], columns))
    if matrix_options["use_rep"] is None:
        _warn_of_counts(adata, matrix_options["layer"], checked)
    return Population(name, adata, rows, checked)


def _warn_of_counts(adata: "AnnData", layer: str | None, matrix: Matrix) -> None:
    """Warn of values that nobody seems to have logged; of what stays on disk nothing is known."""
    slot = "X" if layer is None else layer
    went_through_recipe = holds(adata, "adata", "recipe_lmi", "layer") and adata.uns["recipe_lmi"]["layer"] == slot
    if went_through_recipe or (layer is None and "log1p" in adata.uns) or isinstance(matrix, Stored):
        return
    read: Piece = matrix
    values = read.data if is_sparse(read) else read
    if values.size and values.min() >= 0 and values.max() > MAX_LOG:
        where = ".X" if layer is None else f".layers[{layer!r}]"
        warn(
            f"counts in {where}",
            f"`{where}` looks like counts: nothing is negative, the largest value is {values.max():.4g}, and `.uns` "
            "knows of no logarithm. A few highly expressed genes then hide what the others tell. Run "
            "`sm.pp.recipe_lmi` first.",
        )


def cells_of(side: Population) -> "AnnData":
    """The cells of a population, as a view where they are not all."""
    return side.target if len(side.rows) == side.target.n_obs else side.target[side.rows]


def warn_of_copies(side: Population, paired: NDArray[np.int64]) -> None:
    """Warn of paired cells that are exact copies of each other."""
    paired = np.unique(paired)
    copies = count_copies(take_rows(side.matrix, paired))
    if 0 < copies <= len(paired) // 2:  # of more, they are what discrete data are like
        warn(
            f"copies in {side.name}",
            f"{copies} of {len(paired)} paired cells of `{side.name}` are exact copies of another one: drop "
            "cells that are listed twice or empty, since each counts as a cell of its own.",
        )


def described(params: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, in types that h5ad and zarr can hold."""
    params = deepcopy(params)
    if isinstance(params["mask_var"], Default):
        params["mask_var"] = repr(DEFAULT)
    elif not isinstance(params["mask_var"], str | None):
        params["mask_var"] = "array"
    for name in {"pair_key", "groups", "times", "wells"} & set(params):
        if not isinstance(params[name], str | None):
            params[name] = list(map(str, params[name]))
    return params
