"""How much more would be known with deeper sequencing."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._progress import Tick, after, progress_bar
from scmi._slots import DEFAULT, Default, check_is_anndata, check_key_added, check_writable, gene_mask
from scmi._version import __version__
from scmi._warnings import one_of_a_kind
from scmi._writing import Slots, write_together
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.depth import covariance_of_depths, influence
from scmi.estimators.inputs.checks import check_choice, check_counts, seeded
from scmi.estimators.inputs.pairing import check_enough
from scmi.estimators.labels.information import label_information
from scmi.estimators.labels.targets import as_targets
from scmi.estimators.lmi import LMI
from scmi.pp.barcodes import PairKey
from scmi.pp.depth import Counts, counts_of
from scmi.pp.pairs import match_clones
from scmi.tl._depth_result import DepthScaling
from scmi.tl._labels_of_cells import group_codes, labels_of
from scmi.tl._model import as_model
from scmi.tl._sides import MORE_CELLS, Cells, checked_objects, described, populations, side_of
from scmi.typing import Bits, Index, Matrix, Rng, Values

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Thinned", "depth_scaling"]

Thinned = Literal["both", "a", "b"]

# By default from this share of today's depth on.
SHALLOWEST = 0.01


class _Estimate(NamedTuple):
    """Bits, their standard error, and by how much each group of pairs or cells moves them."""

    mi: float
    se: float
    influence: Bits


_Estimator = Callable[[Sequence[Matrix], np.random.Generator, Tick], _Estimate]


class _Question(NamedTuple):
    """What is estimated again and again: how, the cells whose depth counts, and steps of the progress bar."""

    estimate: _Estimator
    cells: Sequence[Index]
    n_steps: int


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def depth_scaling(
    adata_a: "AnnData",
    adata_b: "AnnData | None" = None,
    *,
    pair_key: PairKey = None,
    groupby: str | None = None,
    groups: Sequence[Any] | None = None,
    label_key: str | None = None,
    groups_key: str | None = None,
    counts_layer: str | None = None,
    thin: Thinned = "both",
    layer: str | None = None,
    mask_var: str | NDArray[np.bool_] | None | Default = DEFAULT,
    na_values: object = None,
    same_cells: bool | None = None,
    depths: ArrayLike | None = None,
    n_depths: int = 8,
    n_repeats: int = 2,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "depth_scaling",
    progress: bool | None = None,
) -> DepthScaling:
    r"""How much more would be known with deeper sequencing, in bits, and which depth is deep enough.

    Counts are thinned binomially, cell by cell: each molecule is seen again with the same probability, as if less had
    been sequenced. Every depth goes through the same preprocessing (total counts of each cell to 10,000, log, the same
    genes; the estimator scales them) and the same estimate, of the same pairs. To what comes out the law of
    :cite:t:`Gowri2025` is fitted,

    .. math:: I(u) = I_{max} - \tfrac12 \log_2 \frac{1 + u / \bar u}{u / \bar u + 2^{-2 I_{max}}}

    whose two numbers say how much there is to know at unlimited depth, and at which depth u half of the noise is
    beaten. It answers what precedes every experiment: did I sequence deep enough, and are two data sets comparable?

    Three questions can be asked: of two populations that share barcodes, as :func:`scmi.tl.lmi` does; of two modalities
    of the same cells (``pair_key=None``); and, with ``label_key``, of cells and their labels, as
    :func:`scmi.tl.label_information` does.

    Parameters
    ----------
    adata_a
        The first population; or both, with ``groupby`` and ``groups``; or, with ``label_key``, the cells.
    adata_b
        The second population.
    {pair_key}
    {groupby}
    {groups}
    label_key
        ``.obs`` column of labels (or ``.obsm`` entry of counts of them) to be told by the transcriptome, instead of a
        second population.
    groups_key
        With ``label_key``: ``.obs`` column (or ``.obsm`` matrix of clones) of what is predicted as a whole.
    counts_layer
        Layer of raw counts; None for ``.X``.
    thin
        Which population is thinned: ``"both"``, by the same share; or ``"a"`` or ``"b"`` alone, the other being used as
        :func:`scmi.tl.lmi` would use it. So ``thin="a"`` asks what deeper sequencing of the first would tell, and suits
        a second one that has no counts, such as surface proteins.
    layer
        Layer of the population that is not thinned, instead of its ``.X``.
    {mask_var}
    {na_values}
    same_cells
        Whether cells of one name in both objects are the same cell; see :func:`scmi.tl.lmi`.
    depths
        Depths in UMIs per cell, three or more, none above today's. By default ``n_depths`` from a hundredth of today's
        to today's, at equal ratios.
    n_depths
        How many.
    n_repeats
        Thinnings of each depth, with splits and seeds of their own.
    model
        How each estimate is made: an :class:`scmi.LMI` with the parameters wanted; None takes the defaults. Its
        permutations and retraining are left out, its own ``rng`` and ``progress`` not used. With ``label_key`` it has
        no meaning.
    {rng}
    {key_added_uns}
    {progress}

    Returns
    -------
    The result, which prints itself as a sentence. Also sets, in each object,

    `adata.uns["depth_scaling"]` : dict
        The same as a dict, for :func:`scmi.pl.depth_scaling`: `depth` (today's, the mean over cells with a partner, in
        UMIs per cell; of two thinned populations the mean of both), `ubar` and `i_max` with their 90 % intervals
        `ubar_ci` and `i_max_ci`, `r2`, `share` (of `i_max` at today's depth), `depth_90` with `depth_90_ci` (what
        reaches 90 % of `i_max`), `plateau` (whether today's depth does), `predicted` (DataFrame, bits at other depths),
        `curve` (the law with its band), `table` (DataFrame of depth x repeat) and `params`; see
        :class:`scmi.tl.DepthScaling`.

    Raises
    ------
    KeyError
        If a column or layer doesn't exist.
    TypeError
        If an input is not an AnnData, or a parameter has the wrong type.
    ValueError
        If counts are not whole numbers, or cells have none; if depths are fewer than three or beyond today's; if an
        object is a view, backed or empty; if too few barcodes are shared. All before any training.

    Notes
    -----
    The law is of one channel. Where cells differ in what they tell, their mean grows more slowly with depth, so that
    the fit lets depths near today's count for more (least squares, weights in proportion to the root of the depth).
    Intervals come from refits to estimates that vary about those found: by pairs (or cells), whose influence on all
    depths goes together, and each by itself as much as the law leaves of them. They say what *this estimator* would
    give of such cells with more depth.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> adata.layers["counts"] = adata.X.copy()
    >>> sm.pp.recipe_lmi(adata)
    >>> scaling = sm.tl.depth_scaling(
    ...     adata, pair_key="clone", groupby="day", groups=("4", "6"), counts_layer="counts", n_depths=4, n_repeats=1
    ... )
    >>> scaling.table.columns.tolist()
    ['depth', 'repeat', 'mi', 'se']
    """
    model = clone(as_model(model)).set_params(n_permutations=0, n_retrain=0)
    check_key_added(key_added)
    check_choice("thin", thin, Thinned)
    check_counts(n_repeats=n_repeats)
    check_counts(least=3, n_depths=n_depths)
    generator, seed = seeded(rng)
    if label_key is None:
        if groups_key is not None:
            raise ValueError("`groups_key` says what is predicted as a whole, and goes with `label_key`.")
        adata_a, adata_b = checked_objects(adata_a, adata_b, groupby, groups, copy=False)
        first, second = populations(adata_a, adata_b, groupby, groups)
        cells: tuple[Cells, ...] = (first, second)
        ask = partial(_of_pairs, first, second, pair_key, na_values, same_cells, model)
    else:
        _check_labelled(adata_a, adata_b, pair_key, groupby, groups, thin)
        cells = (("adata_a", adata_a, np.arange(adata_a.n_obs)),)
        ask = partial(_of_labels, adata_a, label_key, groups_key)
    sources = [
        _counts(*one, counts_layer, mask_var)
        if thin == "both" or thin == which
        else side_of(*one, {"layer": layer, "use_rep": None, "mask_var": mask_var}).matrix
        for which, one in zip("ab", cells, strict=False)
    ]
    if layer is not None and all(isinstance(source, Counts) for source in sources):
        raise ValueError("`layer` names that of a population that is not thinned; counts are read from `counts_layer`.")
    question = ask()
    today = _depth_of(sources, question.cells)
    chosen = _depths(depths, n_depths, today)

    rows: list[dict[str, float]] = []
    influences: list[Bits] = []
    with one_of_a_kind(), progress_bar(question.n_steps * len(chosen) * n_repeats, progress, "Depth scaling") as tick:
        for repeat, child in enumerate(generator.spawn(n_repeats)):
            # The same splits at every depth, so that these differ by depth alone.
            estimate_seed = int(child.integers(2**63))
            for depth in chosen:
                matrices = [
                    source.thinned(depth / today, child).logged() if isinstance(source, Counts) else source
                    for source in sources
                ]
                done = after(tick, question.n_steps * len(rows))
                found = question.estimate(matrices, np.random.default_rng(estimate_seed), done)
                rows.append({"depth": depth, "repeat": repeat, "mi": found.mi, "se": found.se})
                influences.append(found.influence)
                tick(question.n_steps * len(rows), found.mi)
    table = pd.DataFrame(rows)
    result = DepthScaling.of(table, covariance_of_depths(table, np.array(influences)), today, generator)
    logger.info("%s", result)
    asked = {
        "pair_key": pair_key,
        "groupby": groupby,
        "groups": groups,
        "label_key": label_key,
        "groups_key": groups_key,
        "counts_layer": counts_layer,
        "thin": thin,
        "layer": layer,
        "mask_var": mask_var,
        "n_repeats": n_repeats,
        "rng": seed,
        "version": __version__,
    }
    stored = {name: value for name, value in described(asked).items() if value is not None}
    targets = {id(adata): adata for _, adata, _ in cells}.values()
    write_together(*(Slots(target=adata, uns={key_added: {**result.as_uns(), "params": stored}}) for adata in targets))
    return result


def _check_labelled(
    adata: "AnnData",
    adata_b: "AnnData | None",
    pair_key: PairKey,
    groupby: str | None,
    groups: Sequence[Any] | None,
    thin: Thinned,
) -> None:
    """Raise for what can't be asked of labels."""
    check_is_anndata(adata, "adata_a")
    given = {"adata_b": adata_b, "pair_key": pair_key, "groupby": groupby, "groups": groups}
    named = [f"`{name}`" for name, value in given.items() if value is not None]
    if named:
        raise ValueError(f"`label_key` asks about the labels of one population; leave out {', '.join(named)}.")
    if thin == "b":
        raise ValueError("With `label_key` there is no second population to thin; leave out `thin`.")
    check_writable(adata, "adata_a")
    if 0 in adata.shape:
        raise ValueError(f"`adata_a` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")


def _counts(
    name: str,
    adata: "AnnData",
    rows: Index,
    counts_layer: str | None,
    mask_var: str | NDArray[np.bool_] | None | Default,
) -> Counts:
    matrix, where = counts_of(adata, name, counts_layer)
    return Counts.of(matrix[rows] if len(rows) < adata.n_obs else matrix, gene_mask(adata, name, mask_var), where)


def _of_pairs(
    a: Cells, b: Cells, pair_key: PairKey, na_values: object, same_cells: bool | None, model: LMI
) -> _Question:
    (name_a, adata_a, rows_a), (name_b, adata_b, rows_b) = a, b
    clones = match_clones(
        adata_a if len(rows_a) == adata_a.n_obs else adata_a[rows_a],
        adata_b if len(rows_b) == adata_b.n_obs else adata_b[rows_b],
        pair_key,
        na_values=na_values,
        names=(name_a, name_b),
        same_cells=same_cells,
    )
    pairing = clones.pairing
    check_enough(pairing, model.k, MORE_CELLS)

    def estimate(matrices: Sequence[Matrix], rng: np.random.Generator, tick: Tick) -> _Estimate:
        result, _ = cross_fit(matrices[0], matrices[1], pairing, model, rng=rng, progress=tick)
        group = pairing.groups[result.pairs.barcode]
        return _Estimate(result.mi_ksg, result.se, influence(result.pmi, group, result.mi_ksg))

    return _Question(estimate, (np.unique(pairing.rows_x), np.unique(pairing.rows_y)), model.n_trainings)


def _of_labels(adata: "AnnData", label_key: str, groups_key: str | None) -> _Question:
    labels = labels_of(adata, label_key, "adata_a")
    groups = None if groups_key is None else group_codes(adata, groups_key)
    labelled = np.flatnonzero(as_targets(labels).shares.sum(axis=1) > 0)

    def estimate(matrices: Sequence[Matrix], rng: np.random.Generator, tick: Tick) -> _Estimate:
        result = label_information(matrices[0], labels, groups=groups, n_permutations=0, rng=rng)
        group = np.arange(adata.n_obs) if groups is None else groups
        return _Estimate(result.mi, result.se, influence(result.pmi, group, result.mi))

    return _Question(estimate, (labelled,), 1)


def _depth_of(sources: Sequence[Any], cells: Sequence[Index]) -> float:
    """UMIs per cell today, of the cells that are estimated."""
    means = [
        float(source.totals[rows].mean())
        for source, rows in zip(sources, cells, strict=True)
        if isinstance(source, Counts)
    ]
    if 0 in means:
        raise ValueError("There is nothing to thin: no cell with a partner has counts.")
    return float(np.mean(means))


def _depths(depths: ArrayLike | None, n_depths: int, today: float) -> Values:
    if depths is None:
        return np.geomspace(SHALLOWEST * today, today, n_depths)
    chosen = np.unique(np.asarray(depths, dtype=np.float64))
    if len(chosen) < 3 or not np.isfinite(chosen).all() or chosen[0] <= 0:
        raise ValueError(f"`depths` must hold three or more different UMIs per cell, all positive, got {depths!r}.")
    if chosen[-1] > today * (1 + 1e-6):
        raise ValueError(
            f"`depths` goes up to {chosen[-1]:,.0f} UMIs per cell, but today's is {today:,.0f}: counts can only be "
            "thinned. What more depth would give is in `predicted`."
        )
    return np.minimum(chosen, today)
