"""What is left of an estimate once a covariate is known."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scmi._arguments import explaining_arguments
from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import check_is_anndata, check_key_added, check_writable, holds
from scmi._version import __version__
from scmi._words import in_bits, p_in_words
from scmi.estimators.inference.conditional import conditional_test
from scmi.estimators.inputs.checks import TooFew, seeded
from scmi.estimators.lmi import LMI
from scmi.tl._covariate import Covariate, covariate_of
from scmi.tl._stored import null_table
from scmi.typing import Index, Rng

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["conditional_information"]


@explaining_arguments("model=sm.LMI", LMI)
@with_shared_docs
def conditional_information(
    adata: "AnnData",
    on: str | Sequence[str],
    *,
    model: LMI,
    key: str = "lmi",
    rng: Rng = 0,
    key_added: str | None = None,
) -> None:
    """How much two populations share beyond a covariate, in bits: cell cycle, depth, batch.

    :func:`scmi.tl.lmi` has left the model fitted; here nothing is trained, so that several covariates cost little. The
    information that is left is estimated by nearest neighbours in the same latent spaces, in the pairs that training
    never saw: within labels, or given numbers. Its p-value comes from permuting partners within labels (exact) or among
    the cells nearest in the numbers (approximate); see :func:`scmi.estimators.within_strata` and
    :func:`scmi.estimators.local_permutation_test`.

    Parameters
    ----------
    adata
        The first population of the estimate, or both.
    on
        ``.obs`` column of labels, or columns of numbers (cell cycle scores, depth), of the first population.
    model
        The :class:`scmi.LMI` that :func:`scmi.tl.lmi` was called with (``model=model``); the call has left its trained
        latent spaces in it, which are used again. As many permutations are made as its ``n_permutations``.
    {key}
    {rng}
    key_added
        Key of the result; by default ``f"{key}_conditional"``.

    Returns
    -------
    None. Sets the following field:

    `adata.uns["lmi_conditional"]` : dict
        `on` (the columns), `mi` (bits that are left, of the first random pairing) and its standard error `se` (from
        halves: on Gaussians up to a third too small), `mi_same_pairs` (what the same pairs share in all: compare with
        this, not with the estimate, which is the mean over more pairings and splits), `p` and `null` (DataFrame: `mi`
        in bits of every permutation), `n_pairs`, `missing` (why these are NaN, or "") and `params`. More may be left
        than there was in all: by chance, or where the covariate tells the noise of one side from what both share.

    Raises
    ------
    KeyError
        If there is no estimate, or no such column.
    ValueError
        If the model is another one than that of the estimate, or makes no permutations; if cells of the estimate are
        gone, or a covariate is missing in one.

    References
    ----------
    Frenzel and Pompe (2007), Phys. Rev. Lett. 99, 204101; Runge (2018), AISTATS.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> model = sm.LMI(n_permutations=99)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
    >>> sm.tl.conditional_information(adata, "well", model=model)
    >>> list(adata.uns["lmi_conditional"]["on"])
    ['well']
    """
    check_is_anndata(adata, "adata")
    check_writable(adata, "adata")
    if key_added is not None:
        check_key_added(key_added)
    if not isinstance(model, LMI) or not hasattr(model, "folds_"):
        raise ValueError("`model` must be the LMI that `sm.tl.lmi(..., model=model)` has fitted.")
    if model.n_permutations == 0:
        raise ValueError(
            "`n_permutations` of the model is 0, but what is left is tested by permutation: give 1 or more."
        )
    rows = _rows_of_pairs(adata, key, model)
    covariate = covariate_of(adata, on, np.concatenate(rows))
    generator, seed = seeded(rng)
    found = _tested(model, [covariate.values[of_fold] for of_fold in rows], covariate, generator)
    names = " and ".join(covariate.names)
    logger.info(
        "%s bits are left beyond %s, of %s that the same pairs share, p %s",
        *(in_bits(found["mi"]), names, in_bits(found["mi_same_pairs"]), p_in_words(found["p"])),
    )
    adata.uns[f"{key}_conditional" if key_added is None else key_added] = {
        "on": covariate.names,
        **found,
        "params": {"key": key, "n_permutations": model.n_permutations, "rng": seed, "version": __version__},
    }


def _rows_of_pairs(adata: "AnnData", key: str, model: LMI) -> list[Index]:
    """The first population's cell of every pair of each fold's first pairing."""
    if not holds(adata, "adata", key, "pairs"):
        raise KeyError(f"Did not find `.uns[{key!r}]`. Run `sm.tl.lmi` first, or pass its `key_added` as `key`.")
    pairs: pd.DataFrame = adata.uns[key]["pairs"]
    folds = model.folds_[: len(model.folds_) // len(model.result_.mi_by_split)]  # of the first split
    of_fold = [pairs["cell_a"][pairs["fold"] == number] for number in range(len(folds))]
    if [len(cells) for cells in of_fold] != [len(fold.held_out) for fold in folds]:
        raise ValueError(f"`model` is not the one that gave `.uns[{key!r}]`: they differ in their pairs.")
    if not adata.obs_names.is_unique:
        raise ValueError("`.obs_names` are not unique, so that the cells of the pairs can't be told apart.")
    rows = [np.asarray(adata.obs_names.get_indexer(cells), dtype=np.int64) for cells in of_fold]
    gone = sum(int((at < 0).sum()) for at in rows)
    if gone:
        raise ValueError(f"{gone} cells of the estimate are not in `adata`; pass the first population as it was then.")
    return rows


def _tested(
    model: LMI, values: Sequence[NDArray[Any]], covariate: Covariate, rng: np.random.Generator
) -> dict[str, Any]:
    try:
        found = conditional_test(
            model.folds_[: len(values)],
            values,
            discrete=covariate.discrete,
            n_permutations=model.n_permutations,
            rng=rng,
        )
    except TooFew as reason:
        missing = dict.fromkeys(("mi", "se", "mi_same_pairs", "p"), np.nan)
        return {**missing, "null": null_table(np.empty(0)), "n_pairs": 0, "missing": str(reason)}
    test = found.test
    return {
        "mi": test.mi,
        "se": found.se,
        "mi_same_pairs": found.mi_same_pairs,
        "p": test.p,
        "null": null_table(test.null),
        "n_pairs": test.n_pairs,
        "missing": "",
    }
