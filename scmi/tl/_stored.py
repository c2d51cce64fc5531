"""Writing an estimate into the slots of the cells and genes it came from."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._slots import Default, gene_mask, params_by_key
from scmi._writing import Slots, write_together
from scmi.estimators.inference.attribution import FeatureInformation
from scmi.estimators.inference.local import Side, local_pmi
from scmi.estimators.labels.result import LabelResult, SharedLabelResult
from scmi.estimators.lmi import LMI
from scmi.estimators.result import LMIResult
from scmi.tl._sides import Population, described
from scmi.typing import Bits, Index

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["REVERSE", "derived_from", "gene_columns", "label_numbers", "null_table", "numbered", "store"]

# Ends the names of the columns that tell how the first group's genes are predicted from the second, where both groups
# share one table of genes.
REVERSE = "_reverse"
# Columns of `.obs`, in bits; the number of pairings is beside them.
PER_CELL = ("pmi", "pmi_sd", "pmi_local", "pmi_local_se")


def store(
    side_a: Population,
    side_b: Population,
    model: LMI,
    key: str,
    asked: dict[str, Any],
    groups: NDArray[np.int64],
) -> None:
    """Write the slots that :func:`scmi.tl.lmi` names: all of them, or none if something goes wrong on the way.

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
    groups
        A label for each barcode; those that share cells share it.
    """
    result = model.result_
    one_object = side_a.target is side_b.target
    uns = {**_as_uns(result, asked), "pairs": _pairs(side_a, side_b, result)}
    of_a = _missing(side_a.target, key, result.z_x.shape[1], uns)
    of_b = of_a if one_object else _missing(side_b.target, key, result.z_y.shape[1], deepcopy(uns))
    sides: list[tuple[Side, Slots, Population, Index, NDArray[np.float32]]] = [
        ("x", of_a, side_a, result.pairs.row_x, result.z_x),
        ("y", of_b, side_b, result.pairs.row_y, result.z_y),
    ]
    for side, slots, of_side, paired, latent in sides:
        n, mean, sd = _per_cell(paired, result.pmi, len(of_side.rows))
        group = np.zeros(len(of_side.rows), dtype=np.int64)
        group[paired] = groups[result.pairs.barcode]
        local, local_se = local_pmi(model.folds_, side, of_side.matrix, mean, group)
        for name, values in zip((*PER_CELL, "n"), (mean, sd, local, local_se, n), strict=True):
            slots.obs[f"{key}_{name}"][of_side.rows] = values
        slots.obsm[f"X_{key}"][of_side.rows] = latent
    if asked["use_rep"] is None:
        reverse = REVERSE if one_object else ""
        of_a.var |= gene_columns(side_a, model.information_x_, asked["mask_var"], f"{key}_r2{reverse}")
        of_b.var |= gene_columns(side_b, model.information_y_, asked["mask_var"], f"{key}_r2")
    write_together(*([of_a] if one_object else [of_a, of_b]))


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
        "null": null_table(result.null),
        "missing": result.missing,
        "drift": result.drift.set_axis(result.drift.index.astype(str)),
        "settled": result.settled,
        "learning": {
            "growth": result.learning.growth,
            "se": result.learning.se,
            "expected": list(result.learning.expected),
            "levelled": result.learning.levelled,
        },
        "n_pairs": result.n_pairs,
        "mi_by_pairing": result.mi_by_pairing,
        "mi_by_split": result.mi_by_split,
        "history": history,
    }


def label_numbers(result: LabelResult | SharedLabelResult) -> dict[str, Any]:
    """What both forms of information about labels store alike."""
    return {
        "mi": result.mi,
        "se": result.se,
        "ci": list(result.ci),
        "p": result.p,
        "null": null_table(result.null),
        "entropy": result.entropy,
        "share": result.share,
    }


def null_table(null: Bits) -> pd.DataFrame:
    """Estimates under permutation, a row each: a frame prints its ends, where an array of 999 prints all of them."""
    return numbered(pd.DataFrame({"mi": null}))


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """With row names of text, as h5ad keeps them."""
    return table.set_index(np.arange(len(table)).astype(str))


def _pairs(side_a: Population, side_b: Population, result: LMIResult) -> pd.DataFrame:
    """The first pairing, by name, so that it survives when cells are dropped or put in another order."""
    chosen = np.flatnonzero((result.pairs.pairing == 0) & (result.fold >= 0))
    names = [
        side.target.obs_names[side.rows[rows[chosen]]].to_numpy(dtype=object)
        for side, rows in ((side_a, result.pairs.row_x), (side_b, result.pairs.row_y))
    ]
    index = np.arange(len(chosen)).astype(str)
    return pd.DataFrame({"cell_a": names[0], "cell_b": names[1], "fold": result.fold[chosen]}, index=index)


def _missing(adata: "AnnData", key: str, n_latent: int, uns: dict[str, Any]) -> Slots:
    """Every slot with its missing value; the cells that were estimated are written over it."""
    columns = [name + end for name in (f"{key}_r2", f"{key}_r2{REVERSE}") for end in ("", "_null", "_p", "_q")]
    return Slots(
        target=adata,
        obs={
            **{f"{key}_{name}": np.full(adata.n_obs, np.nan) for name in PER_CELL},
            f"{key}_n": np.zeros(adata.n_obs, dtype=np.int64),
        },
        obsm={f"X_{key}": np.full((adata.n_obs, n_latent), np.nan, dtype=np.float32)},
        uns={key: uns},
        stale_var=[name for name in columns if name in adata.var.columns],
        stale_uns=derived_from(adata, key),
    )


def derived_from(adata: "AnnData", key: str) -> list[str]:
    """What others made of an earlier result, under whatever name: a trend of old pMI would be drawn beside the new."""
    made_of = {name: params.get("key") for name, params in params_by_key(adata).items()}
    return [name for name, source in made_of.items() if isinstance(source, str) and source == key]


def gene_columns(
    side: Population, information: FeatureInformation, mask_var: str | NDArray[np.bool_] | None | Default, column: str
) -> dict[str, NDArray[np.float64]]:
    """R2, its null and p of the genes that were used, as columns of all genes."""
    mask = gene_mask(side.target, side.name, mask_var)
    used = slice(None) if mask is None else mask
    columns = {}
    for end, values in (("", information.r2), ("_null", information.null), ("_p", information.p)):
        columns[column + end] = np.full(side.target.n_vars, np.nan)
        columns[column + end][used] = values
    return columns


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
