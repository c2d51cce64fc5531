"""What `tl.lmi` stored, as numbers in words and as DataFrames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scmi._docs import with_shared_docs
from scmi._slots import holds
from scmi._words import EstimateInWords, Printed

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["LMITables", "lmi"]

COLUMNS = ("pmi", "pmi_sd", "pmi_local", "pmi_local_se", "n")


@dataclass(frozen=True, kw_only=True, repr=False)
class LMITables(Printed):
    """The stored result of :func:`scmi.tl.lmi`, tidy; it prints as a sentence, and in notebooks as a small table.

    The three tables unpack, ``cells, pairings, history = sm.get.lmi(adata)``.

    Parameters
    ----------
    mi
        Mutual information in bits, the number to report.
    ci
        Its 90 % interval in bits; up to infinity near the most that so many pairs can show.
    p
        Of the permutation test.
    n_pairs
        Shared barcodes (or cells, where cells of one name are paired) that were estimated.
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

    mi: float
    ci: tuple[float, float]
    p: float
    n_pairs: int
    cells: pd.DataFrame
    pairings: pd.DataFrame
    history: pd.DataFrame
    in_words: EstimateInWords

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return iter((self.cells, self.pairings, self.history))

    def __str__(self) -> str:
        return self.in_words.sentence()

    def _rows(self) -> dict[str, str]:
        return self.in_words.rows()


@with_shared_docs
def lmi(adata: "AnnData", key: str = "lmi") -> LMITables:
    """The result that :func:`scmi.tl.lmi` stored: in words where it is printed, and as DataFrames.

    Parameters
    ----------
    {adata_with_lmi}
    {key}

    Returns
    -------
    The estimate, with three DataFrames: ``cells`` (cells that were estimated), ``pairings`` and ``history``.

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
    >>> found = sm.get.lmi(adata)  # prints as "0.31 bits (90 %: 0.17 to 0.45), p = 0.001, 139 barcodes"
    >>> found.cells.columns.tolist()
    ['pmi', 'pmi_sd', 'pmi_local', 'pmi_local_se', 'n']
    """
    columns = {f"{key}_{name}": name for name in COLUMNS}
    if not holds(adata, "adata", key, "mi_by_pairing", "history") or not set(columns) <= set(adata.obs.columns):
        if holds(adata, "adata", key, "table"):
            raise KeyError(
                f"`.uns[{key!r}]` holds another tool's result, with a `table` of its own; what is read here is what "
                "`sm.tl.lmi` stores."
            )
        raise KeyError(f"Did not find `.uns[{key!r}]` with its `.obs` columns. Run `sm.tl.lmi` first.")
    stored = adata.uns[key]
    cells = adata.obs[list(columns)].rename(columns=columns)
    by_pairing = np.asarray(stored["mi_by_pairing"])
    ci = (float(stored["ci"][0]), float(stored["ci"][1]))
    mi, p, n_pairs = float(stored["mi"]), float(stored["p"]), int(stored["n_pairs"])
    counted = "cells" if stored["params"].get("pair_key") is None else "barcodes"
    learning = stored["learning"]
    return LMITables(
        mi=mi,
        ci=ci,
        p=p,
        n_pairs=n_pairs,
        cells=cells[cells["n"] > 0],
        pairings=pd.DataFrame({"pairing": np.arange(len(by_pairing)), "mi": by_pairing}),
        history=stored["history"].reset_index(drop=True),
        in_words=EstimateInWords(
            mi=mi,
            ci=ci,
            mi_ksg=float(stored["mi_ksg"]),
            correction=str(stored["correction"]),
            p=p,
            counted=f"{n_pairs:,} {counted}",
            entropy=np.nan,
            expected=None if learning["levelled"] else list(learning["expected"]),
        ),
    )
