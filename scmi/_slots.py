"""Reading what a tool was asked to work on out of AnnData, and guarding what it writes into."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._words import did_you_mean
from scmi.estimators.inputs.matrices import as_array
from scmi.estimators.inputs.stored import as_stored

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "are_real",
    "DEFAULT",
    "Default",
    "check_column",
    "check_groups",
    "check_is_anndata",
    "check_key_added",
    "check_values",
    "check_writable",
    "gene_mask",
    "group_rows",
    "holds",
    "layer_names",
    "masked_pmi",
    "matrix_of",
    "params_by_key",
    "rows_of_group",
    "values_of",
]


# Of a column's values, in a message.
MOST_SHOWN = 20


class Default(Enum):
    """Marks an argument that was not given, where None has a meaning of its own."""

    token = 0

    def __repr__(self) -> str:
        return "highly_variable if annotated"


DEFAULT = Default.token


def check_is_anndata(adata: object, name: str) -> None:
    """Raise unless it is an AnnData."""
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        way_out = ""
        if isinstance(modalities := getattr(adata, "mod", None), Mapping):
            way_out = f" Pass its modalities, as in `mdata[{next(iter(modalities), '')!r}]`: they are AnnData."
        raise TypeError(f"`{name}` must be an AnnData, got {type(adata).__name__}.{way_out}")


def check_key_added(key_added: object) -> None:
    """Raise for what can't name slots: in h5ad files a slash would part the name."""
    if not isinstance(key_added, str):
        raise TypeError(f"`key_added` must be a string, got {key_added!r}.")
    if not key_added or "/" in key_added:
        raise ValueError(f"`key_added` must be a name without '/', got {key_added!r}.")


def check_column(adata: "AnnData", argument: str, column: object, where: str = ".obs") -> None:
    """Raise unless the argument names a column of ``.obs``; ``where`` is what messages call that."""
    if not isinstance(column, Hashable):
        raise TypeError(f"`{argument}` must name one column of `.obs`, got {column!r}.")
    if column not in adata.obs.columns:
        hint = did_you_mean(column, adata.obs.columns)
        raise KeyError(f"Did not find `{argument}={column!r}` in `{where}`, which has {list(adata.obs.columns)}.{hint}")


def check_groups(argument: str, groups: object) -> None:
    """Raise unless several values are given; a string would be taken apart into its letters."""
    if isinstance(groups, str) or not isinstance(groups, Collection):
        raise TypeError(f"`{argument}` must be a list of values, got {groups!r}.")


def holds(adata: "AnnData", name: str, key: str, *parts: str) -> bool:
    """Whether a tool has stored these parts of a result in ``.uns[key]``."""
    check_is_anndata(adata, name)
    stored = adata.uns.get(key)
    return isinstance(stored, Mapping) and set(parts) <= set(stored)


def params_by_key(adata: "AnnData") -> dict[str, Mapping[str, Any]]:
    """What every result in ``.uns`` was asked for, by its key; what others keep there may have any form."""
    stored = {key: value.get("params") for key, value in adata.uns.items() if isinstance(value, Mapping)}
    return {key: params for key, params in stored.items() if isinstance(params, Mapping)}


def check_writable(adata: "AnnData", name: str, otherwise: str = "") -> None:
    """Raise for a view: results written to it would vanish with it. ``otherwise`` names another way out than a copy."""
    if adata.is_view:
        raise ValueError(
            f"`{name}` is a view, and results written to a view are lost with it. Pass a copy, "
            f"`day2 = adata[mask].copy()`{otherwise}."
        )


def layer_names(adata: "AnnData") -> list[str]:
    """What layers are called; anndata from 0.13 on lists `.X` among them, as None."""
    return [name for name in adata.layers if name is not None]


def group_rows(adata: "AnnData", groupby: str, groups: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the two groups of an ``.obs`` column."""
    check_column(adata, "groupby", groupby)
    named = [] if isinstance(groups, str | AbstractSet) or not isinstance(groups, Collection) else list(groups)
    several = [group for group in named if isinstance(group, Collection) and not isinstance(group, str | bytes)]
    if several:
        pooled = ", ".join(f"{value!r}: 'pooled'" for value in several[0])
        raise ValueError(
            f"`groups` names one value of `.obs[{groupby!r}]` for each side, got {groups!r}. To pool several, give "
            f"them one name in a column of their own, `adata.obs['pooled'] = adata.obs[{groupby!r}].astype(object)"
            f".replace({{{pooled}}})`, and pass `groupby='pooled'`."
        )
    if len(named) != 2 or named[0] == named[1]:
        raise ValueError(
            f"`groups` must name two different groups of `.obs[{groupby!r}]`, first and second, got {groups!r}."
        )
    labels = adata.obs[groupby]
    check_values("groups", named, f"`.obs[{groupby!r}]`", labels)
    first, second = (rows_of_group(labels, group) for group in named)
    return first, second


def check_values(argument: str, given: Collection[Any], where: str, labels: "pd.Series[Any]") -> None:
    """Raise where one of what was given is no value of a column: 4, say, where it holds the text "4"."""
    present = values_of(labels)
    for value in given:
        if value in present:
            continue
        alike = [one for one in present if str(one) == str(value) or _equal_as_numbers(one, value)]
        if alike:
            holds_text = isinstance(alike[0], str)
            hint = f" It holds {'text' if holds_text else 'numbers'}: pass {alike[0]!r}."
        else:
            hint = did_you_mean(value, present)
        shown = present if len(present) <= MOST_SHOWN else f"{len(present)} values, {present[:MOST_SHOWN]} among them"
        raise ValueError(f"`{argument}` names {value!r}, but {where} has {shown}.{hint}")


def values_of(labels: "pd.Series[Any]") -> list[Any]:
    """What a column holds, sorted, as Python's own types: 2.0 rather than np.float64(2.0) in messages."""
    present: list[Any] = labels.dropna().unique().tolist()
    try:
        return sorted(present)
    except TypeError:  # of types that have no order
        return sorted(present, key=str)


def _equal_as_numbers(one: object, other: object) -> bool:
    """Whether a text and a number, or two texts, are the same number: "2.0" and 2."""
    try:
        return float(str(one)) == float(str(other))
    except ValueError:
        return False


def rows_of_group(labels: "pd.Series[Any]", group: object) -> NDArray[np.int64]:
    """Rows with one label; a missing one, of whatever dtype, is no group."""
    equal = np.asarray((labels == group).fillna(False), dtype=bool)
    return np.flatnonzero(equal & labels.notna().to_numpy())


def masked_pmi(
    adata: "AnnData", key: str, mask_obs: str | NDArray[np.bool_] | None, *, local: bool = False
) -> NDArray[np.float64]:
    """The stored pMI of every cell, or of its neighbourhood, NaN outside the mask; some cell must have one."""
    column = f"{key}_pmi_local" if local else f"{key}_pmi"
    if column not in adata.obs.columns:
        if local and f"{key}_pmi" in adata.obs.columns:
            raise KeyError(
                f"Did not find `.obs[{column!r}]`: this pMI has no mean over neighbourhoods. Pass `smooth=1` for "
                "each cell's own."
            )
        raise KeyError(f"Did not find `.obs[{column!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    if not are_real(adata.obs[column].dtype):
        raise TypeError(f"`.obs[{column!r}]` is {adata.obs[column].dtype}, not numbers. Run `sm.tl.lmi` again.")
    values: NDArray[np.float64] = adata.obs[column].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    if isinstance(mask_obs, str):
        if mask_obs not in adata.obs.columns:
            raise KeyError(f"Did not find `mask_obs={mask_obs!r}` in `.obs`, which has {list(adata.obs.columns)}.")
        mask_obs = adata.obs[mask_obs]
    if mask_obs is not None:
        mask = _as_mask(mask_obs)
        if mask.dtype != bool or mask.shape != values.shape:
            raise ValueError(
                f"`mask_obs` must be boolean with one value per cell ({adata.n_obs}), got {mask.dtype} of shape "
                f"{mask.shape}."
            )
        if not mask.any():
            raise ValueError(f"`mask_obs` selects none of the {adata.n_obs} cells.")
        values[~mask] = np.nan
    if np.isnan(values).all():
        raise ValueError(f"`.obs[{column!r}]` has no value in any of the cells to use.")
    return values


def are_real(dtype: Any) -> bool:
    """Whether a column's values are real numbers; half of a complex one would be lost."""
    return bool(pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype))


def _as_mask(mask: Any) -> NDArray[Any]:
    """A boolean column, perhaps of a kind that knows of missing values, as plain booleans: what is missing is out."""
    if isinstance(mask, pd.Series) and pd.api.types.is_bool_dtype(mask.dtype):
        return np.asarray(mask.fillna(False), dtype=bool)
    if isinstance(mask, pd.api.extensions.ExtensionArray):
        return _as_mask(pd.Series(mask))
    return np.asarray(mask)


def matrix_of(
    adata: "AnnData",
    name: str,
    *,
    layer: str | None,
    use_rep: str | None,
    mask_var: str | NDArray[np.bool_] | None | Default,
) -> tuple[Any, str, Sequence[str] | None]:
    """The cells x features matrix that a tool was asked to use, the slot it is in, and its columns' names."""
    if use_rep is not None:
        if layer is not None or not isinstance(mask_var, Default):
            raise ValueError("`use_rep` names an `.obsm` entry; it can't be combined with `layer` or `mask_var`.")
        if use_rep not in adata.obsm:
            raise KeyError(f"Did not find `use_rep={use_rep!r}` in `{name}.obsm`, which has {list(adata.obsm)}.")
        rep = adata.obsm[use_rep]
        framed = isinstance(rep, pd.DataFrame)
        return (
            as_array(rep, f"{name}.obsm[{use_rep!r}]") if framed else rep,
            f"{name}.obsm[{use_rep!r}]",
            list(map(str, rep.columns)) if framed else None,
        )
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"Did not find `layer={layer!r}` in `{name}.layers`, which has {layer_names(adata)}.")
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise ValueError(f"`{name}.X` is None; pass `layer=` (one of {layer_names(adata)}) or `use_rep=`.")
    where = f"{name}.X" if layer is None else f"{name}.layers[{layer!r}]"
    mask = gene_mask(adata, name, mask_var)
    if mask is None:
        return matrix, where, adata.var_names
    stored = as_stored(matrix, where)
    return matrix[:, mask] if stored is None else stored.with_columns(mask), where, adata.var_names[mask]


def gene_mask(
    adata: "AnnData", name: str, mask_var: str | NDArray[np.bool_] | None | Default
) -> NDArray[np.bool_] | None:
    """Which genes a tool was asked to use; None for all."""
    if isinstance(mask_var, Default):
        if "highly_variable" not in adata.var.columns:
            return None
        mask_var = "highly_variable"
    if mask_var is None:
        return None
    if isinstance(mask_var, str):
        if mask_var not in adata.var.columns:
            raise KeyError(
                f"Did not find `mask_var={mask_var!r}` in `{name}.var`, which has {list(adata.var.columns)}."
            )
        column = adata.var[mask_var]
        if not pd.api.types.is_bool_dtype(column.dtype):
            raise TypeError(f"`mask_var` needs a boolean column, but `{name}.var[{mask_var!r}]` is {column.dtype}.")
        mask: NDArray[np.bool_] = _as_mask(column)
    else:
        mask = _as_mask(mask_var)
        if mask.dtype != bool or mask.shape != (adata.n_vars,):
            raise ValueError(
                f"`mask_var` must be a boolean array with one value per gene of `{name}` ({adata.n_vars}), "
                f"got {mask.dtype} of shape {mask.shape}."
            )
    if not mask.any():
        raise ValueError(f"`mask_var` leaves no gene of `{name}`; pass `mask_var=None` to use all genes.")
    return mask
