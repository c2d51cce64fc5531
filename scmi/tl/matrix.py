"""Many estimates in one call: every pair of groups."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._progress import Tick, after, progress_bar
from scmi._slots import DEFAULT, Default, check_column, check_groups, check_is_anndata, check_key_added, check_writable
from scmi.estimators._validation import as_generator
from scmi.estimators.folds import check_enough, estimate
from scmi.estimators.inference import benjamini_hochberg
from scmi.estimators.plan import Plan
from scmi.estimators.settings import Objective, Settings, resolve_settings
from scmi.pp._barcodes import PairKey
from scmi.pp.pairs import match_clones
from scmi.tl._sides import Side, cells_of, described, side_of, warn_of_copies

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["lmi_matrix"]

COLUMNS = ("group_a", "group_b", "bits", "se", "ci_low", "ci_high", "p", "q", "n", "note")


def lmi_matrix(
    adata: "AnnData",
    *,
    pair_key: PairKey,
    groupby: str,
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
    rng: int | np.random.Generator | None = 0,
    device: str = "auto",
    n_jobs: int = -1,
    key_added: str = "lmi_matrix",
    progress: bool | None = None,
) -> None:
    """Mutual information between every two groups of cells (time points, fates, clusters), in bits.

    For each pair of groups the estimate of :func:`scmi.tl.lmi`, with models of its own. Pairs that share too few
    barcodes are listed with NaN and the reason.

    Parameters
    ----------
    adata
        Cells of all groups.
    pair_key
        What holds the barcodes: an ``.obs`` column or an ``.obsm`` matrix; see :func:`scmi.pp.pair_clones`.
    groupby
        ``.obs`` column of the groups.
    groups
        Groups to compare, in this order; by default all, in the order of the categories (or sorted).
    layer, use_rep, mask_var, n_pairings, na_values, n_latent, k, objective, preset, n_permutations, rng, device, n_jobs
        See :func:`scmi.tl.lmi`.
    key_added
        Where in ``.uns`` the table goes.
    progress
        Show a progress bar; by default in terminals and notebooks only.

    Returns
    -------
    None. Sets

    `adata.uns["lmi_matrix"]` : dict
        `table` (DataFrame, a row per pair of groups, which :func:`scmi.get.lmi_matrix` returns) and `params`. Its columns:
        ``group_a``, ``group_b``; ``bits``, the plain estimate, comparable between pairs, since no bias correction is applied to
        some and not to others; ``se``, ``ci_low`` and ``ci_high`` (90 %); ``p`` of the permutation test and ``q``, the same
        after Benjamini and Hochberg (among all pairs with q below .05, at most 5 % are expected to be false); ``n``
        barcodes; ``note``, why something is NaN.

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    ValueError
        If `adata` is a view or empty, a group is unknown, there are fewer than two, or no two can be estimated.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day")
    >>> sm.get.lmi_matrix(adata)[["group_a", "group_b"]].values.tolist()
    [['2', '4'], ['2', '6'], ['4', '6']]
    """
    plan = Plan(
        settings=resolve_settings(preset),
        common_scale=use_rep is not None,
        n_latent=n_latent,
        k=k,
        objective=objective,
        n_pairings=n_pairings,
        n_permutations=n_permutations,
        device=device,
        n_jobs=n_jobs,
    )
    check_key_added(key_added)
    check_is_anndata(adata, "adata")
    check_writable(adata, "adata", ", or the whole AnnData with `groupby=` and `groups=`")
    if 0 in adata.shape:
        raise ValueError(f"`adata` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
    chosen = _groups(adata, groupby, groups)
    matrix_options = {"layer": layer, "use_rep": use_rep, "mask_var": mask_var}
    sides = [_side(adata, groupby, group, matrix_options) for group in chosen]
    pairs = list(itertools.combinations(range(len(chosen)), 2))
    rows = []
    with progress_bar(plan.settings.n_folds * len(pairs), progress, "LMI") as tick:
        for i, ((a, b), own_rng) in enumerate(zip(pairs, as_generator(rng).spawn(len(pairs)), strict=True)):
            row = _row(sides[a], sides[b], pair_key, na_values, plan, own_rng, after(tick, plan.settings.n_folds * i))
            rows.append({"group_a": str(chosen[a]), "group_b": str(chosen[b]), **row})
    table = pd.DataFrame(rows)
    if table["bits"].isna().all():
        raise ValueError(f"No two groups of `.obs[{groupby!r}]` can be estimated. The first two: {table['note'][0]}")
    table["q"] = benjamini_hochberg(table["p"])
    table = table[list(COLUMNS)]
    table.index = table.index.astype(str)

    asked = {"pair_key": pair_key, "groupby": groupby, "groups": chosen, **matrix_options}
    kept = {name: getattr(plan, name) for name in ("n_pairings", "n_latent", "k", "objective", "n_permutations")}
    adata.uns[key_added] = {"params": described({**kept, **asked}), "table": table}


def _groups(adata: "AnnData", groupby: str, groups: Sequence[Any] | None) -> list[Any]:
    check_column(adata, "groupby", groupby)
    if groups is not None:
        check_groups("groups", groups)
    labels = adata.obs[groupby].astype("category").cat.remove_unused_categories()
    present = list(labels.cat.categories)
    chosen = present if groups is None else list(groups)
    unknown = [group for group in chosen if group not in present]
    if unknown or len(set(chosen)) < max(2, len(chosen)):
        raise ValueError(
            f"`groups` must name two or more different groups of `.obs[{groupby!r}]`, which has {present}; got {chosen}."
        )
    return chosen


def _side(adata: "AnnData", groupby: str, group: Any, matrix_options: dict[str, Any]) -> Side:
    rows = np.flatnonzero((adata.obs[groupby] == group).to_numpy(dtype=bool))
    return side_of(f"adata[{groupby} == {group!r}]", adata, rows, matrix_options)


def _row(
    a: Side,
    b: Side,
    pair_key: PairKey,
    na_values: object,
    plan: Plan,
    rng: np.random.Generator,
    progress: Tick,
) -> dict[str, Any]:
    """One estimate as a row of the table."""
    n = 0
    try:
        matched = match_clones(cells_of(a), cells_of(b), pair_key, na_values=na_values, names=(a.name, b.name))
        n = len(matched.barcodes)
        check_enough(matched.pairing, plan.k)
    except ValueError as reason:
        return {**dict.fromkeys(("bits", "se", "ci_low", "ci_high", "p"), np.nan), "n": n, "note": str(reason)}
    warn_of_copies(a, matched.pairing.rows_x)
    warn_of_copies(b, matched.pairing.rows_y)
    result, _ = estimate(a.matrix, b.matrix, matched.pairing, plan, rng=rng, progress=progress)
    return {
        "bits": result.mi,
        "se": result.se,
        "ci_low": result.ci[0],
        "ci_high": result.ci[1],
        "p": result.p,
        "n": result.n_pairs,
        "note": " ".join(result.missing.values()),
    }
