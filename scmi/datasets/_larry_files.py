"""The published files of LARRY in vitro (Weinreb et al. 2020), each read into what it is about."""

from __future__ import annotations

import gzip
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata.utils import make_index_unique
from scipy import sparse
from scipy.io import mmread

from scmi.datasets._download import data_folder, fetch

URL = "https://kleintools.hms.harvard.edu/paper_websites/state_fate2020/"
FILES = {
    "counts": "stateFate_inVitro_normed_counts.mtx.gz",
    "genes": "stateFate_inVitro_gene_names.txt.gz",
    "clones": "stateFate_inVitro_clone_matrix.mtx.gz",
    "metadata": "stateFate_inVitro_metadata.txt.gz",
    "pseudotime": "stateFate_inVitro_neutrophil_pseudotime.txt.gz",
}

CATEGORIES = {
    "Time point": "time",
    "Well": "well",
    "Starting population": "starting_population",
    "Cell type annotation": "cell_type",
    "Library": "library",
}
SPRING = ["SPRING-x", "SPRING-y"]


class Cells(NamedTuple):
    """What is published of every cell, but for its expression."""

    obs: pd.DataFrame
    clones: sparse.csr_matrix[np.bool_]
    spring: npt.NDArray[np.float64]


def larry_file(kind: str, path: str | PathLike[str] | None, progress: bool | None) -> Path:
    """One of the files, downloaded unless it is there."""
    return fetch(URL + FILES[kind], data_folder("larry", path) / FILES[kind], progress)


def read_cells(path: str | PathLike[str] | None, progress: bool | None) -> Cells:
    """Metadata, barcodes and pseudotime."""
    files = {kind: larry_file(kind, path, progress) for kind in ("metadata", "clones", "pseudotime")}
    metadata = _table(files["metadata"], [*CATEGORIES, "Cell barcode", *SPRING])
    clones = sparse.csr_matrix(read_matrix(files["clones"]), dtype=bool)
    check_length(clones.shape[0], len(metadata), files["clones"])
    clones.eliminate_zeros()

    obs = _describe(metadata)
    obs["neutrophil_pseudotime"] = _read_pseudotime(files["pseudotime"], len(metadata))
    obs["clone"] = _label_clones(clones)
    return Cells(obs, clones, metadata[SPRING].to_numpy(dtype=np.float64))


def read_matrix(file: Path) -> Any:
    """A Matrix Market file as COO."""
    return mmread(file)


def read_lines(file: Path) -> list[str]:
    """Lines as they are: a parser of tables would take a gene called NA for a missing one."""
    with gzip.open(file, "rt") as lines:
        return [line.strip() for line in lines if line.strip()]


def check_length(found: int, n_cells: int, file: Path) -> None:
    """Raise if a file does not have a row for each cell."""
    if found != n_cells:
        raise ValueError(
            f"{file} has {found:,} rows, but {FILES['metadata']} has {n_cells:,} cells; download both again from {URL}."
        )


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    table = pd.read_csv(file, sep="\t")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{file} lacks the columns {missing}; it has {list(map(str, table.columns))}.")
    return table


def _describe(metadata: pd.DataFrame) -> pd.DataFrame:
    names = metadata["Library"].astype(str) + "_" + metadata["Cell barcode"].astype(str)
    obs = {column: _category(metadata[published]) for published, column in CATEGORIES.items()}
    return pd.DataFrame(obs, index=make_index_unique(pd.Index(names, dtype=object)))


def _category(column: pd.Series[Any]) -> pd.Categorical[str]:
    """Values as text, in their own order; 2.0 is "2"."""
    values, codes = np.unique(column.to_numpy(), return_inverse=True)
    labels = [f"{value:g}" if isinstance(value, float) else str(value) for value in values.tolist()]
    return pd.Categorical.from_codes(codes, categories=pd.Index(labels))


def _read_pseudotime(file: Path, n_cells: int) -> npt.NDArray[np.float64]:
    """By position of the cell, counted from 0; NaN where there is none."""
    table = _table(file, ["Cell index", "pseudotime"])
    cells = table["Cell index"].to_numpy(dtype=np.int64)
    if len(cells) and (cells.min() < 0 or cells.max() >= n_cells):
        raise ValueError(
            f"{file} numbers cells from {cells.min()} to {cells.max()}, but there are {n_cells:,} of them."
        )
    pseudotime = np.full(n_cells, np.nan)
    pseudotime[cells] = table["pseudotime"].to_numpy(dtype=np.float64)
    return pseudotime


def _label_clones(clones: sparse.csr_matrix[np.bool_]) -> pd.Categorical[str]:
    """The column of the one clone a cell is in. No argmax: it is 0 for an empty row, and for the cells of clone 0."""
    one = np.diff(clones.indptr) == 1
    codes = np.full(clones.shape[0], -1)
    codes[one] = clones.indices[clones.indptr[:-1][one]]
    present, codes[one] = np.unique(codes[one], return_inverse=True)
    return pd.Categorical.from_codes(codes, categories=pd.Index(present.astype(str)))
