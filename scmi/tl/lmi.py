"""The main job: pair cells by barcode, estimate, and write pMI into the cells it came from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._logging import logger
from scmi._progress import progress_bar
from scmi._slots import (
    DEFAULT,
    Default,
    check_column,
    check_is_anndata,
    check_key_added,
    check_writable,
    group_rows,
)
from scmi.estimators._validation import as_generator
from scmi.estimators.attribution import held_out_information
from scmi.estimators.folds import check_enough
from scmi.estimators.plan import Null, Plan
from scmi.estimators.retraining import estimate_and_retrain
from scmi.estimators.settings import Objective, Settings, resolve_settings
from scmi.pp._barcodes import PairKey
from scmi.pp.pairs import match_clones
from scmi.tl._conditioned import conditioned, covariate_of
from scmi.tl._sides import Side, cells_of, side_of, warn_of_copies
from scmi.tl._stored import store

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["lmi"]


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
    n_pairings: int = 20,
    na_values: object = None,
    n_latent: int | None = None,
    k: int = 3,
    objective: Objective = "cross+infonce",
    preset: str | Settings = "default",
    n_permutations: int = 999,
    null: Null = "fixed",
    n_retrain: int = 0,
    strata: str | None = None,
    condition_on: str | Sequence[str] | None = None,
    rng: int | np.random.Generator | None = 0,
    device: str = "auto",
    n_jobs: int = -1,
    key_added: str = "lmi",
    progress: bool | None = None,
    copy: bool = False,
) -> "AnnData | tuple[AnnData, AnnData] | None":
    r"""Mutual information between two populations of cells, and the pointwise part of every cell, in bits.

    Pairs cells of the two populations that carry the same clonal barcode, learns a latent space for each side such that
    each predicts the other, and applies the KSG estimator there to barcodes that training never saw. The halves of
    the barcodes take turns, so that every cell with a shared barcode gets its pointwise mutual information (pMI): how
    much more likely than by chance this cell and its relative go together, log2 p(x, y) / (p(x) p(y)).

    Where a barcode has several cells, training sees a new random pairing every epoch, and ``n_pairings`` random
    pairings are estimated; a cell's pMI is the mean over the pairings it was estimated in.

    Objects may be backed by a file (``ad.read_h5ad(path, backed="r")``), and ``.X``, layers and representations may be
    Dask arrays. Of these, the genes to use are read once and kept if they take no more than 2 GiB a side, and otherwise
    read some cells at a time whenever they are needed. Results go into the object in memory, never into the file.

    Parameters
    ----------
    adata_a
        The first population, for example the cells of day 2; or both, with ``groupby`` and ``groups``.
    adata_b
        The second population. It may have other genes than the first.
    pair_key
        What pairs cells: the name of an ``.obs`` column, a pair of names ``(key_a, key_b)``, or the name of an
        ``.obsm`` matrix of cells x clones; None pairs cells of the same name, for modalities measured in the same
        cells. See :func:`scmi.pp.pair_clones`.
    groupby
        ``.obs`` column that tells the two populations apart, if both are in ``adata_a``.
    groups
        Its two values, first population first.
    layer
        Layer to use instead of ``.X``.
    use_rep
        ``.obsm`` entry to use instead of ``.X``. Genes are scaled to unit variance each; the columns of a representation
        keep their relative size, by which those of ``X_pca`` tell signal from noise.
    mask_var
        Genes to use: boolean ``.var`` column or array, or None for all; by default ``.var["highly_variable"]`` where
        it is annotated.
    n_pairings
        Random pairings to estimate.
    na_values
        Further barcode labels that mean "no barcode"; NaN, None, "", "NA" and "nan" always do.
    n_latent
        Latent dimensions of each side; None lets the training half of the barcodes choose.
    k
        Which neighbour sets the distance in KSG.
    objective
        What shapes the networks' latent spaces; see :class:`scmi.LMI`.
    preset
        ``"default"``, or ``"paper"`` for the published architecture and training.
    n_permutations
        Permutations of the partners for the p-value, of at most 700 pairs per fold; 0 for no test.
    null
        What the p-value compares with. ``"fixed"``: other partners for the held-out barcodes, the models as they are; exact,
        and a part of the time of the estimate. ``"retrain"``: the whole estimate, training included, on permuted
        partners (within ``strata``; one barcode of each group); exact too, at the time of ``n_permutations`` estimates,
        of which 99 will do. Ask for it to see what the procedure makes of data without dependence.
    n_retrain
        Further estimates of the same pairs, with other splits and seeds; their standard deviation becomes
        `mi_se_parts["retraining"]` and a part of `mi_se`. Each takes the time of the first one. Five tell it to a third,
        ten to a quarter. 0, the default, leaves it out; with fewer than a thousand barcodes it matters.
    strata
        ``.obs`` column (batch, well, library) of the first population. The test permutes partners within each stratum
        only, so that what a stratum tells about both sides does not count as significant.
    condition_on
        ``.obs`` column of labels, or columns of numbers (cell cycle scores, depth), of the first population. Also
        estimates how much the two populations share beyond it, by nearest neighbours in the same latent spaces: within
        labels, or given the numbers, with a p-value by permuting partners within labels (exact) or among the cells
        nearest in the numbers (approximate). See :mod:`scmi.estimators.conditional`.
    rng
        Seed or generator. The same seed on the same device gives the same numbers.
    device
        ``"auto"`` (cuda, then mps, then cpu) or a torch device name.
    n_jobs
        How many folds train at once; -1 for all. Threads of this process, unless a :func:`joblib.parallel_config` context
        says otherwise (a Dask cluster, say). The numbers don't depend on it.
    key_added
        Prefix of everything that is written.
    progress
        Show a progress bar; by default in terminals and notebooks only.
    copy
        Return changed copies instead of changing the objects.

    Returns
    -------
    None, or with ``copy=True`` the changed copies. Sets the following fields in both objects:

    `adata.obs["lmi_pmi"]` : float Series
        pMI in bits, the mean over the pairings the cell was estimated in; NaN for cells in no estimated pair.
    `adata.obs["lmi_pmi_sd"]` : float Series
        Standard deviation over those pairings; NaN if there are fewer than two.
    `adata.obs["lmi_n"]` : int Series
        How many estimated pairings the cell was in; 0 for cells in no pair.
    `adata.obsm["X_lmi"]` : float32 array
        Latent representation of every cell of the two populations, paired or not, from the first fold's encoders;
        NaN for cells of other groups.
    `adata.var["lmi_r2"]`, `adata.var["lmi_r2_null"]`, `adata.var["lmi_r2_p"]` : float Series
        How well the cross-decoders predict the gene from the other population, in pairs that training never saw: the
        share of its variance that they explain, what 5 % of the permutations of the partners reach, and the p-value
        among all of these, from their exact moments (:func:`scmi.estimators.attribution.summarise`). NaN for genes that were not used or don't vary. With ``groupby``, where both
        populations share ``.var``, these are the genes of the second group predicted from the first, and
        `lmi_r2_reverse` and so on those of the first predicted from the second. Not with ``use_rep``. Rank them with
        :func:`scmi.tl.gene_information`.
    `adata.uns["lmi"]` : dict
        `mi` (bits), `mi_corrected` (bits: the number to report; equal to `mi` unless `correction` says that what KSG
        misses in many dimensions was added), `mi_se`, `mi_se_parts` and `mi_ci` (standard error and 90 % interval of
        `mi`), `p_value` and `null` (the permutation test; see :class:`scmi.LMIResult`), `missing` (why an error or p is
        NaN), `drift` (DataFrame: `mean` and `sd` in bits of `n_subsets` subsets of `n_pairs` pairs with the `k`-th
        neighbour, of the first pairing) and `settled` (whether `mi` stands still as these vary; see :class:`scmi.LMIResult`), `conditional` (with ``condition_on``: `mi` in bits given the columns `on`, `p_value`, `null`, `n_pairs`, of the
        first random pairing), `n_pairs` (shared barcodes estimated), `mi_by_pairing` (bits), `history` (DataFrame),
        `pairs` (DataFrame: the cells of the first pairing, and which fold estimated them) and `params`.
        :func:`scmi.get.lmi` returns them tidy.

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    TypeError
        If an input is no AnnData, data are not numbers, or a count is no integer.
    ValueError
        If an object is a view or empty, both are the same, or a copy of a backed one is asked for; if no barcode, or too few, are shared; if one barcode
        covers nearly all cells; if data are missing or infinite; if a count is below 1. All before any training.

    Warns
    -----
    UserWarning
        If cells are exact copies of each other, one barcode covers an implausible share of the cells, or the matrix looks
        like counts that were never logged.

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
    plan = Plan(
        settings=resolve_settings(preset),
        common_scale=use_rep is not None,
        n_latent=n_latent,
        k=k,
        objective=objective,
        n_pairings=n_pairings,
        n_permutations=n_permutations,
        null=null,
        n_retrain=n_retrain,
        device=device,
        n_jobs=n_jobs,
    )
    if n_permutations == 0 and condition_on is not None:
        raise ValueError("`condition_on` is tested by permutation; `n_permutations` must be at least 1.")
    check_key_added(key_added)
    adata_a, adata_b = _prepare(adata_a, adata_b, groupby, groups, copy=copy)
    matrix_options = {"layer": layer, "use_rep": use_rep, "mask_var": mask_var}
    side_a, side_b = _sides(adata_a, adata_b, groupby, groups, matrix_options)
    clones = match_clones(
        cells_of(side_a), cells_of(side_b), pair_key, na_values=na_values, names=(side_a.name, side_b.name)
    )
    check_enough(clones.pairing, k)
    stratum = None if strata is None else _strata(side_a, strata, clones.pairing.rows_x)
    covariate = None
    if condition_on is not None:
        covariate = covariate_of(side_a.target, side_a.rows, condition_on, clones.pairing.rows_x)
    rng = as_generator(rng)
    warn_of_copies(side_a, clones.pairing.rows_x)
    warn_of_copies(side_b, clones.pairing.rows_y)

    with progress_bar(plan.n_trainings, progress, "LMI") as tick:
        result, models = estimate_and_retrain(
            side_a.matrix, side_b.matrix, clones.pairing, plan, strata=stratum, rng=rng, progress=tick
        )
    of_a, of_b = held_out_information(side_a.matrix, side_b.matrix, clones.pairing.groups, result, models)
    logger.info("%s in %d pairings", result, n_pairings)

    conditional = None
    if covariate is not None:
        conditional = conditioned(
            result,
            models,
            clones.pairing.groups,
            covariate,
            k=k,
            metric=plan.settings.metric,
            n_permutations=n_permutations,
            rng=rng.spawn(1)[0],
        )

    asked = {
        "pair_key": pair_key,
        "groupby": groupby,
        "groups": groups,
        "strata": strata,
        "condition_on": condition_on,
        **matrix_options,
    }
    store(side_a, side_b, result, (of_a, of_b), key_added, asked, conditional)
    if not copy:
        return None
    return adata_a if adata_b is None else (adata_a, adata_b)


def _prepare(
    adata_a: "AnnData",
    adata_b: "AnnData | None",
    groupby: str | None,
    groups: Sequence[Any] | None,
    *,
    copy: bool,
) -> tuple["AnnData", "AnnData | None"]:
    """Check the objects that will be written to, and copy them if asked."""
    check_is_anndata(adata_a, "adata_a")
    if adata_b is None and (groupby is None or groups is None):
        if groupby is not None:
            check_column(adata_a, "groupby", groupby)
            present = adata_a.obs[groupby].dropna().unique().tolist()
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
        if 0 in adata.shape:
            raise ValueError(f"`{name}` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
        if not copy:
            check_writable(adata, name, ", or the whole AnnData with `groupby=` and `groups=`")
        elif adata.isbacked:
            raise ValueError(
                f"`{name}` is backed by a file, and a copy would load it. Leave out `copy`: the file is not written to; "
                f"or load it, `{name} = {name}.to_memory()`."
            )
    if copy:
        return adata_a.copy(), None if adata_b is None else adata_b.copy()
    return adata_a, adata_b


def _sides(
    adata_a: "AnnData",
    adata_b: "AnnData | None",
    groupby: str | None,
    groups: Sequence[Any] | None,
    matrix_options: dict[str, Any],
) -> tuple[Side, Side]:
    if adata_b is None and groupby is not None and groups is not None:
        rows_a, rows_b = group_rows(adata_a, groupby, groups)
        names = [f"adata[{groupby} == {group!r}]" for group in groups]
        parts = ((names[0], adata_a, rows_a), (names[1], adata_a, rows_b))
    else:
        adata_b = adata_a if adata_b is None else adata_b
        parts = (("adata_a", adata_a, np.arange(adata_a.n_obs)), ("adata_b", adata_b, np.arange(adata_b.n_obs)))
    return side_of(*parts[0], matrix_options), side_of(*parts[1], matrix_options)


def _strata(side: Side, column: str, paired: NDArray[np.int64]) -> NDArray[np.int64]:
    """A label for each row of the first population, as integers; those of paired cells must be known."""
    check_column(side.target, "strata", column)
    codes, _ = pd.factorize(side.target.obs[column].iloc[side.rows])
    labels: NDArray[np.int64] = codes.astype(np.int64)
    missing = np.unique(paired[labels[paired] < 0])
    if len(missing):
        raise ValueError(
            f"`.obs[{column!r}]`, given as `strata`, is missing in {len(missing)} paired cells of `{side.name}`; fill it, "
            "or drop their barcodes."
        )
    return labels
