"""Which other groups would do, where two share too few barcodes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scmi.estimators.inputs.checks import TooFew
from scmi.pp.barcodes import PairKey, read_sides

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["naming_alternatives"]

MOST_NAMED = 3


@contextmanager
def naming_alternatives(
    adata: "AnnData", column: str, groups: Sequence[Any], pair_key: PairKey, na_values: object
) -> Iterator[None]:
    """Add to what is too little for two groups which pairs of groups share more barcodes."""
    try:
        yield
    except TooFew as error:
        # Cells of one name are one cell, which is in one group.
        if pair_key is None:
            raise
        raise TooFew(f"{error}{_with_more(adata, column, groups, pair_key, na_values)}") from error


def _with_more(adata: "AnnData", column: str, groups: Sequence[Any], pair_key: PairKey, na_values: object) -> str:
    side, _ = read_sides(adata, adata, pair_key, na_values, ("adata", "adata"))
    codes, names = pd.factorize(adata.obs[column], sort=True)
    of_cell = codes[side.rows]
    known = of_cell >= 0
    carries = sp.csr_array(
        (np.ones(known.sum()), (of_cell[known], side.codes[known])), shape=(len(names), len(side.labels))
    )
    carries.data[:] = 1  # entries of one place are added up
    shared = (carries @ carries.T).toarray().astype(int)
    at = [int(np.flatnonzero(names == group)[0]) for group in groups]
    first, second = np.triu_indices(len(names), k=1)
    n = shared[first, second]
    more = [i for i in np.argsort(-n, kind="stable") if n[i] > shared[at[0], at[1]]][:MOST_NAMED]
    if not more:
        return ""
    named = [f"{names[first[i]]!r} and {names[second[i]]!r} ({n[i]:,} barcodes)" for i in more]
    return f" Of `.obs[{column!r}]`, these share more: {', '.join(named)}."
