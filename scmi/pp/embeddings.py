"""Embeddings of proteins (or of anything with a name): files, dicts and frames as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import h5py

__all__ = ["Embeddings", "read_embeddings"]

Embeddings = str | PathLike[str] | Mapping[str, ArrayLike] | pd.DataFrame


def read_embeddings(source: Embeddings) -> pd.DataFrame:
    """Read embeddings into a table with a row per name.

    Parameters
    ----------
    source
        An HDF5 file with a vector per name, as UniProt's ``per-protein.h5`` (accession to vector), whose names may be
        nested in groups; a dict from name to vector; or a DataFrame with the names as its index.

    Returns
    -------
    Names x dimensions, float32. Names are text.

    Raises
    ------
    ValueError
        If there is nothing to read, vectors differ in length, values are missing or infinite, or a name occurs twice.
    TypeError
        If ``source`` is none of these, or its values are not numbers.

    Examples
    --------
    >>> import scmi as sm
    >>> sm.pp.read_embeddings({"P01308": [0.1, 0.2], "P06213": [0.3, 0.1]}).loc["P06213"].tolist()
    [0.30000001192092896, 0.10000000149011612]
    """
    if isinstance(source, pd.DataFrame):
        table = source.copy()
    elif isinstance(source, Mapping):
        table = _stacked([(str(name), np.asarray(vector)) for name, vector in source.items()], "the dict")
    elif isinstance(source, str | PathLike):
        table = _stacked(_read(source), str(source))
    else:
        raise TypeError(f"`source` must be a path, a dict or a DataFrame, got {type(source).__name__}.")
    if 0 in table.shape:
        raise ValueError(f"The embeddings are empty: {table.shape[0]} names x {table.shape[1]} dimensions.")
    table.index = table.index.map(str)
    twice = table.index[table.index.duplicated()]
    if len(twice):
        raise ValueError(f"{len(twice)} names occur more than once, the first {twice[0]!r}; keep one vector of each.")
    try:
        table = table.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"The embeddings must be numbers: {error}") from error
    bad = ~np.isfinite(table.to_numpy()).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} names have NaN or infinite values, the first {table.index[bad][0]!r}; drop them."
        )
    return table


def _read(path: str | PathLike[str]) -> list[tuple[str, Any]]:
    import h5py

    if not Path(path).is_file():
        raise FileNotFoundError(f"`source` is {str(path)!r}, where there is no file; pass the path of an HDF5 file.")
    if not h5py.is_hdf5(path):
        raise ValueError(
            f"`source` is {str(path)!r}, which is not an HDF5 file; read it yourself and pass a DataFrame."
        )
    with h5py.File(path) as file:
        return [(name, dataset[()]) for name, dataset in _datasets(file)]


def _datasets(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    import h5py

    for name, item in group.items():
        if isinstance(item, h5py.Group):
            yield from _datasets(item)
        else:
            yield name, item


def _stacked(named: list[tuple[str, Any]], where: str) -> pd.DataFrame:
    vectors = dict(named)
    if len(vectors) < len(named):
        names = pd.Series([name for name, _ in named])
        twice = names[names.duplicated()]
        raise ValueError(
            f"{where} names {len(twice)} vectors twice, the first {twice.iloc[0]!r}; keep one vector of each."
        )
    for name, vector in vectors.items():
        if vector.ndim != 1:
            raise ValueError(
                f"{where} holds an array of shape {vector.shape} for {name!r}; expected one vector per name, such as "
                "UniProt's per-protein (not per-residue) embeddings."
            )
    lengths = {name: len(vector) for name, vector in vectors.items()}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths))
        other = next(name for name in lengths if lengths[name] != lengths[first])
        raise ValueError(
            f"Vectors in {where} differ in length: {first!r} has {lengths[first]}, {other!r} has {lengths[other]}."
        )
    return pd.DataFrame(np.stack(list(vectors.values())) if vectors else None, index=list(vectors))
