"""Writing an estimate into the slots of the cells and genes it came from."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._slots import Default, gene_mask, holds
from scmi.estimators.inference.attribution import FeatureInformation
from scmi.estimators.lmi import LMI
from scmi.estimators.result import LMIResult
from scmi.tl._sides import Population, described

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["REVERSE", "store"]

# Ends the names of the columns that tell how the first group's genes are predicted from the second, where both groups
# share one table of genes.
REVERSE = "_reverse"


def store(
    side_a: Population,
    side_b: Population,
    model: LMI,
    key: str,
    asked: dict[str, Any],
) -> None:
    """Write the slots that :func:`scmi.tl.lmi` names.

    Parameters
    ----------
    side_a, side_b
        The two populations, perhaps of one object.
    model
        The fitted model.
    key
        Prefix of everything that is written.
    asked
        Which slots the data came from, by the names of the function's arguments.
    """
    result = model.result_
    one_object = side_a.target is side_b.target
    for target in (side_a.target,) if one_object else (side_a.target, side_b.target):
        _clear(target, key, result.z_x.shape[1])
        target.uns[key] = {**_as_uns(result, asked), "pairs": _pairs(side_a, side_b, result)}
    _write_cells(side_a, result.pairs.row_x, result.pmi, result.z_x, key)
    _write_cells(side_b, result.pairs.row_y, result.pmi, result.z_y, key)
    if asked["use_rep"] is None:
        reverse = REVERSE if one_object else ""
        _write_genes(side_a, model.information_x_, asked["mask_var"], f"{key}_r2{reverse}")
        _write_genes(side_b, model.information_y_, asked["mask_var"], f"{key}_r2")


def _as_uns(result: LMIResult, asked: dict[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a result, in types that h5ad and zarr can hold."""
    history = pd.concat(
        [
            pd.DataFrame({"fold": fold, "step": h.step, "train": h.train, "validation": h.validation})
            for fold, h in enumerate(result.history)
        ],
        ignore_index=True,
    )
    history.index = history.index.astype(str)
    return {
        "params": described({**result.params, **asked}),
        "mi": result.mi,
        "mi_ksg": result.mi_ksg,
        "correction": result.correction,
        "se": result.se,
        "se_parts": result.se_parts,
        "ci": list(result.ci),
        "p": result.p,
        "null": result.null,
        "missing": result.missing,
        "drift": result.drift.set_axis(result.drift.index.astype(str)),
        "settled": result.settled,
        "n_pairs": result.n_pairs,
        "mi_by_pairing": result.mi_by_pairing,
        "history": history,
    }


def _pairs(side_a: Population, side_b: Population, result: LMIResult) -> pd.DataFrame:
    """The first pairing, by name, so that it survives when cells are dropped or put in another order."""
    chosen = np.flatnonzero((result.pairs.pairing == 0) & (result.fold >= 0))
    names = [
        side.target.obs_names[side.rows[rows[chosen]]].to_numpy(dtype=object)
        for side, rows in ((side_a, result.pairs.row_x), (side_b, result.pairs.row_y))
    ]
    index = np.arange(len(chosen)).astype(str)
    return pd.DataFrame({"cell_a": names[0], "cell_b": names[1], "fold": result.fold[chosen]}, index=index)


def _clear(adata: "AnnData", key: str, n_latent: int) -> None:
    """Fill every slot with its missing value; the cells that were estimated are written over it."""
    adata.obs[f"{key}_pmi"] = np.nan
    adata.obs[f"{key}_pmi_sd"] = np.nan
    adata.obs[f"{key}_n"] = 0
    adata.obsm[f"X_{key}"] = np.full((adata.n_obs, n_latent), np.nan, dtype=np.float32)
    for name in (f"{key}_r2", f"{key}_r2{REVERSE}"):
        for end in ("", "_null", "_p", "_q"):
            if name + end in adata.var.columns:
                del adata.var[name + end]
    # What others made of the earlier estimate, under whatever name: a trend of old pMI would be drawn beside the new.
    for name in [name for name in adata.uns if _is_derived(adata, name, key)]:
        del adata.uns[name]


def _is_derived(adata: "AnnData", name: str, key: str) -> bool:
    return holds(adata, "adata", name, "params") and dict(adata.uns[name]["params"]).get("key") == key


def _write_cells(
    side: Population, paired: NDArray[np.int64], pmi: NDArray[np.float64], latent: NDArray[np.float32], key: str
) -> None:
    n, mean, sd = _per_cell(paired, pmi, len(side.rows))
    obs, rows = side.target.obs, side.rows
    for column, values in ((f"{key}_pmi", mean), (f"{key}_pmi_sd", sd), (f"{key}_n", n)):
        whole = obs[column].to_numpy(copy=True)
        whole[rows] = values
        obs[column] = whole
    side.target.obsm[f"X_{key}"][rows] = latent


def _write_genes(
    side: Population, information: FeatureInformation, mask_var: str | NDArray[np.bool_] | None | Default, column: str
) -> None:
    mask = gene_mask(side.target, side.name, mask_var)
    used = slice(None) if mask is None else mask
    for end, values in (("", information.r2), ("_null", information.null), ("_p", information.p)):
        whole = np.full(side.target.n_vars, np.nan)
        whole[used] = values
        side.target.var[column + end] = whole


def _per_cell(
    paired: NDArray[np.int64], pmi: NDArray[np.float64], n_cells: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and standard deviation of a cell's pMI over the pairs it was estimated in."""
    estimated = ~np.isnan(pmi)
    paired, pmi = paired[estimated], pmi[estimated]
    n = np.bincount(paired, minlength=n_cells)
    total = np.bincount(paired, pmi, minlength=n_cells)
    mean = np.divide(total, n, out=np.full(n_cells, np.nan), where=n > 0)
    squares = np.bincount(paired, (pmi - mean[paired]) ** 2, minlength=n_cells)
    sd = np.sqrt(np.divide(squares, n - 1, out=np.full(n_cells, np.nan), where=n > 1))
    return n, mean, sd
