"""The main job: pair cells by barcode, estimate, and write pMI into the cells it came from."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import DEFAULT, Default, check_column, check_key_added
from scmi.estimators.inputs.checks import seeded
from scmi.estimators.inputs.pairing import check_enough
from scmi.estimators.lmi import LMI
from scmi.get import lmi as stored_lmi
from scmi.pp.barcodes import PairKey
from scmi.pp.pairs import match_clones
from scmi.tl._alternatives import naming_alternatives
from scmi.tl._model import as_model
from scmi.tl._sides import (
    MORE_CELLS,
    Population,
    cells_of,
    checked_objects,
    populations,
    side_of,
    warn_of_cells_on_both_sides,
    warn_of_copies,
)
from scmi.tl._stored import store
from scmi.typing import Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["lmi"]


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def lmi(
    adata_a: "AnnData",
    adata_b: "AnnData | None" = None,
    *,
    pair_key: PairKey = None,
    groupby: str | None = None,
    groups: Sequence[Any] | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    mask_var: str | NDArray[np.bool_] | None | Default = DEFAULT,
    na_values: object = None,
    same_cells: bool | None = None,
    strata: str | None = None,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "lmi",
    progress: bool | None = None,
    copy: bool = False,
) -> "AnnData | tuple[AnnData, AnnData] | None":
    r"""Mutual information between two populations of cells, and the pointwise part of every cell, in bits.

    Pairs cells of the two populations that carry the same clonal barcode, learns a latent space for each side such that
    each predicts the other, and applies the KSG estimator there to barcodes that training never saw. The halves of
    the barcodes take turns, so that every cell with a shared barcode gets its pointwise mutual information (pMI): how
    much more likely than by chance this cell and its relative go together, log2 p(x, y) / (p(x) p(y)).

    Where a barcode has several cells, training sees a new random pairing every epoch, and several random pairings
    (``n_pairings`` of the model) are estimated; a cell's pMI is the mean over the pairings it was estimated in.

    Objects may be backed by a file (``ad.read_h5ad(path, backed="r")``), and ``.X``, layers and representations may be
    Dask arrays. Of these, the genes to use are read once and kept if they take no more than 2 GiB a side, and otherwise
    read some cells at a time whenever they are needed. Results go into the object in memory, never into the file.

    Parameters
    ----------
    adata_a
        The first population, for example the cells of day 2; or both, with ``groupby`` and ``groups``.
    adata_b
        The second population. It may have other genes than the first.
    {pair_key}
    {groupby}
    {groups}
    {layer}
    {use_rep}
    {mask_var}
    {na_values}
    same_cells
        Whether cells of one name in both objects are the same cell, as in two modalities paired by clonotype; a cell is
        then not paired with itself. None decides by what they carry: the same cells if most cells of one name share a
        barcode, and names are more than numbers. What was decided is logged, and stored in `params`.
    {strata}
        Where both populations have the column, and a value in common, cells are paired within each stratum only: the
        same barcode in two mice is two clones.
    model
        How the estimate is made: an :class:`scmi.LMI` with the parameters wanted, such as
        ``sm.LMI(k=5, n_permutations=0)``; None takes the defaults. It is left fitted, so that
        :func:`scmi.tl.conditional_information`, ``score_pairs`` and ``save`` follow. Its own ``rng`` and ``progress``
        are not used.
    {rng}
    {key_added}
    {progress}
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copies. Sets the following fields in both objects:

    `adata.obs["lmi_pmi"]` : float Series
        pMI in bits, the mean over the pairings the cell was estimated in; NaN for cells in no estimated pair.
    `adata.obs["lmi_pmi_sd"]` : float Series
        Standard deviation over those pairings; NaN if there are fewer than two.
    `adata.obs["lmi_pmi_local"]` : float Series
        Mean pMI in bits of the cell's neighbourhood: the cells of its population nearest to it, itself among them, in
        the latent spaces of all folds, of those that have a pMI; a twentieth of these, but at least 30 and at most 200.
        One cell's pMI is noisy; this is what can be told of a cell, and what :func:`scmi.pl.pmi_embedding` shows.
    `adata.obs["lmi_pmi_local_se"]` : float Series
        Standard error of that mean over clones, in bits; NaN where the neighbourhood is of one clone. It holds what
        differs between clones, not what the estimate misses in neighbours alike, which is more.
    `adata.obs["lmi_n"]` : int Series
        How many estimated pairings the cell was in; 0 for cells in no pair.
    `adata.obsm["X_lmi"]` : float32 array
        Latent representation of every cell of the two populations, paired or not, from the first fold's encoders;
        NaN for cells of other groups.
    `adata.var["lmi_r2"]`, `adata.var["lmi_r2_null"]`, `adata.var["lmi_r2_p"]` : float Series
        How well the cross-decoders predict the gene from the other population, in pairs that training never saw: the
        share of its variance that they explain, what 5 % of the permutations of the partners reach, and the p-value
        among all of these, from their exact moments (:class:`scmi.estimators.FeatureInformation`). NaN
        for genes that were not used or don't vary. With ``groupby``, where both populations share ``.var``, these are
        the genes of the second group predicted from the first, and `lmi_r2_reverse` and so on those of the first
        predicted from the second. Not with ``use_rep``. Rank them with :func:`scmi.tl.gene_information`.
    `adata.uns["lmi"]` : dict
        `mi` (bits, the number to report) and `mi_ksg` (bits, the mean of the pMI; both are equal unless `correction`
        says that what KSG misses in many dimensions was added), `se`, `se_parts` and `ci` (standard error and 90 %
        interval of `mi`, up to infinity near the most that so many pairs can show), `p` and `null` (the permutation
        test; a DataFrame with `mi` in bits of every permutation), `missing` (why an error or p is NaN), `drift`
        (DataFrame: `mean` and `sd` in bits of `n_subsets` subsets of `n_pairs` pairs with the `k`-th neighbour, of the
        first pairing), `settled` (whether `mi_ksg` stands still as these vary) and `learning` (`growth` of `mi`
        from half of the barcodes to all and its `se`, what is `expected` with twice as many, in bits, and
        whether it has `levelled`: if not, `mi` is a lower bound); see :class:`scmi.LMIResult` for all of these.
        `n_pairs` (shared barcodes estimated), `mi_by_pairing` and `mi_by_split` (bits), `history` (DataFrame;
        no rows where no network was trained),
        `pairs` (DataFrame: the cells of the first pairing, and which fold estimated them) and `params`, enough to run
        it again. :func:`scmi.get.lmi` returns them tidy.

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    TypeError
        If an input is not an AnnData, data are not numbers, or a parameter of the model has the wrong type.
    ValueError
        If an object is a view or empty, both are the same, or a copy of a backed one is asked for; if no barcode, or
        too few, are shared; if one barcode covers nearly all cells; if data are missing or infinite; if a parameter is
        out of range. All before any training.

    Warns
    -----
    UserWarning
        If cells are exact copies of each other, one barcode covers an implausible share of the cells, or the matrix
        looks like counts that were never logged.

    References
    ----------
    Algorithms 1 and 5 and appendix A.4.2 of :cite:t:`Gowri2024`.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> bool(adata.obs["lmi_pmi"].notna().sum() == (adata.obs["lmi_n"] > 0).sum())
    True
    """
    model = as_model(model)
    check_key_added(key_added)
    adata_a, adata_b = checked_objects(adata_a, adata_b, groupby, groups, copy=copy)
    matrix_options = {"layer": layer, "use_rep": use_rep, "mask_var": mask_var}
    side_a, side_b = (side_of(*cells, matrix_options) for cells in populations(adata_a, adata_b, groupby, groups))
    in_strata = _strata_of_both(side_a, side_b, strata)
    with nullcontext() if groups is None else naming_alternatives(adata_a, str(groupby), groups, pair_key, na_values):
        clones = match_clones(
            cells_of(side_a),
            cells_of(side_b),
            pair_key,
            na_values=na_values,
            names=(side_a.name, side_b.name),
            same_cells=same_cells,
            strata=in_strata,
        )
        check_enough(clones.pairing, model.k, MORE_CELLS)
    stratum = None if strata is None else _strata(side_a, strata, clones.pairing.rows_x)
    generator, seed = seeded(rng)
    warn_of_copies(side_a, clones.pairing.rows_x)
    warn_of_copies(side_b, clones.pairing.rows_y)
    if pair_key is not None and not clones.same_cells:
        warn_of_cells_on_both_sides(side_a, side_b, clones.pairing)

    model.fit_pairing(
        side_a.matrix,
        side_b.matrix,
        clones.pairing,
        strata=stratum,
        common_scale=use_rep is not None,
        rng=generator,
        progress=progress,
    )
    model.result_.params["rng"] = seed
    asked = {
        "pair_key": pair_key,
        "groupby": groupby,
        "groups": groups,
        "same_cells": clones.same_cells,
        "strata": strata,
        **matrix_options,
    }
    store(side_a, side_b, model, key_added, asked, clones.pairing.groups)
    logger.info("%s and %s share %s", side_a.name, side_b.name, stored_lmi(side_a.target, key_added))
    if not copy:
        return None
    return adata_a if adata_b is None else (adata_a, adata_b)


def _strata_of_both(a: Population, b: Population, column: str | None) -> tuple[str, NDArray[Any], NDArray[Any]] | None:
    """The strata of the cells of both, if both populations have the column."""
    if column is None:
        return None
    check_column(a.target, "strata", column)
    if column not in b.target.obs.columns:
        return None
    of_a, of_b = (side.target.obs[column].iloc[side.rows].to_numpy(dtype=object) for side in (a, b))
    return column, of_a, of_b


def _strata(side: Population, column: str, paired: NDArray[np.int64]) -> NDArray[np.int64]:
    """A label for each row of the first population, as integers; those of paired cells must be known."""
    check_column(side.target, "strata", column)
    codes, _ = pd.factorize(side.target.obs[column].iloc[side.rows])
    labels: NDArray[np.int64] = codes.astype(np.int64)
    missing = np.unique(paired[labels[paired] < 0])
    if len(missing):
        raise ValueError(
            f"`.obs[{column!r}]`, given as `strata`, is missing in {len(missing)} paired cells of `{side.name}`; fill "
            "it, or drop their barcodes."
        )
    return labels
