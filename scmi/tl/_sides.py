"""One population of cells, as the tools hand it to the estimator."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scmi._slots import (
    DEFAULT,
    Default,
    check_column,
    check_is_anndata,
    check_writable,
    group_rows,
    holds,
    matrix_of,
    values_of,
)
from scmi._warnings import warn
from scmi.estimators.inputs.matrices import as_matrix, count_common, count_copies
from scmi.estimators.inputs.pairing import Pairing
from scmi.estimators.inputs.stored import Piece, Stored, as_stored, is_sparse, take_rows
from scmi.pp.recipe import MAX_LOG
from scmi.typing import Matrix

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "MORE_CELLS",
    "Cells",
    "Population",
    "cells_of",
    "checked_objects",
    "described",
    "populations",
    "side_of",
    "warn_of_cells_on_both_sides",
    "warn_of_copies",
]


# Equal cells on both sides, and their share, from which on they are told of.
FEWEST_COMMON, COMMON = 10, 0.05

# What to use where pairs are too few.
MORE_CELLS = "more cells, fewer filters, or another pair_key"

Cells = tuple[str, "AnnData", NDArray[np.int64]]


class Population(NamedTuple):
    """One population: its name in messages, the object it is written to, and its rows there."""

    name: str
    target: "AnnData"
    rows: NDArray[np.int64]
    matrix: Matrix


def checked_objects(
    adata_a: "AnnData",
    adata_b: "AnnData | None",
    groupby: str | None,
    groups: Sequence[Any] | None,
    *,
    copy: bool,
    expression: bool = True,
) -> tuple["AnnData", "AnnData | None"]:
    """Check the objects that will be written to, and copy them if asked; without ``expression`` they need no genes."""
    check_is_anndata(adata_a, "adata_a")
    if adata_b is None and (groupby is None or groups is None):
        if groupby is not None:
            check_column(adata_a, "groupby", groupby)
            present = values_of(adata_a.obs[groupby])
            raise ValueError(f"`groups` is missing: name the two to compare, of {present} in `.obs[{groupby!r}]`.")
        if groups is not None:
            raise ValueError(f"`groupby` is missing: name the `.obs` column that holds the groups {groups!r}.")
        raise ValueError(
            "`adata_b` is missing. Pass two AnnData, or one with `groupby=` and `groups=`, such as "
            '`groupby="day", groups=("2", "6")`.'
        )
    if adata_b is not None and (groupby is not None or groups is not None):
        raise ValueError("`groupby` and `groups` split one AnnData in two; with `adata_b` leave them out.")
    if adata_b is adata_a:
        raise ValueError(
            "`adata_a` and `adata_b` are the same object. To compare two groups of its cells, pass it once with "
            "`groupby=` and `groups=`."
        )
    for adata, name in ((adata_a, "adata_a"), (adata_b, "adata_b")):
        if adata is None:
            continue
        check_is_anndata(adata, name)
        if adata.n_obs == 0 or (expression and adata.n_vars == 0):
            raise ValueError(f"`{name}` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
        if not copy:
            whole = "" if adata_b is None else ", or the whole AnnData with `groupby=` and `groups=`"
            check_writable(adata, name, whole)
        elif adata.isbacked:
            raise ValueError(
                f"`{name}` is backed by a file, and a copy would load it. Leave out `copy`: the file is not written "
                f"to; or load it, `{name} = {name}.to_memory()`."
            )
    if copy:
        return adata_a.copy(), None if adata_b is None else adata_b.copy()
    return adata_a, adata_b


def populations(
    adata_a: "AnnData", adata_b: "AnnData | None", groupby: str | None, groups: Sequence[Any] | None
) -> tuple["Cells", "Cells"]:
    """The two populations, of one object or of two that were checked: what messages call each, and its cells."""
    if adata_b is None and groupby is not None and groups is not None:
        rows_a, rows_b = group_rows(adata_a, groupby, groups)
        names = [f"adata[{groupby} == {group!r}]" for group in groups]
        return (names[0], adata_a, rows_a), (names[1], adata_a, rows_b)
    adata_b = adata_a if adata_b is None else adata_b
    return ("adata_a", adata_a, np.arange(adata_a.n_obs)), ("adata_b", adata_b, np.arange(adata_b.n_obs))


def side_of(name: str, adata: "AnnData", rows: NDArray[np.int64], matrix_options: dict[str, Any]) -> Population:
    """Some rows of an object and the matrix that a tool was asked to use."""
    matrix, where, columns = matrix_of(adata, name, **matrix_options)
    if len(rows) < adata.n_obs:
        stored = as_stored(matrix, where)
        matrix = matrix[rows] if stored is None else stored.take(rows)
    checked = as_matrix(matrix, where, (adata.obs_names[rows], columns))
    if matrix_options["use_rep"] is None:
        _warn_of_counts(name, adata, matrix_options["layer"], checked)
    return Population(name, adata, rows, checked)


def _warn_of_counts(name: str, adata: "AnnData", layer: str | None, matrix: Matrix) -> None:
    """Warn of values that nobody seems to have logged; of what stays on disk nothing is known."""
    slot = "X" if layer is None else layer
    went_through_recipe = holds(adata, "adata", "recipe_lmi", "layer") and adata.uns["recipe_lmi"]["layer"] == slot
    if went_through_recipe or (layer is None and "log1p" in adata.uns) or isinstance(matrix, Stored):
        return
    read: Piece = matrix
    values = read.data if is_sparse(read) else read
    if values.size and values.min() >= 0 and values.max() > MAX_LOG:
        where = f"{name}.X" if layer is None else f"{name}.layers[{layer!r}]"
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


def warn_of_cells_on_both_sides(a: Population, b: Population, pairing: Pairing) -> None:
    """Warn of paired cells that both populations hold under different names: a cell tells all about itself."""
    of_a, of_b = (take_rows(side.matrix, np.unique(rows)) for side, rows in ((a, pairing.rows_x), (b, pairing.rows_y)))
    # What stays on disk is not read once more for this.
    if isinstance(of_a, Stored) or isinstance(of_b, Stored) or of_a.shape[1] != of_b.shape[1]:
        return
    common, copies = count_common(of_a, of_b)
    # Where either side has copies of its own, equal rows are what such data are like.
    if common >= FEWEST_COMMON and common > COMMON * min(of_a.shape[0], of_b.shape[0]) and common > copies:
        warn(
            f"common cells of {a.name} and {b.name}",
            f"{common} paired cells of `{b.name}` equal cells of `{a.name}` in every gene: are the same cells in both? "
            "A cell tells all about itself, so that the estimate is far too high. Leave them out of one side, or give "
            "cells the same names in both and pass `same_cells=True`.",
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
