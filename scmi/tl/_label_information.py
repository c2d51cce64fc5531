"""How much of a label is written in every cell."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import DEFAULT, Default, check_column, check_is_anndata, check_key_added, check_writable
from scmi._version import __version__
from scmi._writing import Slots, write_together
from scmi.estimators.inference.permutation import benjamini_hochberg
from scmi.estimators.inputs.checks import seeded
from scmi.estimators.inputs.pairing import linked
from scmi.estimators.labels.information import label_information as estimate
from scmi.estimators.labels.result import LabelResult
from scmi.estimators.labels.targets import as_targets
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import read_side
from scmi.tl._model import as_model
from scmi.tl._sides import Population, described, side_of
from scmi.tl._stored import derived_from, gene_columns
from scmi.typing import Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["group_codes", "label_information", "labels_of"]


@with_shared_docs
def label_information(
    adata: "AnnData",
    label_key: str,
    *,
    groups_key: str | None = None,
    strata: str | None = None,
    condition_on: str | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    mask_var: str | NDArray[np.bool_] | None | Default = DEFAULT,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "label_mi",
    copy: bool = False,
) -> "AnnData | None":
    """How much of a label (fate, cell type, cluster, drug, genotype) is written in each cell, in bits.

    Calibrated models that never saw a cell's group (its clone, its donor) give the probability of every label from its
    expression. A cell's pMI is how much likelier they hold its label than its share of the cells says,
    log2 p(label | expression) / p(label). The mean over cells is the mutual information, from below by construction,
    and its share of the label's entropy says how much of what there is to know is there.

    Parameters
    ----------
    adata
        The cells.
    label_key
        ``.obs`` column of labels; cells without one are left out. Or ``.obsm`` entry of counts, cells x labels, such as
        those of the fates of a cell's clone mates (:func:`scmi.pp.clone_fates`).
    groups_key
        ``.obs`` column (or ``.obsm`` matrix of clones) of what is predicted as a whole: clones, donors. Give it where
        there are clones: mates share their fate and lie near each other, and cells would be predicted from their own
        sisters. Cells without a group stand for themselves.
    strata
        ``.obs`` column: labels are permuted within its values.
    condition_on
        ``.obs`` column of labels (donor, batch, cluster): what is told beyond it.
    {layer}
    {use_rep}
    {mask_var}
    model
        Only its ``n_permutations`` has a meaning here: how many permutations of the labels the p-value is from, 0 for
        no test. None takes the default of :class:`scmi.LMI`.
    {rng}
    {key_added}
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copy. Sets the following fields:

    `adata.obs["label_mi_pmi"]` : float Series
        pMI in bits; NaN for cells without a label.
    `adata.obs["label_mi_pmi_local"]`, `adata.obs["label_mi_pmi_local_se"]` : float Series
        Its mean over the 30 cells nearest in principal components, and the standard error of that over groups.
    `adata.obsm["X_label_mi"]` : float32 array
        Cells x labels, in the order of the table: log2 p(label | expression) / p(label), whatever the cell's own is.
    `adata.var["label_mi_r2"]`, `["label_mi_r2_null"]`, `["label_mi_r2_p"]`, `["label_mi_r2_q"]` : float Series
        The share of a gene's variance that the labels' means explain in cells that these were not learned from, what
        5 % of the permutations of labels reach, p, and q over the genes. Not with ``use_rep``.
    `adata.uns["label_mi"]` : dict
        `mi`, `se`, `ci` (90 %), `p` and `null`, `entropy` (of the label) and `share` (of it), `mi_ksg`, `n_cells`,
        `n_groups`, `table` (DataFrame, a row per label), `confusion` (DataFrame, labels x labels) and `params`; see
        :class:`scmi.estimators.LabelResult` for all of these.

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    TypeError
        If labels are numbers that are not whole.
    ValueError
        If the object is a view or empty; if there are fewer than two labels, or fewer than 20 groups
        (:class:`scmi.estimators.TooFew`); if data are missing or infinite.

    Warns
    -----
    UserWarning
        If labels occur in fewer than five groups, or the matrix looks like counts that were never logged.

    References
    ----------
    Barber and Agakov (2003), The IM algorithm, for the bound.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> day6 = adata[adata.obs["day"] == "6"].copy()
    >>> sm.tl.label_information(day6, "fate", groups_key="clone", model=sm.LMI(n_permutations=99))
    >>> 0 < day6.uns["label_mi"]["share"] < 1
    True
    """
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


def labels_of(adata: "AnnData", label_key: str) -> Any:
    """A column of labels, or counts of them."""
    in_obs, in_obsm = label_key in adata.obs.columns, label_key in adata.obsm
    if in_obs and in_obsm:
        raise ValueError(f"`label_key={label_key!r}` names both a column of `.obs` and an entry of `.obsm`.")
    if in_obsm:
        return adata.obsm[label_key]
    check_column(adata, "label_key", label_key)
    return adata.obs[label_key]


def group_codes(adata: "AnnData", groups_key: str) -> NDArray[np.int64]:
    """A number for each group; cells without one are groups of their own, clones that share a cell are one group."""
    clones = read_side(adata, groups_key, "adata")
    n_clones = len(clones.labels)
    # Cells and clones, joined where a cell carries a clone.
    group: NDArray[np.int64] = linked(n_clones + adata.n_obs, clones.codes, n_clones + clones.rows)[n_clones:]
    return group


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
        "mi": result.mi,
        "se": result.se,
        "ci": list(result.ci),
        "p": result.p,
        "null": result.null,
        "entropy": result.entropy,
        "share": result.share,
        "mi_ksg": result.mi_ksg,
        "n_cells": result.n_cells,
        "n_groups": result.n_groups,
        "table": result.table.set_index(np.arange(len(result.table)).astype(str)),
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
