"""What labels of two objects tell of each other, through the barcodes that their cells share."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._logging import logger
from scmi._slots import check_column, check_key_added
from scmi._version import __version__
from scmi._writing import Slots, write_together
from scmi.estimators.inputs.checks import check_choice, seeded
from scmi.estimators.labels.couples import Strata, shared_labels
from scmi.estimators.labels.joint import Weights
from scmi.estimators.labels.result import SharedLabelResult
from scmi.estimators.labels.shared import strata_of_barcodes
from scmi.estimators.labels.targets import Targets, as_targets
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import PairKey, of_each_side
from scmi.pp.pairs import ClonePairs, hold_same_cells, match_clones
from scmi.tl._alternatives import naming_alternatives
from scmi.tl._labels_of_cells import labels_of
from scmi.tl._model import as_model
from scmi.tl._sides import checked_objects, populations
from scmi.tl._stored import derived_from, label_numbers, numbered
from scmi.typing import Bits, Index, Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["label_information_of_pairs"]


class Labelled(NamedTuple):
    """The cells of a population that have a label: its name, the object, their rows in it, and their labels."""

    name: str
    target: "AnnData"
    rows: Index
    labels: Targets

    @property
    def cells(self) -> "AnnData":
        """A view of them, where they are not all."""
        return self.target if len(self.rows) == self.target.n_obs else self.target[self.rows]


def label_information_of_pairs(
    adata_a: "AnnData",
    adata_b: "AnnData | None",
    label_key: str | tuple[str, str],
    *,
    pair_key: PairKey,
    groupby: str | None,
    groups: Sequence[Any] | None,
    na_values: object,
    weights: Weights,
    strata: str | None,
    model: LMI | None,
    rng: Rng,
    key_added: str,
    copy: bool,
) -> "AnnData | tuple[AnnData, AnnData] | None":
    """The estimate of :func:`scmi.tl.label_information` for two populations."""
    n_permutations = as_model(model).n_permutations
    check_key_added(key_added)
    check_choice("weights", weights, Weights)
    adata_a, adata_b = checked_objects(adata_a, adata_b, groupby, groups, copy=copy, expression=False)
    keys = of_each_side("label_key", label_key)
    a, b = (
        _labelled(*cells, key) for cells, key in zip(populations(adata_a, adata_b, groupby, groups), keys, strict=True)
    )
    with nullcontext() if groups is None else naming_alternatives(adata_a, str(groupby), groups, pair_key, na_values):
        found = match_clones(a.cells, b.cells, pair_key, na_values=na_values, names=(a.name, b.name), same_cells=False)
    if pair_key is not None and hold_same_cells(found.pairing, a.cells, b.cells):
        raise ValueError(
            "`adata_a` and `adata_b` hold the same cells, by name and barcode, and a cell's label tells itself. Pass "
            "two populations; for two labels of each cell `pair_key=None`; and if equal names are different cells, "
            "rename those of one object."
        )
    within = None if strata is None else _strata(a, b, found, strata)
    generator, seed = seeded(rng)
    result = shared_labels(a.labels, b.labels, found.pairing, weights, within, n_permutations, generator)
    logger.info("%s", result)
    asked = {
        "label_key": label_key,
        "pair_key": pair_key,
        "groupby": groupby,
        "groups": groups,
        "na_values": na_values,
        "weights": weights,
        "strata": strata,
        "n_permutations": n_permutations,
        "rng": seed,
        "version": __version__,
    }
    params = {name: value if isinstance(value, str | int) else _listed(value) for name, value in asked.items()}
    of_a, of_b = (_slots(side, i, result, key_added, params) for i, side in enumerate((a, b)))
    if adata_b is None:
        write_together(_joined(of_a, of_b, b.rows, key_added))
    else:
        write_together(of_a, of_b)
    if not copy:
        return None
    return adata_a if adata_b is None else (adata_a, adata_b)


def _labelled(name: str, adata: "AnnData", rows: Index, key: str) -> Labelled:
    given = labels_of(adata, key, name)
    labels = as_targets(given.iloc[rows] if hasattr(given, "iloc") else given[rows])
    labelled = np.flatnonzero(labels.shares.sum(axis=1) > 0)
    if not len(labelled):
        raise ValueError(f"No cell of `{name}` has a label in {key!r}, given as `label_key`.")
    return Labelled(name, adata, rows[labelled], labels._replace(shares=labels.shares[labelled]))


def _strata(a: Labelled, b: Labelled, found: ClonePairs, column: str) -> Strata:
    """The stratum of each barcode, which all cells that carry it on either side must have in common."""
    pairing, labels, barcode = found.pairing, [], []
    for side, indptr, rows in ((a, pairing.indptr_x, pairing.rows_x), (b, pairing.indptr_y, pairing.rows_y)):
        check_column(side.target, "strata", column, f"{side.name}.obs")
        labels.append(side.target.obs[column].to_numpy(dtype=object, na_value=np.nan)[side.rows[rows]])
        barcode.append(np.repeat(np.arange(len(pairing)), np.diff(indptr)))
    where = f"`.obs[{column!r}]`, given as `strata`,"
    return strata_of_barcodes(np.concatenate(labels), np.concatenate(barcode), found.barcodes.tolist(), where)


def _listed(value: Any) -> list[str] | None:
    """Names and labels in types that h5ad and zarr can hold."""
    if value is None:
        return None
    return list(map(str, value)) if isinstance(value, tuple | list | set | np.ndarray | pd.Index) else [str(value)]


def _slots(side: Labelled, i: int, result: SharedLabelResult, key: str, params: dict[str, Any]) -> Slots:
    adata = side.target
    table = (result.table_a, result.table_b)[i]
    stored: dict[str, Any] = {
        **label_numbers(result),
        "mi_plugin": result.mi_plugin,
        "n_barcodes": result.n_barcodes,
        "n_cells": (result.n_cells_a, result.n_cells_b)[i],
        "side": "ab"[i],
        "table": numbered(table),
        "confusion": result.confusion.T if i else result.confusion,
        "params": {name: value for name, value in params.items() if value is not None},
    }
    if "strata" in stored["params"]:
        stored |= {"mi_pooled": result.mi_pooled, "strata": numbered(result.strata)}
    of_one_object = (f"{key}_pmi_local", f"{key}_pmi_local_se")
    of_genes = (f"{key}_r2{end}" for end in ("", "_null", "_p", "_q"))
    return Slots(
        target=adata,
        obs={f"{key}_pmi": _spread((result.pmi_a, result.pmi_b)[i], side.rows, adata.n_obs)},
        uns={key: stored},
        stale_obs=[name for name in of_one_object if name in adata.obs.columns],
        stale_obsm=[f"X_{key}"] if f"X_{key}" in adata.obsm else [],
        stale_var=[name for name in of_genes if name in adata.var.columns],
        stale_uns=derived_from(adata, key),
    )


def _joined(of_a: Slots, of_b: Slots, rows_b: Index, key: str) -> Slots:
    """What is written of two populations of one object: each cell's pMI, and one result with the tables of both."""
    of_a.obs[f"{key}_pmi"][rows_b] = of_b.obs[f"{key}_pmi"][rows_b]
    of_a.uns[key]["table_b"] = of_b.uns[key]["table"]
    return of_a


def _spread(values: Bits, rows: Index, n: int) -> NDArray[np.float64]:
    """Values of some cells among those of all."""
    spread = np.full(n, np.nan)
    spread[rows] = values
    return spread
