"""Many estimates in one call: every pair of groups."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._progress import Tick, after, progress_bar
from scmi._slots import (
    DEFAULT,
    Default,
    check_column,
    check_groups,
    check_is_anndata,
    check_key_added,
    check_writable,
    gene_mask,
    rows_of_group,
)
from scmi._version import __version__
from scmi._warnings import one_of_a_kind, warn
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.permutation import benjamini_hochberg
from scmi.estimators.inputs.checks import TooFew, as_plain, seeded
from scmi.estimators.inputs.pairing import check_enough
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import PairKey
from scmi.pp.depth import Counts, counts_of
from scmi.pp.pairs import match_clones
from scmi.tl._depths import in_words, unequal
from scmi.tl._model import as_model
from scmi.tl._sides import MORE_CELLS, Population, cells_of, described, side_of, warn_of_copies
from scmi.typing import Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["lmi_matrix"]

OF_DEPTH = ("depth_a", "depth_b", "mi_equal_depth")
COLUMNS = ("group_a", "group_b", "mi", "mi_ksg", "se", "ci_low", "ci_high", "p", "q", "n_pairs", "note")


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def lmi_matrix(
    adata: "AnnData",
    *,
    pair_key: PairKey,
    groupby: str,
    groups: Sequence[Any] | None = None,
    counts_layer: str | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    mask_var: str | NDArray[np.bool_] | None | Default = DEFAULT,
    na_values: object = None,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "lmi_matrix",
    progress: bool | None = None,
) -> None:
    """Mutual information between every two groups of cells (time points, fates, clusters), in bits.

    For each pair of groups the estimate of :func:`scmi.tl.lmi`, with models of its own: the same number as that gives
    with the same seed. Pairs that share too few barcodes are listed with NaN and the reason.

    Parameters
    ----------
    adata
        Cells of all groups.
    {pair_key_within}
    groupby
        ``.obs`` column of the groups.
    groups
        Groups to compare, in this order; by default all, in the order of the categories (or sorted).
    counts_layer
        Layer of raw counts. Every pair is then estimated again with counts thinned to the depth of the poorest group
        (and normalised and logged), so that a difference in depth is not taken for one in information.
    layer, use_rep, mask_var, na_values
        See :func:`scmi.tl.lmi`.
    {model}
    {rng}
    {key_added_uns}
    {progress}

    Returns
    -------
    None. Sets

    `adata.uns["lmi_matrix"]` : dict
        `table` (DataFrame, a row per pair of groups, which :func:`scmi.get.lmi_matrix` returns) and `params`. Its
        columns: ``group_a``, ``group_b``; ``mi``, the number to report in bits; ``mi_ksg``, the mean of the pMI, which
        is what to compare between pairs, since a bias correction may be applied to some and not to others; ``se``,
        ``ci_low`` and ``ci_high`` (90 %) of ``mi``; ``p`` of the permutation test and ``q``, the same after Benjamini
        and Hochberg (among all pairs with q below .05, at most 5 % are expected to be false); ``n_pairs`` barcodes;
        ``note``, why something is NaN. With ``counts_layer`` also ``depth_a`` and ``depth_b``, the groups' mean UMIs
        per cell, and ``mi_equal_depth``, what ``mi_ksg`` is at the depth of the poorest.

    Raises
    ------
    KeyError
        If a column, layer or representation doesn't exist.
    ValueError
        If `adata` is a view or empty, a group is unknown, there are fewer than two, or no two can be estimated; or if
        ``counts_layer`` holds no counts.

    Warns
    -----
    UserWarning
        If groups were sequenced to different depths, and that moves an estimate by more than its error.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day")
    >>> sm.get.lmi_matrix(adata)[["group_a", "group_b"]].values.tolist()
    [['2', '4'], ['2', '6'], ['4', '6']]
    """
    model = as_model(model)
    check_key_added(key_added)
    check_is_anndata(adata, "adata")
    check_writable(adata, "adata", ", or the whole AnnData")
    if 0 in adata.shape:
        raise ValueError(f"`adata` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
    chosen = _groups(adata, groupby, groups)
    matrix_options = {"layer": layer, "use_rep": use_rep, "mask_var": mask_var}
    sides = [_side(adata, groupby, group, matrix_options) for group in chosen]
    pairs = list(itertools.combinations(range(len(chosen)), 2))
    rows: list[dict[str, Any]] = []
    n_trainings = model.n_trainings
    generator, seed = seeded(rng)
    # Each pair gets the seed that `tl.lmi` would, so that its number does not depend on what is estimated beside it.
    own_seed = int(generator.integers(2**63)) if seed is None else seed
    equal = None if counts_layer is None else _equally_deep(adata, sides, counts_layer, mask_var, own_seed)
    n_estimates = len(pairs) * (1 if equal is None else 2)
    untested = clone(model).set_params(n_permutations=0, n_retrain=0)
    with one_of_a_kind(), progress_bar(n_trainings * n_estimates, progress, "LMI") as tick:

        def estimate(a: Population, b: Population, model: LMI, before: int, common_scale: bool) -> dict[str, Any]:
            return _row(
                a,
                b,
                pair_key,
                na_values,
                model,
                common_scale=common_scale,
                rng=np.random.default_rng(own_seed),
                progress=after(tick, n_trainings * before),
            )

        for a, b in pairs:
            row = estimate(sides[a], sides[b], model, len(rows), use_rep is not None)
            rows.append({"group_a": str(chosen[a]), "group_b": str(chosen[b]), **row})
        if equal is not None:
            for i, (a, b) in enumerate(pairs):
                again = estimate(equal.sides[a], equal.sides[b], untested, len(pairs) + i, False)
                depths = {"depth_a": equal.depths[a], "depth_b": equal.depths[b]}
                rows[i] |= {**depths, "mi_equal_depth": again["mi_ksg"]}
    table = pd.DataFrame(rows)
    if table["mi"].isna().all():
        raise ValueError(f"No two groups of `.obs[{groupby!r}]` can be estimated. The first two: {table['note'][0]}")
    table["q"] = benjamini_hochberg(table["p"])
    table = table[[*COLUMNS, *(() if equal is None else OF_DEPTH)]]
    table.index = table.index.astype(str)
    tested = table["q"].notna()
    logger.info(
        "%s pairs of groups in `.obs[%r]` share bits with q at most .05",
        f"{int((table['q'] <= 0.05).sum())} of {int(tested.sum())} tested" if tested.any() else "untested: which",
        groupby,
    )
    if equal is not None:
        _warn_of_depths(table, equal.depths, chosen)

    asked = {"pair_key": pair_key, "groupby": groupby, "groups": chosen, "counts_layer": counts_layer, **matrix_options}
    names = ("n_pairings", "n_latent", "k", "objective", "n_permutations", "null", "device")
    kept = {name: as_plain(name, getattr(model, name)) for name in names} | {"rng": seed, "version": __version__}
    kept |= {"preset": model.preset if isinstance(model.preset, str) else "settings"}
    adata.uns[key_added] = {"params": described({**kept, **asked}), "table": table}


class _Equal(NamedTuple):
    """The groups at the depth of the poorest, and the depth of each as it is."""

    sides: list[Population]
    depths: list[float]


def _equally_deep(
    adata: "AnnData",
    sides: Sequence[Population],
    counts_layer: str,
    mask_var: str | NDArray[np.bool_] | None | Default,
    seed: int,
) -> _Equal:
    matrix, where = counts_of(adata, "adata", counts_layer)
    counts = Counts.of(matrix, gene_mask(adata, "adata", mask_var), where)
    depths = [float(counts.totals[side.rows].mean()) for side in sides]
    if min(depths) == 0:
        raise ValueError(f"`{where}` has no counts in the cells of `{sides[int(np.argmin(depths))].name}`: drop them.")
    rng = np.random.default_rng(seed)
    thinned = [
        side._replace(matrix=counts.take(side.rows).thinned(min(depths) / depth, rng).logged())
        for side, depth in zip(sides, depths, strict=True)
    ]
    return _Equal(thinned, depths)


def _warn_of_depths(table: pd.DataFrame, depths: Sequence[float], groups: Sequence[Any]) -> None:
    """Where depths differ, and that moves a number by more than its error, say which most."""
    moved = ((table["mi_ksg"] - table["mi_equal_depth"]) / table["se"]).fillna(0)
    if not unequal(depths) or not (moved.abs() > 1).any():
        return
    most = table.to_dict("records")[int(moved.abs().to_numpy().argmax())]
    each = in_words(depths, [repr(str(group)) for group in groups])
    warn(
        "unequal depth",
        f"Groups were sequenced to different depths ({each}), which explains part of what their pairs differ by: at "
        f"equal depth {most['group_a']!r} and {most['group_b']!r} share {most['mi_equal_depth']:.2f} bits, not "
        f"{most['mi_ksg']:.2f}. Compare `mi_equal_depth`.",
    )


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
            f"`groups` must name two or more different groups of `.obs[{groupby!r}]`, which has {present}; got "
            f"{chosen}."
        )
    return chosen


def _side(adata: "AnnData", groupby: str, group: Any, matrix_options: dict[str, Any]) -> Population:
    rows = rows_of_group(adata.obs[groupby], group)
    return side_of(f"adata[{groupby} == {group!r}]", adata, rows, matrix_options)


def _row(
    a: Population,
    b: Population,
    pair_key: PairKey,
    na_values: object,
    model: LMI,
    *,
    common_scale: bool,
    rng: np.random.Generator,
    progress: Tick,
) -> dict[str, Any]:
    """One estimate as a row of the table."""
    n = 0
    try:
        matched = match_clones(cells_of(a), cells_of(b), pair_key, na_values=na_values, names=(a.name, b.name))
        n = len(matched.barcodes)
        check_enough(matched.pairing, model.k, MORE_CELLS)
        warn_of_copies(a, matched.pairing.rows_x)
        warn_of_copies(b, matched.pairing.rows_y)
        result, _ = cross_fit(
            a.matrix, b.matrix, matched.pairing, model, rng=rng, progress=progress, common_scale=common_scale
        )
    except TooFew as reason:
        unknown = dict.fromkeys(("mi", "mi_ksg", "se", "ci_low", "ci_high", "p"), np.nan)
        return {**unknown, "n_pairs": n, "note": str(reason)}
    return {
        "mi": result.mi,
        "mi_ksg": result.mi_ksg,
        "se": result.se,
        "ci_low": result.ci[0],
        "ci_high": result.ci[1],
        "p": result.p,
        "n_pairs": result.n_pairs,
        "note": " ".join(result.missing.values()),
    }
