"""Early states and later fates of LARRY's clones: a small real data set with a discrete, multivariate side."""

from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from scmi._docs import with_shared_docs
from scmi.datasets._larry_files import Cells, read_cells

EARLY = "2"
UNDIFFERENTIATED = "Undifferentiated"


@with_shared_docs
def larry_state_fate(path: str | PathLike[str] | None = None, *, progress: bool | None = None) -> AnnData:
    """What became of the clones of LARRY's day-2 cells: their SPRING coordinates and counts of ten fates.

    A cell's fate is counted in its clone: how many of its barcode's cells on days 4 and 6 have each of the annotated
    mature types. "Undifferentiated" is not a fate. Day-2 cells without a mature clone mate are left out.

    Computed from the metadata, the clone matrix and the pseudotime of :func:`scmi.datasets.larry`; the expression, by
    far the largest file, is not needed.

    Parameters
    ----------
    {path}
        It is called ``larry``, and is that of :func:`scmi.datasets.larry`.
    {progress}

    Returns
    -------
    AnnData of day-2 cells without a matrix (``X`` is None), with the fields

    `adata.obsm["X_spring"]` : float array
        The published SPRING layout, in which neighbours are similar transcriptomes.
    `adata.obsm["fates"]` : DataFrame of integers
        Mature cells among the clone mates on days 4 and 6, a column per cell type.
    `adata.obs["clone_group"]` : category of strings
        Cells that share clones, directly or through others: pass it as ``groups``, so that no split parts them.
    `adata.obs["clone"]` and the other columns of :func:`scmi.datasets.larry`
        The clone is NaN for cells in several, whose mates of all of them are counted, each once.
    `adata.obsm["X_clone"]` : CSR matrix of bool
        Cells x clones.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.larry_state_fate()  # doctest: +SKIP
    >>> sm.lmi(adata.obsm["X_spring"], adata.obsm["fates"], groups=adata.obs["clone_group"])  # doctest: +SKIP
    """
    cells = read_cells(path, progress)
    rows, fates = clonal_fates(cells)
    obs = cells.obs.iloc[rows].copy()
    obs["clone"] = obs["clone"].cat.remove_unused_categories()
    shared = cells.clones[rows].astype(np.int64)
    obs["clone_group"] = pd.Categorical(connected_components(shared @ shared.T, directed=False)[1].astype(str))
    return AnnData(
        obs=obs,
        obsm={"X_spring": cells.spring[rows], "fates": fates.set_axis(obs.index), "X_clone": cells.clones[rows]},
    )


def clonal_fates(cells: Cells) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """The early cells that have mature clone mates later, and how many of each type."""
    time, cell_type = cells.obs["time"].to_numpy(), cells.obs["cell_type"]
    early = np.flatnonzero(time == EARLY)
    mature = np.flatnonzero((time != EARLY) & (cell_type != UNDIFFERENTIATED).to_numpy())
    # Who shares a clone with whom, once, however many barcodes two cells share.
    mates = sparse.csr_matrix(
        cells.clones[early].astype(np.int64) @ cells.clones[mature].astype(np.int64).T, dtype=bool
    )
    fates = pd.get_dummies(cell_type.iloc[mature].cat.remove_unused_categories(), dtype=np.int64)
    counts = np.asarray(mates.astype(np.int64) @ fates.to_numpy())
    kept = counts.sum(axis=1) > 0
    return early[kept], pd.DataFrame(counts[kept], columns=list(map(str, fates.columns)))
