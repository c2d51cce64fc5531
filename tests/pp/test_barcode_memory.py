"""Barcodes in a cells x clones matrix are found in little more memory than the matrix has."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from scmi.pp import barcodes
from scmi.pp.barcodes import read_side

N, M = 4000, 2000


@pytest.mark.parametrize("dtype", ["int8", "bool", "Int8", "float32", "array"])
def test_memory(dtype):
    matrix = np.zeros((N, M), dtype="int8" if dtype in ("Int8", "array") else dtype)
    clone = np.random.default_rng(0).integers(M, size=N)
    matrix[np.arange(N), clone] = 1
    adata = AnnData(obs=pd.DataFrame(index=np.arange(N).astype(str)))
    frame = pd.DataFrame(matrix, index=adata.obs_names, columns=[f"b{i}" for i in range(M)])
    adata.obsm["X_clone"] = matrix if dtype == "array" else frame.astype(dtype)
    tracemalloc.start()
    try:
        found = read_side(adata, "X_clone", "adata")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32e6  # the matrix of bytes has 8 MB, and as doubles it would have 64
    np.testing.assert_array_equal(found.rows, np.arange(N))
    expected = clone if dtype == "array" else [f"b{i}" for i in clone]
    assert found.labels[found.codes].tolist() == list(expected)


@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_blocks_change_nothing(monkeypatch, block):
    monkeypatch.setattr(barcodes, "BLOCK", block)
    matrix = np.random.default_rng(0).poisson(0.3, size=(11, 5)).astype(float)
    matrix[2, 3] = np.nan
    expected = np.nonzero(np.nan_to_num(matrix))
    for given in (matrix, pd.DataFrame(matrix), pd.DataFrame(matrix).astype("Int64"), pd.DataFrame(matrix)[[]]):
        row, column = barcodes._nonzero(given, "here")
        wanted = expected if given.shape[1] else (np.array([]), np.array([]))
        np.testing.assert_array_equal(row, wanted[0])
        np.testing.assert_array_equal(column, wanted[1])
    matrix[1, 0] = matrix[4, 4] = -1
    for given in (matrix, pd.DataFrame(matrix)):
        with pytest.raises(ValueError, match="`here` has 2 negative entries"):
            barcodes._nonzero(given, "here")
