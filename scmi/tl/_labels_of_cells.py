"""How much of a label is written in every cell of one object."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._logging import logger
from scmi._slots import Default, check_column, check_is_anndata, check_key_added, check_writable, params_by_key
from scmi._version import __version__
from scmi._warnings import warn
from scmi._words import did_you_mean
from scmi._writing import Slots, write_together
from scmi.estimators.inference.permutation import benjamini_hochberg
from scmi.estimators.inputs.checks import seeded
from scmi.estimators.inputs.pairing import linked
from scmi.estimators.labels.information import label_information as estimate
from scmi.estimators.labels.result import LabelResult
from scmi.estimators.labels.targets import as_targets
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import read_side, some
from scmi.tl._model import as_model
from scmi.tl._sides import Population, described, side_of
from scmi.tl._stored import derived_from, gene_columns, label_numbers, numbered
from scmi.typing import Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["group_codes", "label_information_of_cells", "labels_of"]

# A share of cells that are not alone in their clone, of which there is a word.
CLONAL = 0.1
# What `pp.clone_fates` writes.
OF_FATES = ("clone_fates", "clone_fates_main")


def label_information_of_cells(
    adata: "AnnData",
    label_key: str,
    *,
    groups_key: str | None,
    strata: str | None,
    condition_on: str | None,
    layer: str | None,
    use_rep: str | None,
    mask_var: str | NDArray[np.bool_] | None | Default,
    model: LMI | None,
    rng: Rng,
    key_added: str,
    copy: bool,
) -> "AnnData | None":
    """The estimate of :func:`scmi.tl.label_information` for one object."""
    n_permutations = as_model(model).n_permutations
    check_is_anndata(adata, "adata")
    check_key_added(key_added)
    if not copy:
        check_writable(adata, "adata")
    if adata.n_obs == 0 or (adata.n_vars == 0 and use_rep is None):
        raise ValueError(f"`adata` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
    labels = labels_of(adata, label_key)
    groups = None if groups_key is None else group_codes(adata, groups_key)
    within = [
        None if name is None else _known(adata, argument, name, labels)
        for argument, name in (("strata", strata), ("condition_on", condition_on))
    ]
    if groups_key is None:
        _warn_of_clones(adata)
    side = side_of("adata", adata, np.arange(adata.n_obs), {"layer": layer, "use_rep": use_rep, "mask_var": mask_var})
    generator, seed = seeded(rng)
    result = estimate(
        side.matrix,
        labels,
        groups=groups,
        strata=within[0],
        condition_on=within[1],
        n_permutations=n_permutations,
        common_scale=use_rep is not None,
        rng=generator,
    )
    logger.info("%s", result)
    asked = {
        "label_key": label_key,
        "groups_key": groups_key,
        "strata": strata,
        "condition_on": condition_on,
        "layer": layer,
        "use_rep": use_rep,
        "mask_var": mask_var,
        "n_permutations": n_permutations,
        "rng": seed,
        "version": __version__,
    }
    if copy:
        adata = adata.copy()
    write_together(_slots(side._replace(target=adata), result, key_added, asked))
    return adata if copy else None


def labels_of(adata: "AnnData", label_key: str, name: str = "") -> Any:
    """A column of labels, or counts of them; ``name`` is what messages call the object."""
    in_obs, in_obsm = label_key in adata.obs.columns, label_key in adata.obsm
    if in_obs and in_obsm:
        raise ValueError(
            f"`label_key={label_key!r}` names both a column of `{name}.obs` and an entry of `{name}.obsm`."
        )
    if in_obsm:
        return adata.obsm[label_key]
    if not in_obs:
        known = [*map(str, adata.obs.columns), *adata.obsm]
        way_out = did_you_mean(label_key, known)
        if label_key in OF_FATES:
            way_out = " Run `sm.pp.clone_fates` first."
        elif not way_out:
            way_out = f" There are obs {some(known[: adata.obs.shape[1]], 20)} and obsm {some(list(adata.obsm), 20)}."
        raise KeyError(f"Did not find `label_key={label_key!r}` in `{name}.obs` or `{name}.obsm`.{way_out}")
    return adata.obs[label_key]


def group_codes(adata: "AnnData", groups_key: str) -> NDArray[np.int64]:
    """A number for each group; cells without one are groups of their own, clones that share a cell are one group."""
    clones = read_side(adata, groups_key, "adata")
    n_clones = len(clones.labels)
    # Cells and clones, joined where a cell carries a clone.
    group: NDArray[np.int64] = linked(n_clones + adata.n_obs, clones.codes, n_clones + clones.rows)[n_clones:]
    return group


def _warn_of_clones(adata: "AnnData") -> None:
    """Tell of barcodes by which cells were paired, where cells that share one are taken for independent here."""
    asked = [params.get("pair_key") for params in params_by_key(adata).values()]
    keys = [str(key) for of_result in asked if of_result is not None for key in np.atleast_1d(of_result)]
    for key in dict.fromkeys(keys):
        if (key in adata.obs.columns) == (key in adata.obsm):  # gone since, or no longer one thing
            continue
        n_cells = np.bincount(group_codes(adata, key))
        together = int(n_cells[n_cells > 1].sum())
        if together > CLONAL * adata.n_obs:
            warn(
                "cells of a clone",
                f"{together} of {adata.n_obs} cells share a barcode of `{key}` with others, and are taken for "
                "independent: what marks a clone then counts as telling of its label, and the estimate is too high. "
                f"Pass `groups_key={key!r}`, which keeps a clone's cells together.",
            )


def _known(adata: "AnnData", argument: str, column: str, labels: Any) -> NDArray[np.int64]:
    """Codes of a column that every labelled cell has to have."""
    check_column(adata, argument, column)
    codes, _ = pd.factorize(adata.obs[column])
    labelled = as_targets(labels).shares.sum(axis=1) > 0
    missing = int((codes[labelled] < 0).sum())
    if missing:
        raise ValueError(f"`.obs[{column!r}]`, given as `{argument}`, is missing in {missing} labelled cells; fill it.")
    known: NDArray[np.int64] = np.maximum(codes, 0).astype(np.int64)
    return known


def _slots(side: Population, result: LabelResult, key: str, asked: dict[str, Any]) -> Slots:
    adata, column, var = side.target, f"{key}_r2", {}
    if asked["use_rep"] is None:
        var = gene_columns(side, result.columns, asked["mask_var"], column)
        var[f"{column}_q"] = benjamini_hochberg(var[f"{column}_p"])
    stored = {
        **label_numbers(result),
        "mi_ksg": result.mi_ksg,
        "n_cells": result.n_cells,
        "n_groups": result.n_groups,
        "table": numbered(result.table),
        "confusion": result.confusion,
        "params": {name: value for name, value in described(asked).items() if value is not None},
    }
    return Slots(
        target=adata,
        obs={
            f"{key}_pmi": result.pmi,
            f"{key}_pmi_local": result.pmi_local,
            f"{key}_pmi_local_se": result.pmi_local_se,
        },
        obsm={f"X_{key}": result.log_odds.astype(np.float32)},
        var=var,
        uns={key: stored},
        stale_var=[
            name
            for name in (column + end for end in ("", "_null", "_p", "_q"))
            if name in adata.var.columns and name not in var
        ],
        stale_uns=derived_from(adata, key),
    )
