"""Along which stretch of pseudotime cells begin to tell about their relatives."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import are_real, check_is_anndata, check_key_added, check_writable, holds, masked_pmi, values_of
from scmi._version import __version__
from scmi._warnings import warn
from scmi._words import in_two_digits, p_in_words
from scmi.estimators.inference.trend import trend
from scmi.estimators.inputs.checks import check_counts, check_number, seeded
from scmi.estimators.inputs.pairing import linked
from scmi.pp.barcodes import read_side
from scmi.typing import Index, Rng, Values

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["pmi_trend"]

MIN_DISTINCT = 3
# The paper's window. A third of fewer cells leaves two thirds of the axis with a curve.
WINDOW, PARTS = 100, 3
# Windows of five cells.
FEWEST = 15
_IMPLAUSIBLE_SHARE, _IMPLAUSIBLE_MIN_CELLS = 0.1, 20


@explaining_arguments()
@with_shared_docs
def pmi_trend(
    adata: "AnnData",
    pseudotime: str | Sequence[str],
    *,
    key: str = "lmi",
    mask_obs: str | NDArray[np.bool_] | None = None,
    min_pseudotime: float | None = None,
    pair_key: str | None = None,
    window: int | None = None,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    rng: Rng = 0,
    key_added: str | None = None,
    copy: bool = False,
) -> "AnnData | None":
    r"""Pointwise mutual information along pseudotime, in bits, and where it begins to rise (figure 6c of the paper).

    Cells with a pMI are ordered by pseudotime. Their rolling mean comes with a band of :math:`n` resamples of whole
    clones: clone mates share their relatives, and often their state, so that they are no independent observations.

    The onset is the breakpoint of a least-squares fit that is flat up to the onset and rises from there, to the end or
    to a plateau. Where two slopes, the second one the lesser, explain clearly more (by Akaike's criterion, which counts
    what clone mates share), the onset is theirs: information saturates, and a single line through a rise that slows
    down starts too early. Its interval holds the central onsets of the resamples, each with that choice made anew,
    rounded outward to the next 80th part of the cells. It holds what other clones would change, not what another
    training of the estimate would (another ``rng`` in :func:`scmi.tl.lmi`).

    The p-value is of the hypothesis that pMI doesn't change: the best one-slope rise is compared with those of data
    sets in which each clone's deviations from the mean have a random sign. :math:`p = (b + 1) / (m + 1)`, where `b` of
    `m` rise at least as clearly. An onset without a small p-value is the best fit to noise.

    Parameters
    ----------
    {adata_with_lmi}
    pseudotime
        ``.obs`` column, or several, one per lineage. NaN is off the lineage; for a column that says -1 instead, set
        ``min_pseudotime=0``.
    {key}
    mask_obs
        Cells to use, boolean ``.obs`` column or array. Where early and late cells are in one object, take the early
        ones: ``mask_obs=adata.obs["day"] == "2"``.
    min_pseudotime
        Leave out cells below it. The paper, on LARRY's neutrophil pseudotime, leaves out those below 1e4.
    pair_key
        ``.obs`` column or ``.obsm`` matrix that holds the clones; by default that of the estimate. Cells without a
        clone are resampled by themselves.
    window
        Cells that the rolling mean is taken over. By default 100, as in the paper, or a third of a lineage's cells
        where it has fewer than 300. The onset does not depend on it.
    n_resamples
        Resamples of the clones for band and interval, and random signs for the p-value.
    confidence_level
        Of the band, at each cell, and of the onset's interval.
    {rng}
    key_added
        Key of the result; by default ``f"{key}_trend"``.
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copy. Sets the following field:

    `adata.uns["lmi_trend"]` : dict
        `cells`, a DataFrame in the order of pseudotime: `lineage` (the column's name), `cell`, `pseudotime`, `pmi`, and
        the rolling `mean`, `low` and `high`, NaN at the ends where the window isn't full. `onset`, a DataFrame with a
        row per `lineage`: `onset`, with `ci_low` and `ci_high`, in pseudotime, `p`, `baseline` (bits before the onset),
        `slope` (bits per pseudotime right after it), `n_cells`, `n_clones` and the `window` used. `params`.

    Raises
    ------
    KeyError
        If a column or the estimate is missing.
    ValueError
        If the object is a view; if a lineage has fewer cells with a pMI than the window (or than 15), or fewer than
        three values of pseudotime; if an argument is out of range.

    Warns
    -----
    UserWarning
        If many cells have the lowest pseudotime, as where it stands for "off the lineage"; if cells of both groups of
        the estimate are used.

    References
    ----------
    Fig. 6c and appendix A.4.3 of :cite:t:`Gowri2024`.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> sm.tl.pmi_trend(adata, "pseudotime", mask_obs=adata.obs["day"] == "2")
    >>> list(adata.uns["lmi_trend"])
    ['cells', 'onset', 'params']
    """
    check_is_anndata(adata, "adata")
    if not copy:
        check_writable(adata, "adata")
    check_counts(n_resamples=n_resamples)
    if window is not None:
        check_counts(window=window)
    check_number("confidence_level", confidence_level)
    if not 0 < confidence_level < 1:
        raise ValueError(f"`confidence_level` must be between 0 and 1, got {confidence_level}.")
    if min_pseudotime is not None:
        check_number("min_pseudotime", min_pseudotime)
    if key_added is not None:
        check_key_added(key_added)
    names = _names(pseudotime)
    pmi = masked_pmi(adata, key, mask_obs)
    clone = _clones(adata, key, pair_key)
    lineages = [(name, *_lineage(adata, name, pmi, min_pseudotime, window)) for name in names]
    if mask_obs is None:
        _warn_of_both_groups(adata, key, pmi)

    generator, seed = seeded(rng)
    tables, onsets = [], []
    for name, rows, t in lineages:
        own_window = min(WINDOW, len(t) // PARTS) if window is None else window
        found = trend(
            t,
            pmi[rows],
            clone[rows],
            window=own_window,
            n_resamples=n_resamples,
            confidence_level=confidence_level,
            rng=generator,
        )
        columns = {"pseudotime": t, "pmi": pmi[rows], "mean": found.mean, "low": found.low, "high": found.high}
        names_of = adata.obs_names[rows].to_numpy(dtype=object)
        tables.append(pd.DataFrame({"lineage": name, "cell": names_of, **columns}))
        onsets.append(
            {
                "lineage": name,
                "onset": found.rise.onset,
                "ci_low": found.ci[0],
                "ci_high": found.ci[1],
                "p": found.p,
                "baseline": found.rise.baseline,
                "slope": found.rise.slope,
                "n_cells": len(t),
                "n_clones": found.n_clones,
                "window": own_window,
            }
        )
    cells, onset = pd.concat(tables, ignore_index=True), pd.DataFrame(onsets)

    if copy:
        adata = adata.copy()
    params = {
        "pseudotime": names,
        "key": key,
        "mask_obs": mask_obs if mask_obs is None or isinstance(mask_obs, str) else "array",
        "min_pseudotime": min_pseudotime,
        "pair_key": pair_key,
        "window": window,
        "n_resamples": n_resamples,
        "confidence_level": confidence_level,
        "rng": seed,
        "version": __version__,
    }
    adata.uns[f"{key}_trend" if key_added is None else key_added] = {
        "cells": cells.set_index(cells.index.astype(str)),
        "onset": onset.set_index(onset.index.astype(str)),
        "params": {name: value for name, value in params.items() if value is not None},
    }
    logger.info("%s", "; ".join(_in_words(row) for row in onsets))
    return adata if copy else None


def _in_words(onset: dict[str, Any]) -> str:
    """What was found along one lineage."""
    at, low, high = in_two_digits(onset["onset"], onset["ci_low"], onset["ci_high"])
    return (
        f"pMI rises from {onset['lineage']} {at} ({low} to {high}), p {p_in_words(onset['p'])}, "
        f"{onset['n_cells']:,} cells of {onset['n_clones']:,} clones"
    )


def _warn_of_both_groups(adata: "AnnData", key: str, pmi: Values) -> None:
    """Early and late cells in one trend are hardly what is meant."""
    if not holds(adata, "adata", key, "params"):
        return
    groupby, groups = (adata.uns[key]["params"].get(name) for name in ("groupby", "groups"))
    if groupby not in adata.obs.columns or groups is None:
        return
    # Stored as text; the column may hold numbers.
    by_text = {str(value): value for value in values_of(adata.obs[groupby][~np.isnan(pmi)])}
    if set(map(str, groups)) <= set(by_text):
        warn(
            "both groups",
            f"The trend runs over cells of both groups, {by_text[str(groups[0])]!r} and "
            f"{by_text[str(groups[1])]!r} of `.obs[{groupby!r}]`. For those of one pass "
            f"`mask_obs=adata.obs[{groupby!r}] == {by_text[str(groups[0])]!r}`.",
        )


def _names(pseudotime: str | Sequence[str]) -> list[str]:
    names = (
        [pseudotime] if isinstance(pseudotime, str) else list(pseudotime) if isinstance(pseudotime, Iterable) else []
    )
    if not names or len(set(names)) < len(names):
        raise ValueError(f"`pseudotime` must name one or several different columns of `.obs`, got {pseudotime!r}.")
    return names


def _lineage(
    adata: "AnnData", name: str, pmi: Values, min_pseudotime: float | None, window: int | None
) -> tuple[Index, Values]:
    """Rows of the lineage's cells with a pMI, in the order of pseudotime, and their pseudotime."""
    if name not in adata.obs.columns:
        raise KeyError(f"Did not find `pseudotime={name!r}` in `.obs`, which has {list(adata.obs.columns)}.")
    if not are_real(adata.obs[name].dtype):
        raise TypeError(f"`.obs[{name!r}]` is {adata.obs[name].dtype}; pseudotime must be numbers.")
    t = adata.obs[name].to_numpy(dtype=np.float64, na_value=np.nan)
    keep = np.isfinite(t) & ~np.isnan(pmi)
    if min_pseudotime is not None:
        keep &= t >= min_pseudotime
    rows = np.flatnonzero(keep)
    if len(rows) < (FEWEST if window is None else window):
        needed = f"fewer than the {FEWEST} of a trend" if window is None else f"fewer than `window={window}`"
        raise ValueError(
            f"`.obs[{name!r}]` has {len(rows)} cells with a pseudotime and a pMI, {needed}. "
            f"{'Check' if window is None else 'Pass a smaller `window`, or check'} `mask_obs` and `min_pseudotime`."
        )
    rows = rows[np.argsort(t[rows], kind="stable")]
    t = t[rows]
    if len(np.unique(t)) < MIN_DISTINCT:
        raise ValueError(
            f"`.obs[{name!r}]` has {len(np.unique(t))} different values in the cells with a pMI; an onset needs at "
            f"least {MIN_DISTINCT}."
        )
    _warn_of_spike(name, t)
    return rows, t


def _warn_of_spike(name: str, t: Values) -> None:
    n_lowest = int(np.sum(t == t[0]))
    if n_lowest >= _IMPLAUSIBLE_MIN_CELLS and n_lowest > _IMPLAUSIBLE_SHARE * len(t):
        warn(
            f"spike of {name}",
            f"{n_lowest} of {len(t)} cells have the lowest value of `.obs[{name!r}]`, {t[0]:g}. If it stands for cells "
            "off the lineage, leave them out with `min_pseudotime`.",
        )


def _clones(adata: "AnnData", key: str, pair_key: str | None) -> Index:
    """A code per cell: the same for cells that share a barcode, be it through others, and its own for any other."""
    if pair_key is None:
        if key not in adata.uns:
            raise KeyError(
                f"Did not find `.uns[{key!r}]`, which names the clones. Run `sm.tl.lmi`, or pass `pair_key`."
            )
        params = adata.uns[key]["params"]
        # Of labels, what was predicted as a whole.
        used = params.get("pair_key", params.get("groups_key"))
        if used is None:
            return np.arange(adata.n_obs)
        present = {name for name in np.atleast_1d(used) if name in adata.obs.columns or name in adata.obsm}
        if len(present) != 1:
            raise ValueError(
                f"The estimate paired by {list(np.atleast_1d(used))}, of which `adata` has {len(present)}; say which "
                "holds its clones by `pair_key`."
            )
        pair_key = str(present.pop())
    side = read_side(adata, pair_key, "adata")
    return linked(adata.n_obs + len(side.labels), side.rows, adata.n_obs + side.codes)[: adata.n_obs]
