"""Is the early transcriptome enough to predict the late one, or do sisters share more?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._progress import Tick, after, progress_bar
from scmi._slots import (
    DEFAULT,
    Default,
    check_is_anndata,
    check_key_added,
    check_writable,
    holds,
    layer_names,
)
from scmi._warnings import about, one_of_a_kind
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.comparison import Comparison, compare
from scmi.estimators.inputs.checks import TooFew, seeded
from scmi.estimators.inputs.pairing import Pairing, check_enough, linked
from scmi.estimators.lmi import LMI
from scmi.estimators.result import LMIResult
from scmi.pp.barcodes import PairKey
from scmi.pp.depth import downsample
from scmi.pp.pairs import ClonePairs, match_clones
from scmi.pp.recipe import recipe_lmi
from scmi.tl._alternatives import naming_alternatives
from scmi.tl._depths import depths_of
from scmi.tl._markov_result import Estimate, MarkovTest, formula
from scmi.tl._markov_samples import Sample, early_wells_of, samples_of
from scmi.tl._model import as_model
from scmi.tl._sides import MORE_CELLS, Population, cells_of, described, side_of, warn_of_copies
from scmi.typing import Index, Matrix, Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Clones", "markov_test"]

Clones = Literal["shared", "all"]


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def markov_test(
    adata: "AnnData",
    *,
    pair_key: PairKey,
    time_key: str,
    times: Sequence[Any],
    replicate_key: str,
    wells: Sequence[Any] | None = None,
    clones: Clones = "shared",
    counts_layer: str | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    mask_var: str | NDArray[np.bool_] | None | Default = DEFAULT,
    na_values: object = None,
    model: LMI | None = None,
    rng: Rng = 0,
    key_added: str = "markov_test",
    progress: bool | None = None,
) -> MarkovTest:
    r"""Test whether what an early cell expresses is all that it hands on to its descendants.

    Sisters that were cultured in separate wells have nothing in common but their progenitor. If her state is all that
    she hands on, early -> late is a Markov chain, and by the data processing inequality sisters can't share more
    with each other than either shares with her:

    .. math:: I(X_{late}; X'_{late}) \le I(X_{early}; X'_{late}) .

    More information between sisters means memory that the early measurement does not show. Both sides of the inequality
    are estimated with the same descendants :math:`X'_{late}` (of the second well), by default on the barcodes that are
    in all three samples, with the same halves and the same budget. The statistic is their difference in bits. Its
    standard error comes from subsampling the barcodes in both at once (with the encoders fixed) and from the random
    pairings; p is one-sided, from the normal distribution.

    A rejection is about the measurement, not only the cell: **noise in the early sample lowers I(early; late) alone and
    can break the inequality without any memory.** Two controls speak to that. With ``counts_layer``, everything is
    repeated on counts drawn down to the same total in every cell, so that the samples are equally deep, and where they
    were not, a line of the result says whether that explains the difference. And where the
    early time has replicates, the information between early sisters is the ceiling that the noise there leaves: if
    it is below I(late; late'), noise alone may explain the difference.

    Parameters
    ----------
    adata
        Cells of all three samples.
    {pair_key_within}
    time_key
        ``.obs`` column of the time points.
    times
        Its two values, early and late. All early cells are one sample, whatever their well.
    replicate_key
        ``.obs`` column of the wells (or animals) that sisters were parted into.
    wells
        The two late wells, if there are more.
    clones
        ``"shared"``: barcodes that are in all three samples. ``"all"``: each estimate uses all barcodes of its two
        samples, as many of both (the larger set is cut at random); their errors are then added as independent.
    counts_layer
        Layer of raw counts for the control of equal depth, whose totals are drawn down to that of the poorest cell of
        the three samples and then processed by :func:`scmi.pp.recipe_lmi`: drop very poor cells first. None for no
        control.
    layer, use_rep, mask_var, na_values
        What to use instead of ``.X``, which genes, and what means "no barcode"; see :func:`scmi.tl.lmi`.
    {model}
    {rng}
    {key_added_uns}
    {progress}

    Returns
    -------
    The result, which prints itself in three lines, and in a further one each where the samples' depths differ, and
    where barcodes are fewer than 100: then it says what difference these could show. Also sets

    `adata.uns["markov_test"]` : dict
        The same as a dict, for :func:`scmi.pl.markov_test`: `early_late` and `late_late` (each `mi`, `se`, `ci`, `p`,
        `null`, a DataFrame of `mi`, and `n_pairs`), `difference` (bits) with its `se`, `ci` and `p`, `share`,
        `depth_matched` and `ceiling` (where there are such), `missing` and `params`. Here `mi` is the mean of the pMI:
        a bias correction may be applied to one estimate and not to the other, which would look like a difference.

    Raises
    ------
    KeyError
        If a column or layer doesn't exist.
    ValueError
        If `adata` is a view; a time point is empty or unknown; the late time has fewer than two wells, or more and
        ``wells`` picks none; no barcode, or too few, are shared; or ``counts_layer`` holds no counts.

    References
    ----------
    Section 4.2 of :cite:t:`Gowri2024`, where clones, numbers of pairs and training differ between the two sides; Holmes
    and Nemenman (2019), Phys. Rev. E 100, 022404, for the error.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(400, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> test = sm.tl.markov_test(adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well")
    >>> test.late_late.n_pairs == test.early_late.n_pairs
    True
    """
    model = as_model(model)
    check_key_added(key_added)
    if clones not in ("shared", "all"):
        raise ValueError(f"clones={clones!r} is not known; choose 'shared' or 'all'.")
    _check_object(adata, counts_layer)
    early, late, sister = samples_of(adata, time_key, times, replicate_key, wells)
    early_wells = early_wells_of(adata, early, replicate_key)
    matrix_options = {"layer": layer, "use_rep": use_rep, "mask_var": mask_var}
    generator, rng_seed = seeded(rng)
    cut_rng, seed = generator.spawn(1)[0], int(generator.integers(2**63))

    sides = [_side(adata, sample, matrix_options) for sample in (early, late, sister)]
    with naming_alternatives(adata, time_key, times, pair_key, na_values):
        pairings, shared = _pairings(sides, pair_key, na_values, clones, model.k, cut_rng)

    n_estimates = 2 + 2 * (counts_layer is not None) + (early_wells is not None)
    with one_of_a_kind(), progress_bar(model.n_trainings * n_estimates, progress, "Markov test") as tick:

        def test(matrices: Sequence[Matrix], before: int, *, common_scale: bool) -> Comparison:
            own_rng = np.random.default_rng(seed)
            estimate_seed, error_seed = (int(number) for number in own_rng.integers(2**63, size=2))
            both = []
            for i in (0, 1):
                with about(formula((names[i], names[2]))):
                    estimate = cross_fit(
                        matrices[i],
                        matrices[2],
                        pairings[i],
                        model,
                        rng=np.random.default_rng(estimate_seed),  # the same splits for both
                        progress=after(tick, model.n_trainings * (before + i)),
                        common_scale=common_scale,
                    )
                both.append(estimate)
            return compare(both[0], both[1], paired=clones == "shared", rng=np.random.default_rng(error_seed))

        names = (early.name, late.name, sister.name)
        compared = test([side.matrix for side in sides], 0, common_scale=use_rep is not None)
        lower = None
        rows = [early.rows, late.rows, sister.rows]
        if counts_layer is not None:
            matrices, depth = _depth_matched(adata, rows, counts_layer, cut_rng)
            # Genes, whatever representation the data were compared in.
            lower = MarkovTest.of(test(matrices, 2, common_scale=False), names, depth=depth)
        ceiling, why = None, "one well only at the early time"
        if early_wells is not None:
            first, second = (_side(adata, sample, matrix_options) for sample in early_wells)
            found, why = _ceiling(
                first,
                second,
                pair_key,
                na_values,
                between=(early_wells[0].name, early_wells[1].name),
                among=shared if clones == "shared" else None,
                model=model,
                common_scale=use_rep is not None,
                rng=np.random.default_rng(seed),
                progress=after(tick, model.n_trainings * (n_estimates - 1)),
            )
            if found is not None:
                ceiling = Estimate.of(found, (early_wells[0].name, early_wells[1].name))
    missing = {} if ceiling is not None else {"ceiling": why}
    depths = depths_of(adata, rows, counts_layer)
    result = MarkovTest.of(compared, names, depths=depths, depth_matched=lower, ceiling=ceiling, missing=missing)
    logger.info("%s", str(result).replace("\n", "; "))
    asked = {
        "pair_key": pair_key,
        "time_key": time_key,
        "times": times,
        "replicate_key": replicate_key,
        "wells": wells,
        "clones": clones,
        "counts_layer": counts_layer,
        "rng": rng_seed,
        **matrix_options,
    }
    adata.uns[key_added] = {**result.as_uns(), "params": described({**compared.first.params, **asked})}
    return result


def _check_object(adata: "AnnData", counts_layer: str | None) -> None:
    check_is_anndata(adata, "adata")
    check_writable(adata, "adata")
    if 0 in adata.shape:
        raise ValueError(f"`adata` is empty: {adata.n_obs} cells x {adata.n_vars} genes.")
    if counts_layer is not None and counts_layer not in adata.layers:
        raise KeyError(f"Did not find `counts_layer={counts_layer!r}` in `.layers`, which has {layer_names(adata)}.")


def _side(adata: "AnnData", sample: Sample, matrix_options: dict[str, Any]) -> Population:
    return side_of(f"adata[{sample.name}]", adata, sample.rows, matrix_options)


def _pairings(
    sides: Sequence[Population],
    pair_key: PairKey,
    na_values: object,
    clones: Clones,
    k: int,
    rng: np.random.Generator,
) -> tuple[list[Pairing], pd.Index]:
    """Early with the second late sample, the first late with the second; and the barcodes that both pairings have."""
    last = sides[2]
    matched = [
        match_clones(cells_of(side), cells_of(last), pair_key, na_values=na_values, names=(side.name, last.name))
        for side in sides[:2]
    ]
    pairings, shared = _same_barcodes(matched, clones, rng)
    for pairing in pairings:
        check_enough(pairing, k, MORE_CELLS)
    for side, rows in zip(sides, (pairings[0].rows_x, pairings[1].rows_x, pairings[1].rows_y), strict=True):
        warn_of_copies(side, rows)
    return pairings, shared


def _same_barcodes(
    matched: Sequence[ClonePairs], clones: Clones, rng: np.random.Generator
) -> tuple[list[Pairing], pd.Index]:
    """The pairings of both estimates, equally many barcodes, and the labels of those that both have."""
    a, b = matched
    shared = pd.Index(a.barcodes, dtype=object).intersection(pd.Index(b.barcodes, dtype=object), sort=False)
    if clones == "all":
        n = min(len(a.barcodes), len(b.barcodes))
        chosen = [np.sort(rng.permutation(len(one.barcodes))[:n]) for one in matched]
        return [one.pairing.take(at, one.pairing.groups[at]) for one, at in zip(matched, chosen, strict=True)], shared
    if len(shared) == 0:
        raise ValueError(
            f"No barcode is in all three samples: {len(a.barcodes)} are in the early and the second late one, "
            f"{len(b.barcodes)} in both late ones. Pass `clones='all'` to use these."
        )
    at_a, at_b = (pd.Index(one.barcodes, dtype=object).get_indexer(shared) for one in matched)
    # Barcodes that are tied together in either.
    n, barcode = len(shared), np.tile(np.arange(len(shared)), 2)
    ties_a, ties_b = a.pairing.groups[at_a], b.pairing.groups[at_b]
    node = np.concatenate([n + ties_a, n + ties_a.max() + 1 + ties_b])
    groups = linked(int(node.max()) + 1, barcode, node)[:n]
    return [a.pairing.take(at_a, groups), b.pairing.take(at_b, groups)], shared


def _depth_matched(
    adata: "AnnData", rows: Sequence[Index], counts_layer: str, rng: np.random.Generator
) -> tuple[list[Matrix], int]:
    """The matrices of the three samples at equal depth, after the recipe."""
    from anndata import AnnData

    together = np.concatenate(rows)
    counts, depth = downsample(adata.layers[counts_layer][together], f"adata.layers[{counts_layer!r}]", rng)
    lower = AnnData(counts, var=pd.DataFrame(index=adata.var_names))
    recipe_lmi(lower, n_top_genes=_n_top_genes(adata))
    used = lower.X[:, lower.var["highly_variable"].to_numpy()]
    ends = np.cumsum([0, *map(len, rows)])
    return [used[start:stop] for start, stop in zip(ends[:-1], ends[1:], strict=True)], depth


def _n_top_genes(adata: "AnnData") -> int:
    """As many as the recipe has marked."""
    return int(adata.uns["recipe_lmi"]["n_top_genes"]) if holds(adata, "adata", "recipe_lmi", "n_top_genes") else 1000


def _ceiling(
    first: Population,
    second: Population,
    pair_key: PairKey,
    na_values: object,
    *,
    between: tuple[str, str],
    among: pd.Index | None,
    model: LMI,
    common_scale: bool,
    rng: np.random.Generator,
    progress: Tick,
) -> tuple[LMIResult | None, str]:
    """Information between early sisters, or why it can't be told."""
    try:
        matched = match_clones(
            cells_of(first), cells_of(second), pair_key, na_values=na_values, names=(first.name, second.name)
        )
        labels = pd.Index(matched.barcodes, dtype=object)
        at = np.arange(len(labels)) if among is None else np.flatnonzero(labels.isin(among))
        pairing = matched.pairing.take(at, matched.pairing.groups[at])
        check_enough(pairing, model.k, MORE_CELLS)
        with about(f"the ceiling {formula(between)}"):
            result, _ = cross_fit(
                first.matrix, second.matrix, pairing, model, rng=rng, progress=progress, common_scale=common_scale
            )
    except TooFew as reason:
        return None, str(reason)
    return result, ""
