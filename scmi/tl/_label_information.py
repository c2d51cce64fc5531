"""What labels of cells are told by: the cells' expression, or labels of others with the same barcode."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._slots import DEFAULT, Default
from scmi.estimators.labels.joint import Weights
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import PairKey
from scmi.tl._labels_of_cells import label_information_of_cells
from scmi.tl._shared_labels import label_information_of_pairs
from scmi.typing import Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["label_information"]


@overload
def label_information(
    adata_a: "AnnData",
    adata_b: str | None = None,
    *,
    label_key: str | None = None,
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
) -> "AnnData | None": ...


@overload
def label_information(
    adata_a: "AnnData",
    adata_b: "AnnData",
    *,
    label_key: str | tuple[str, str],
    pair_key: PairKey = None,
    na_values: object = None,
    weights: Weights = "barcodes",
    strata: str | None = None,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "label_mi",
    copy: bool = False,
) -> "tuple[AnnData, AnnData] | None": ...


@overload
def label_information(
    adata_a: "AnnData",
    adata_b: str | None = None,
    *,
    label_key: str | tuple[str, str] | None = None,
    pair_key: PairKey,
    groupby: str,
    groups: Sequence[Any],
    na_values: object = None,
    weights: Weights = "barcodes",
    strata: str | None = None,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "label_mi",
    copy: bool = False,
) -> "AnnData | None": ...


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def label_information(
    adata_a: "AnnData",
    adata_b: "AnnData | str | None" = None,
    *,
    label_key: str | tuple[str, str] | None = None,
    pair_key: PairKey = None,
    groupby: str | None = None,
    groups: Sequence[Any] | None = None,
    na_values: object = None,
    weights: Weights = "barcodes",
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
) -> "AnnData | tuple[AnnData, AnnData] | None":
    """How much of a label (fate, cell type, cluster, drug) is told, in bits: by each cell, or by its relatives' labels.

    ``label_information(adata, "fate")`` asks how much of it is written in each cell. Calibrated models that never saw
    a cell's group (its clone, its donor) give the probability of every label from its expression. A cell's pMI is how
    much likelier they hold its label than its share of the cells says, log2 p(label | expression) / p(label). The mean
    over cells is the mutual information, from below by construction, and its share of the label's entropy says how much
    of what there is to know is there.

    ``label_information(blood, tumour, label_key="cluster", pair_key="clonotype")`` asks how much the labels of two
    populations tell of each other, through barcodes that their cells share: the mutual information of the table of
    both labels, less what other partners give (:func:`scmi.estimators.shared_label_information`). A cell's pMI is the
    mean over its partners of log2 p(a, b) / (p(a) p(b)). Expression isn't used. Where both populations are in one
    object, ``groupby="tissue", groups=("blood", "tumour")`` tells them apart, as in :func:`scmi.tl.lmi`.

    Parameters
    ----------
    adata_a
        The cells; or the first population; or both, with ``groupby`` and ``groups``.
    adata_b
        The second population; for one object the name of its labels, which ``label_key=`` may give as well.
    label_key
        ``.obs`` column of labels; cells without one are left out: NaN, None, -1 and texts such as "nan", "NA", "none"
        and "" are no labels, as they are no barcodes. (Rename "none" where it is one.) Or ``.obsm`` entry of counts,
        cells x labels, such as those of the fates of a cell's clone mates (:func:`scmi.pp.clone_fates`). For two
        populations also a pair of names ``(key_a, key_b)``.
    {pair_key}
        For two populations only, as the next four.
    {groupby}
    {groups}
    {na_values}
    {weights}
    groups_key
        ``.obs`` column (or ``.obsm`` matrix of clones) of what is predicted as a whole: clones, donors. Give it where
        there are clones: mates share their fate and lie near each other, and cells would be predicted from their own
        sisters. Cells without a group stand for themselves. For one object only, as all that is read of expression.
    strata
        ``.obs`` column (donor, batch): labels, or partners, are permuted within its values. Of two populations it is in
        both, the same for all cells of a barcode, and the number is what labels tell of each other within it.
    condition_on
        ``.obs`` column of labels (donor, batch, cluster): what is told beyond it. For one object only.
    {layer}
    {use_rep}
    {mask_var}
    model
        Only its ``n_permutations`` has a meaning here: how many permutations of the labels, or partners, the p-value is
        from, 0 for no test. None takes the default of :class:`scmi.LMI`.
    {rng}
    {key_added}
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copy or copies. Sets the following fields:

    `adata.obs["label_mi_pmi"]` : float Series
        pMI in bits; NaN for cells without a label, or of two populations without a partner.
    `adata.uns["label_mi"]` : dict
        `mi`, `se`, `ci` (90 %), `p` and `null`, `entropy` (of the label; of two populations the smaller of both) and
        `share` (of it), `n_cells`, `table` (DataFrame, a row per label), `confusion` (DataFrame, labels x labels, in
        bits; of two populations -inf for labels that are never together) and `params`. See
        :class:`scmi.estimators.LabelResult` and :class:`scmi.estimators.SharedLabelResult`.

    For one population also:

    `adata.obs["label_mi_pmi_local"]`, `adata.obs["label_mi_pmi_local_se"]` : float Series
        pMI's mean over the 30 cells nearest in principal components, and the standard error of that over groups.
    `adata.obsm["X_label_mi"]` : float32 array
        Cells x labels, in the order of the table: log2 p(label | expression) / p(label), whatever the cell's own is.
    `adata.var["label_mi_r2"]`, `["label_mi_r2_null"]`, `["label_mi_r2_p"]`, `["label_mi_r2_q"]` : float Series
        The share of a gene's variance that the labels' means explain in cells that these were not learned from, what
        5 % of the permutations of labels reach, p, and q over the genes. Not with ``use_rep``.
    `adata.uns["label_mi"]`
        `mi_ksg` and `n_groups`.

    For two populations, in both objects, or in the one that holds both:

    `adata.uns["label_mi"]`
        `mi_plugin` (the mean of the pMI over couples, before any correction), `n_barcodes`, `side` ("a" or "b"; table
        and rows of `confusion` are of the labels of this side; of one object "a", and `table_b` is that of the other);
        with ``strata`` also `strata` (DataFrame, a row each:
        `mi`, `se`, `p` and `n_barcodes`) and `mi_pooled` (from one table of all barcodes, of which pMI, `table` and
        `confusion` are).

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    TypeError
        If labels are numbers that are not whole.
    ValueError
        If an object is a view or empty; if there are fewer than two labels, or fewer than 20 groups or shared barcodes
        (:class:`scmi.estimators.TooFew`); if data are missing or infinite; if both populations hold the same cells; if
        a barcode has cells in several strata; if an option is given that has no meaning for one object, or for two.

    Warns
    -----
    UserWarning
        If labels occur in fewer than five groups, or the matrix looks like counts that were never logged; of two
        populations, what :func:`scmi.pp.pair_clones` warns of.

    References
    ----------
    Barber and Agakov (2003), The IM algorithm, for the bound from expression. Vinh, Epps and Bailey (2010), JMLR 11,
    2837, for the correction of a table of two labels.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> day2, day6 = (adata[adata.obs["day"] == day].copy() for day in ("2", "6"))
    >>> sm.tl.label_information(day6, "fate", groups_key="clone", model=sm.LMI(n_permutations=99))
    >>> 0 < day6.uns["label_mi"]["share"] < 1
    True

    And what the fates of a clone in two wells tell of each other:

    >>> one, two = (day6[day6.obs["well"] == well].copy() for well in ("1", "2"))
    >>> sm.tl.label_information(one, two, label_key="fate", pair_key="clone")
    >>> 0 < one.uns["label_mi"]["mi"] == two.uns["label_mi"]["mi"]
    True
    """
    for_pairs = {"pair_key": pair_key, "na_values": na_values, "weights": weights if weights != "barcodes" else None}
    for_cells = {
        "groups_key": groups_key,
        "condition_on": condition_on,
        "layer": layer,
        "use_rep": use_rep,
        "mask_var": None if isinstance(mask_var, Default) else "",
    }
    if isinstance(adata_b, str):
        if label_key is not None:
            raise TypeError(
                f"`label_key` is given twice, {adata_b!r} and {label_key!r}; the second argument is the other AnnData, "
                "or the name of the labels of one."
            )
        adata_b, label_key = None, adata_b
    if adata_b is None and groupby is None and groups is None:
        if not isinstance(label_key, str):
            raise TypeError(
                f"`label_key` must be the name of the labels in `.obs` or `.obsm`, got {label_key!r}; a pair of names "
                "needs `adata_b`, or `groupby` and `groups`."
            )
        _check_unused(
            for_pairs, "pairs cells of two populations: pass `adata_b`, or `groupby` and `groups`, or leave it out"
        )
        return label_information_of_cells(
            adata_a,
            label_key,
            groups_key=groups_key,
            strata=strata,
            condition_on=condition_on,
            layer=layer,
            use_rep=use_rep,
            mask_var=mask_var,
            model=model,
            rng=rng,
            key_added=key_added,
            copy=copy,
        )
    if label_key is None:
        raise TypeError("`label_key` is missing: the name of the labels in both populations, or a pair of names.")
    _check_unused(for_cells, "has no meaning for labels on both sides, which are paired by `pair_key`: leave it out")
    return label_information_of_pairs(
        adata_a,
        adata_b,
        label_key,
        pair_key=pair_key,
        groupby=groupby,
        groups=groups,
        na_values=na_values,
        weights=weights,
        strata=strata,
        model=model,
        rng=rng,
        key_added=key_added,
        copy=copy,
    )


def _check_unused(options: Mapping[str, object], why: str) -> None:
    """Raise for an option of the other form."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` {why}.")
