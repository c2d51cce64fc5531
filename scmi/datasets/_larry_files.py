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
from scipy.io import mminfo, mmread

from scmi.datasets._download import data_folder, fetch, is_gzip, is_matrix_market, reading, way_out

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
# The shortest entry of a Matrix Market file, "1 1" and a line's end, in bytes; and how many bytes gzip packs into one.
ENTRY, MOST_PACKED = 4, 1100
SPRING = ["SPRING-x", "SPRING-y"]


class Cells(NamedTuple):
    """What is published of every cell, but for its expression."""

    obs: pd.DataFrame
    clones: sparse.csr_matrix[np.bool_]
    spring: npt.NDArray[np.float64]


def larry_file(kind: str, path: str | PathLike[str] | None, progress: bool | None) -> Path:
    """One of the files, downloaded unless it is there."""
    check = is_matrix_market if FILES[kind].endswith(".mtx.gz") else is_gzip
    return fetch(URL + FILES[kind], data_folder("larry", path) / FILES[kind], progress, check)


def read_cells(path: str | PathLike[str] | None, progress: bool | None) -> Cells:
    """Metadata, barcodes and pseudotime."""
    files = {kind: larry_file(kind, path, progress) for kind in ("metadata", "clones", "pseudotime")}
    with reading(files["metadata"]):
        metadata = _table(files["metadata"], [*CATEGORIES, "Cell barcode", *SPRING])
        obs = _describe(metadata)
        spring = _numbers(metadata[SPRING])
    with reading(files["clones"]):
        members = read_matrix(files["clones"])
        if (members.data != np.rint(members.data)).any():
            raise ValueError("it holds fractions, and a clone matrix holds 0 and 1")
    check_length(members.shape[0], len(obs), files["clones"], files["metadata"])
    clones = sparse.csr_matrix(members, dtype=bool)
    clones.eliminate_zeros()
    with reading(files["pseudotime"]):
        obs["neutrophil_pseudotime"] = _read_pseudotime(files["pseudotime"], len(obs))
    obs["clone"] = _label_clones(clones)
    return Cells(obs, clones, spring)


def read_matrix(file: Path) -> Any:
    """A Matrix Market file of counts, or of what was made of counts, as COO."""
    with reading(file):
        n_entries = mminfo(file)[2]
        if n_entries * ENTRY > file.stat().st_size * MOST_PACKED:  # or memory would be sought for them all
            raise ValueError(f"it tells of {n_entries:,} entries, more than it can hold")
        matrix: Any = mmread(file, spmatrix=True)
        is_sparse = sparse.issparse(matrix)
        if not is_sparse or matrix.dtype.kind not in "buif":
            raise ValueError("it is not a sparse matrix of real numbers")
        if not np.isfinite(matrix.data).all():
            raise ValueError("it holds missing or infinite values")
        if matrix.nnz and matrix.data.min() < 0:
            raise ValueError(f"{(matrix.data < 0).sum():,} of its values are negative, which no count is")
        return matrix


def read_lines(file: Path) -> list[str]:
    """Lines as they are: a parser of tables would take a gene called NA for a missing one."""
    with reading(file):
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            lines = [line.strip() for line in opened if line.strip()]
        if any("\t" in line or line.startswith(("%", "<")) for line in lines):
            raise ValueError("it is not a list of names, one a line")
        return lines


def check_length(found: int, n_cells: int, file: Path, metadata: Path) -> None:
    """Raise if a file does not have a row for each cell."""
    if found != n_cells:
        raise ValueError(
            f"{file} has {found:,} rows, but {metadata} has {n_cells:,} cells: one of the two is not what its name "
            f"says. Of the one that is wrong: {way_out(file)}"
        )


def _table(file: Path, columns: list[str]) -> pd.DataFrame:
    table = pd.read_csv(file, sep="\t")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"it lacks the columns {missing}; it has {list(map(str, table.columns[:20]))}")
    for column in columns:
        n_missing = int(table[column].isna().sum())
        if n_missing:
            raise ValueError(f"{n_missing:,} of {len(table):,} values of {column!r} are missing")
    return table


def _numbers(table: Any) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = table.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("it holds missing or infinite values")
    return numbers


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
    if not pd.api.types.is_integer_dtype(table["Cell index"]):
        raise ValueError("its 'Cell index' is not of whole numbers")
    cells = table["Cell index"].to_numpy(dtype=np.int64)
    if len(cells) and (cells.min() < 0 or cells.max() >= n_cells):
        raise ValueError(f"it numbers cells from {cells.min()} to {cells.max()}, but there are {n_cells:,} of them")
    if len(np.unique(cells)) < len(cells):
        raise ValueError("it names cells twice")
    pseudotime = np.full(n_cells, np.nan)
    pseudotime[cells] = _numbers(table["pseudotime"])
    return pseudotime


def _label_clones(clones: sparse.csr_matrix[np.bool_]) -> pd.Categorical[str]:
    """The column of the one clone a cell is in. No argmax: it is 0 for an empty row, and for the cells of clone 0."""
    one = np.diff(clones.indptr) == 1
    codes = np.full(clones.shape[0], -1)
    codes[one] = clones.indices[clones.indptr[:-1][one]]
    present, codes[one] = np.unique(codes[one], return_inverse=True)
    return pd.Categorical.from_codes(codes, categories=pd.Index(present.astype(str)))
