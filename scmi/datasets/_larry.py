"""LARRY: lineage tracing of blood formation in vitro, with single-cell RNA sequencing."""

from os import PathLike

import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique
from scipy import sparse

from scmi._docs import with_shared_docs
from scmi.datasets._download import way_out
from scmi.datasets._larry_files import FILES, check_length, larry_file, read_cells, read_lines, read_matrix


@with_shared_docs
def larry(path: str | PathLike[str] | None = None, *, progress: bool | None = None) -> AnnData:
    """Barcoded blood progenitors and their descendants: 130,887 cells x 25,289 genes of Weinreb et al. (2020).

    Mouse progenitors were barcoded and cultured. Some of the cells were sequenced on day 2; the others were parted into
    two sets of wells, and sequenced on days 4 and 6. These are the data of section 4.2 of :cite:t:`Gowri2024`.

    The authors' files are downloaded once from
    https://kleintools.hms.harvard.edu/paper_websites/state_fate2020/ : ``stateFate_inVitro_`` followed by
    ``normed_counts.mtx.gz``, ``gene_names.txt.gz``, ``clone_matrix.mtx.gz``, ``metadata.txt.gz`` and
    ``neutrophil_pseudotime.txt.gz``. A download that was cut off goes on where it stopped. The authors publish no
    hashes. So what is sent is checked for its format, to the last byte, and that the files fit together; and the hash
    of each is recorded beside it when it is downloaded, and checked whenever it is read. A downloaded file that turns
    out to be something else, because it changed on disk or was wrong from the start, is downloaded again, with a
    warning. One that was put there by hand is never replaced.

    Parameters
    ----------
    {path}
        It is called ``larry``.
    {progress}

    Returns
    -------
    AnnData of the published expression (CSR, float32), which is **normalised to the same total in every cell**, not
    logged and not whole counts, with the fields

    `adata.obs["time"]` : category of strings
        Day: "2", "4" or "6".
    `adata.obs["well"]` : category of strings
        "1" and "2" for the two sets of wells on days 4 and 6; "0" on day 2.
    `adata.obs["starting_population"]`, `adata.obs["cell_type"]`, `adata.obs["library"]` : categories of strings
        As published. Cells without a mature type are "Undifferentiated".
    `adata.obs["neutrophil_pseudotime"]` : float
        Rank along the neutrophil trajectory; NaN off it.
    `adata.obs["clone"]` : category of strings
        Column of the published clone matrix, from "0". NaN where a cell is in no clone, or in several: these can't be
        told by one label.
    `adata.obsm["X_clone"]` : CSR matrix of bool
        Cells x clones, all memberships.
    `adata.obsm["X_spring"]` : float array
        The published SPRING layout.

    Cells are named by library and cell barcode, which alone is not unique. Genes that share a name get a suffix.

    Raises
    ------
    ConnectionError
        If a file can't be downloaded, or what is sent is not such a file.
    ImportError
        If something must be downloaded and the packages for it aren't installed (``pip install ".[datasets]"`` in a
        clone of the repository).
    ValueError
        If a file is damaged or holds what it can't, or files don't fit together.

    Warns
    -----
    UserWarning
        If a downloaded file is damaged, and is downloaded again.

    Notes
    -----
    Reading the expression takes minutes: keep the result with ``adata.write_h5ad``.

    References
    ----------
    Weinreb, Rodriguez-Fraticelli, Camargo and Klein (2020), Science 367, eaaw3381.

    Examples
    --------
    >>> import scmi as sm
    >>> adata = sm.datasets.larry()  # doctest: +SKIP
    >>> sm.pp.recipe_lmi(adata)  # doctest: +SKIP
    >>> sm.tl.lmi(adata, pair_key="clone", groupby="time", groups=("2", "6"))  # doctest: +SKIP
    """
    cells = read_cells(path, progress)
    genes_file, counts_file = (larry_file(kind, path, progress) for kind in ("genes", "counts"))
    genes = read_lines(genes_file)
    counts = read_matrix(counts_file)
    check_length(counts.shape[0], len(cells.obs), counts_file, counts_file.with_name(FILES["metadata"]))
    if counts.shape[1] != len(genes):
        raise ValueError(
            f"{counts_file} has {counts.shape[1]:,} columns, but {genes_file} names {len(genes):,} genes: one of the "
            f"two is not what its name says. Of the one that is wrong: {way_out(genes_file)}"
        )

    return AnnData(
        X=sparse.csr_matrix(counts.astype(np.float32, copy=False)),
        obs=cells.obs,
        var=pd.DataFrame(index=make_index_unique(pd.Index(genes, dtype=object))),
        obsm={"X_spring": cells.spring, "X_clone": cells.clones},
    )
