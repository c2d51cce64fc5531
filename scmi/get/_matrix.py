"""What `tl.lmi_matrix` stored, as a DataFrame."""

from typing import TYPE_CHECKING

import pandas as pd

from scmi._docs import with_shared_docs
from scmi._slots import holds

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["lmi_matrix"]


@with_shared_docs
def lmi_matrix(adata: "AnnData", key: str = "lmi_matrix") -> pd.DataFrame:
    """The table that :func:`scmi.tl.lmi_matrix` stored: a row per pair of groups, in bits.

    Parameters
    ----------
    adata
        An object that :func:`scmi.tl.lmi_matrix` has written to.
    {key}

    Returns
    -------
    A copy of the table, with ``group_a``, ``group_b``, ``mi``, ``mi_ksg``, ``se``, ``ci_low``, ``ci_high``, ``p``,
    ``q``, ``n_pairs`` and ``note``; and with ``counts_layer`` ``depth_a``, ``depth_b`` and ``mi_equal_depth``.

    Raises
    ------
    KeyError
        If nothing is stored under this key.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.lineage(300, n_genes=500)
    >>> sm.pp.recipe_lmi(adata)
    >>> sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day")
    >>> len(sm.get.lmi_matrix(adata))
    3
    """
    if not holds(adata, "adata", key, "table"):
        raise KeyError(f"Did not find `.uns[{key!r}]['table']`. Run `sm.tl.lmi_matrix` first.")
    table: pd.DataFrame = adata.uns[key]["table"].reset_index(drop=True)
    return table
