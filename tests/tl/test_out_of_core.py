"""Backed objects and Dask arrays give what the same data give in memory, to the last bit; files stay as they are."""

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.estimators.inputs import rows as rows_module
from scmi.estimators.inputs import stored

da = pytest.importorskip("dask.array")

GROUPS = {"groupby": "day", "groups": ("2", "6")}


@pytest.fixture(params=["dense", "CSR"])
def cells(request, _experiment):
    """Days 2 and 6 in one object, in memory."""
    adata = _experiment.copy()
    x = adata.X.toarray() if sp.issparse(adata.X) else adata.X
    adata.X = sp.csr_matrix(x) if request.param == "CSR" else np.ascontiguousarray(x)
    adata.layers["other"] = adata.X * np.float32(2)
    adata.obsm["rep"] = adata.X[:, :20]
    adata.var["even"] = np.arange(adata.n_vars) % 2 == 0
    return adata


@pytest.fixture(params=["kept", "resident", "cut"])
def budget(request, monkeypatch):
    """Data kept in memory; only their standardised rows; neither."""
    monkeypatch.setattr(stored, "PIECE_BYTES", 500_000)
    if request.param != "kept":
        monkeypatch.setattr(stored, "KEPT_BYTES", 0)
    if request.param == "cut":
        monkeypatch.setattr(rows_module, "RESIDENT_BYTES", 0)


@pytest.fixture
def backed(tmp_path):
    """How to put an object in a file and open it there."""
    opened = []

    def open_backed(adata, mode="r"):
        path = tmp_path / f"{len(opened)}.h5ad"
        adata.write_h5ad(path)
        opened.append(ad.read_h5ad(path, backed=mode))
        return opened[-1]

    yield open_backed
    for adata in opened:
        adata.file.close()


def lazy(matrix):
    """The same matrix as a Dask array of 60 rows a chunk."""
    n, g = matrix.shape
    if not sp.issparse(matrix):
        return da.from_array(np.asarray(matrix), chunks=(60, max(1, g // 2)))
    rows = da.from_array(np.arange(n)[:, None], chunks=(60, 1))
    return rows.map_blocks(
        lambda block: matrix[block.ravel()], dtype=matrix.dtype, chunks=(rows.chunks[0], (g,)), meta=matrix[:0, :0]
    )


def written(adata):
    return [
        *(adata.obs[f"lmi_{name}"].to_numpy() for name in ("pmi", "pmi_sd", "pmi_local", "pmi_local_se", "n")),
        adata.obsm["X_lmi"],
    ]


def same(a, b):
    assert np.isfinite(a.obs["lmi_pmi"]).any()
    for one, other in zip(written(a), written(b), strict=True):
        np.testing.assert_array_equal(one, other)
    assert a.uns["lmi"]["mi"] == b.uns["lmi"]["mi"]


@pytest.fixture
def how(quick_lmi):
    return {"pair_key": "clone", "model": quick_lmi()}


@pytest.mark.slow
def test_one_backed_object(cells, backed, budget, how):
    adata = backed(cells)
    before = adata.filename.read_bytes()
    sm.tl.lmi(cells, **how, **GROUPS)
    sm.tl.lmi(adata, **how, **GROUPS)
    same(adata, cells)
    assert adata.isbacked
    assert adata.filename.read_bytes() == before


@pytest.mark.slow
def test_two_backed_objects(cells, backed, how):
    days = [cells[cells.obs["day"] == day].copy() for day in ("2", "6")]
    a, b = backed(days[0], "r"), backed(days[1], "r+")
    sm.tl.lmi(*days, **how)
    sm.tl.lmi(a, b, **how)
    for in_file, in_memory in ((a, days[0]), (b, days[1])):
        same(in_file, in_memory)
        np.testing.assert_array_equal(in_file.to_memory().X[:].sum(), in_memory.X.sum())


@pytest.mark.parametrize("mask_var", [None, "even"])
def test_genes_of_a_backed_object(cells, backed, how, mask_var):
    adata = backed(cells)
    for one in (cells, adata):
        sm.tl.lmi(one, mask_var=mask_var, **how, **GROUPS)
    same(adata, cells)


@pytest.mark.parametrize("slot", [{}, {"layer": "other"}, {"layer": "other", "mask_var": "even"}, {"use_rep": "rep"}])
def test_dask_in_any_slot(cells, how, slot):
    adata = cells.copy()
    adata.X, adata.layers["other"], adata.obsm["rep"] = map(lazy, (cells.X, cells.layers["other"], cells.obsm["rep"]))
    for one in (cells, adata):
        sm.tl.lmi(one, **slot, **how, **GROUPS)
    same(adata, cells)
    assert isinstance(adata.X, da.Array)


@pytest.mark.slow
def test_large_dask_arrays(cells, budget, how):
    adata = cells.copy()
    adata.X = lazy(cells.X)
    for one in (cells, adata):
        sm.tl.lmi(one, **how, **GROUPS)
    same(adata, cells)


def test_missing_values_are_named_by_cell_and_gene(cells, backed, how):
    x = cells.X.tolil() if sp.issparse(cells.X) else cells.X
    row = np.flatnonzero(cells.obs["day"] == "6")[3]
    x[row, np.flatnonzero(cells.var["highly_variable"])[5]] = np.nan
    cells.X = sp.csr_matrix(x) if sp.issparse(x) else x
    gene = cells.var_names[cells.var["highly_variable"]][5]
    with pytest.raises(ValueError, match=f"has 1 NaN.* row '{cells.obs_names[row]}', column '{gene}'"):
        sm.tl.lmi(backed(cells), **how, **GROUPS)


def test_no_copy_of_a_backed_object(cells, backed, how):
    with pytest.raises(ValueError, match="`adata_a` is backed by a file, and a copy would load it. Leave out `copy`"):
        sm.tl.lmi(backed(cells), copy=True, **how, **GROUPS)


def test_an_interrupted_run_leaves_nothing(cells, backed, how, monkeypatch):
    adata = backed(cells)
    before = adata.obs.copy(), list(adata.obsm), list(adata.uns), adata.filename.read_bytes()

    def train(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("scmi.estimators.crossfit.fit_fold", train)
    with pytest.raises(KeyboardInterrupt):
        sm.tl.lmi(adata, **how, **GROUPS)
    assert adata.obs.equals(before[0])
    assert (list(adata.obsm), list(adata.uns), adata.filename.read_bytes()) == before[1:]
