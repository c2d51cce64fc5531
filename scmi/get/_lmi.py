"""What `tl.lmi` stored, as DataFrames."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scmi._docs import with_shared_docs
from scmi._slots import holds

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["LMITables", "lmi"]


class LMITables(NamedTuple):
    """The stored result of :func:`scmi.tl.lmi`, tidy.

    Parameters
    ----------
    cells
        One row per estimated cell: ``pmi`` and ``pmi_sd`` in bits, ``pmi_local`` (the mean of its
        neighbourhood) and ``pmi_local_se`` in bits, ``n`` pairings.
    pairings
        One row per random pairing: ``mi`` in bits.
    history
        One row per validation: ``fold``, ``step``, ``train`` and ``validation`` loss.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=sm.LMI(n_pairings=5))
    >>> cells, pairings, history = sm.get.lmi(adata)
    >>> len(pairings)
    5
    """

    cells: pd.DataFrame
    pairings: pd.DataFrame
    history: pd.DataFrame


@with_shared_docs
def lmi(adata: "AnnData", key: str = "lmi") -> LMITables:
    """The result that :func:`scmi.tl.lmi` stored, as DataFrames.

    Parameters
    ----------
    {adata_with_lmi}
    {key}

    Returns
    -------
    Three DataFrames: ``cells`` (cells that were estimated), ``pairings`` and ``history``.

    Raises
    ------
    KeyError
        If nothing is stored under this key.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    >>> sm.get.lmi(adata).cells.columns.tolist()
    ['pmi', 'pmi_sd', 'pmi_local', 'pmi_local_se', 'n']
    """
    columns = {f"{key}_{name}": name for name in ("pmi", "pmi_sd", "pmi_local", "pmi_local_se", "n")}
    if not holds(adata, "adata", key, "mi_by_pairing", "history") or not set(columns) <= set(adata.obs.columns):
        raise KeyError(f"Did not find `.uns[{key!r}]` with its `.obs` columns. Run `sm.tl.lmi` first.")
    stored = adata.uns[key]
    cells = adata.obs[list(columns)].rename(columns=columns)
    mi = np.asarray(stored["mi_by_pairing"])
    return LMITables(
        cells=cells[cells["n"] > 0],
        pairings=pd.DataFrame({"pairing": np.arange(len(mi)), "mi": mi}),
        history=stored["history"].reset_index(drop=True),
    )
