"""Embeddings of proteins and annotated pairs of them, as the paper has them."""

from os import PathLike

import pandas as pd

from scmi._docs import with_shared_docs
from scmi.datasets._download import data_folder, fetch, is_hdf5, is_table, reading
from scmi.pp.embeddings import read_embeddings

UNIPROT = "https://ftp.uniprot.org/pub/databases/uniprot/current_release/knowledgebase/embeddings/"
PROTEOMES = {
    "human": "UP000005640_9606",
    "mouse": "UP000000589_10090",
    "rat": "UP000002494_10116",
    "c_elegans": "UP000001940_6239",
    "arabidopsis": "UP000006548_3702",
    "e_coli": "UP000000625_83333",
    "sars_cov_2": "UP000464024_2697049",
}

OMNIPATH = "https://omnipathdb.org/interactions?datasets=ligrecextra&organisms=9606&format=tsv"
PAIRS_FILE = "omnipath_ligrecextra_9606.tsv"


@with_shared_docs
def uniprot_embeddings(
    organism: str = "human", *, path: str | PathLike[str] | None = None, progress: bool | None = None
) -> pd.DataFrame:
    """UniProt's ProtT5 embeddings of the proteins of an organism, the mean over each protein's residues.

    They are the embeddings of section 4.1 of :cite:t:`Gowri2024`. The file is that of UniProt's current release at the
    time of the download, and stays the same afterwards.

    Parameters
    ----------
    organism
        "human", "mouse", "rat", "c_elegans", "arabidopsis", "e_coli" or "sars_cov_2".
    {path}
        It is called ``uniprot``; a file in it has UniProt's name for the proteome, such as
        ``UP000005640_9606/per-protein.h5``.
    {progress}

    Returns
    -------
    Accessions x 1,024 dimensions, float32, as :func:`scmi.pp.read_embeddings` reads them.

    Raises
    ------
    ConnectionError, ImportError
        As :func:`scmi.datasets.larry`.
    ValueError
        If the organism is unknown, or the file is damaged.

    Examples
    --------
    >>> import scmi as sm
    >>> embeddings = sm.datasets.uniprot_embeddings()  # doctest: +SKIP
    >>> sm.tl.interactions(embeddings, sm.datasets.omnipath_pairs())  # doctest: +SKIP
    """
    if not isinstance(organism, str) or organism not in PROTEOMES:
        raise ValueError(f"organism={organism!r} is not known; choose one of {list(PROTEOMES)}.")
    name = f"{PROTEOMES[organism]}/per-protein.h5"
    file = fetch(UNIPROT + name, data_folder("uniprot", path) / name, progress, is_hdf5)
    with reading(file):
        return read_embeddings(file)


@with_shared_docs
def omnipath_pairs(path: str | PathLike[str] | None = None, *, progress: bool | None = None) -> pd.DataFrame:
    """Pairs of human ligands and receptors, from OmniPath's data set ``ligrecextra``.

    They are the pairs of section 4.1 of :cite:t:`Gowri2024`. OmniPath answers with what it has on the day of the
    download; the answer is kept as ``omnipath_ligrecextra_9606.tsv``.

    Parameters
    ----------
    {path}
        It is called ``omnipath``.
    {progress}

    Returns
    -------
    Columns `source` and `target`: UniProt accessions of the ligand and of the receptor, each pair once. Pairs with a
    complex are left out, since a complex has no embedding of its own.

    Raises
    ------
    ConnectionError, ImportError
        As :func:`scmi.datasets.larry`.
    ValueError
        If the file is not such a table.

    Notes
    -----
    OmniPath combines resources with licences of their own, some of them for academic use only.

    Examples
    --------
    >>> import scmi as sm
    >>> pairs = sm.datasets.omnipath_pairs()  # doctest: +SKIP
    """
    file = fetch(OMNIPATH, data_folder("omnipath", path) / PAIRS_FILE, progress, is_table)
    with reading(file):
        # Only empty fields are missing: an accession such as NA would be a name.
        table = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False, na_values=[""])
        if not {"source", "target"} <= set(table.columns):
            raise ValueError(
                f"it has the columns {list(map(str, table.columns))[:5]}, and not 'source' and 'target' of a table of "
                "interactions"
            )
    pairs = table[["source", "target"]].dropna().drop_duplicates()
    single = ~(pairs["source"].str.startswith("COMPLEX:") | pairs["target"].str.startswith("COMPLEX:"))
    return pairs[single].reset_index(drop=True)
