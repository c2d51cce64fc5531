"""What becomes of a clone: the fates of a cell's later clone mates."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scmi._docs import with_shared_docs
from scmi._logging import logger
from scmi._slots import (
    check_column,
    check_groups,
    check_is_anndata,
    check_key_added,
    check_values,
    check_writable,
    values_of,
)
from scmi._writing import Slots, write_together
from scmi.pp.barcodes import read_side

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["clone_fates"]


@with_shared_docs
def clone_fates(
    adata: AnnData,
    pair_key: str,
    fate_key: str,
    *,
    time_key: str,
    early: Any,
    late: Any,
    key_added: str = "clone_fates",
    copy: bool = False,
) -> AnnData | None:
    """The fates of the later clone mates of every early cell, as counts and as the most frequent one.

    What an early cell will become can't be seen, but what its clone has become can: "how much does day 2 tell about
    fate" is the question of :func:`scmi.tl.label_information` about these.

    Parameters
    ----------
    adata
        Early and late cells.
    pair_key
        ``.obs`` column of clonal barcodes, or ``.obsm`` matrix, cells x clones, as for :func:`scmi.tl.lmi`.
    fate_key
        ``.obs`` column of the fates of late cells.
    time_key
        ``.obs`` column of times.
    early
        Value of `time_key`, or several, of the cells whose mates are looked for.
    late
        Value, or several, of the mates.
    {key_added}
    {copy}

    Returns
    -------
    None, or with ``copy=True`` the changed copy. Sets the following fields:

    `adata.obsm["clone_fates"]` : DataFrame
        Cells x fates: how many late mates have each. 0 for cells that are not early, or whose clone has no late cell
        of a known fate.
    `adata.obs["clone_fates_main"]` : category of strings
        The most frequent fate (of equally many, the first in the order of the columns); missing where there is none.

    Raises
    ------
    KeyError
        If a column doesn't exist.
    ValueError
        If the object is a view, a time is unknown, early and late overlap, or no early cell has a late mate.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(100, n_genes=500)
    >>> sm.pp.clone_fates(adata, "clone", "fate", time_key="day", early="2", late=["4", "6"])
    >>> adata.obsm["clone_fates"].columns.tolist() == adata.obs["fate"].cat.categories.tolist()
    True
    """
    check_is_anndata(adata, "adata")
    check_key_added(key_added)
    if not copy:
        check_writable(adata, "adata")
    for argument, column in (("fate_key", fate_key), ("time_key", time_key)):
        check_column(adata, argument, column)
    at = [_cells_at(adata, time_key, argument, values) for argument, values in (("early", early), ("late", late))]
    if (at[0] & at[1]).any():
        raise ValueError("`early` and `late` have a time in common, so that cells would be their own mates.")
    clones = read_side(adata, pair_key, "adata")
    fate = adata.obs[fate_key].astype("category")
    code = fate.cat.codes.to_numpy()
    shape = (adata.n_obs, len(clones.labels))
    carries = sp.csr_array((np.ones(len(clones.rows), dtype=np.int64), (clones.rows, clones.codes)), shape=shape)
    known = np.flatnonzero(at[1] & (code >= 0))
    becomes = sp.csr_array(
        (np.ones(len(known), dtype=np.int64), (known, code[known])), shape=(adata.n_obs, len(fate.cat.categories))
    )
    own = (carries @ (carries.T @ becomes)).toarray() * at[0][:, None]
    rows = np.flatnonzero(own.sum(axis=1) > 0)
    if not len(rows):
        raise ValueError(
            f"No cell of `early` shares a barcode of {pair_key!r} with a cell of `late` that has a fate in "
            f"`.obs[{fate_key!r}]`."
        )
    names = list(map(str, fate.cat.categories))
    main = np.full(adata.n_obs, -1)
    main[rows] = own[rows].argmax(axis=1)
    logger.info("%d of %d early cells have late clone mates of known fate", len(rows), int(at[0].sum()))
    if copy:
        adata = adata.copy()
    write_together(
        Slots(
            target=adata,
            obs={f"{key_added}_main": pd.Categorical.from_codes(main, pd.Index(names))},
            obsm={key_added: pd.DataFrame(own, index=adata.obs_names, columns=names)},
        )
    )
    return adata if copy else None


def _cells_at(adata: AnnData, time_key: str, argument: str, values: Any) -> Any:
    wanted = [values] if isinstance(values, str) or not isinstance(values, Collection) else list(values)
    check_groups(argument, wanted)
    times = adata.obs[time_key]
    if not wanted:
        raise ValueError(f"`{argument}` is empty: name one or several of {values_of(times)} in `.obs[{time_key!r}]`.")
    check_values(argument, wanted, f"`.obs[{time_key!r}]`", times)
    return times.isin(wanted).fillna(False).to_numpy(dtype=bool)
