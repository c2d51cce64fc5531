"""The promises of the recipe.

- It is Scanpy's own sequence: normalize_total, log1p, highly_variable_genes, scale without centring.
- Once centred, it is the paper's scale(max_value=10): clipped 10 standard deviations above the mean.
- Any numeric matrix works, comes out as float32, and sparse stays sparse; arrays of the user are never written to.
- All genes are kept; flat genes give neither NaN nor warnings.
- Only the slot asked for changes; what is written survives h5ad; an error leaves the object as it was.
- What is not counts is recognised: logged data are not logged again, scaled data and a second run are refused.
"""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from scmi.pp import recipe_lmi
from tests._interrupts import interrupted_at, state


def make_counts(n_cells=60, n_genes=40, seed=0):
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.7, 3.0, size=n_genes)
    counts = rng.poisson(rng.gamma(2.0, 0.5, size=(n_cells, n_genes)) * rate)
    counts[:, :2] += 1
    return counts


COUNTS = make_counts()


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


def plain_scanpy(counts, n_top_genes):
    adata = ad.AnnData(counts.astype(np.float32))
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=n_top_genes)
    sc.pp.scale(adata, zero_center=False)
    return adata


def logged_counts():
    adata = ad.AnnData(COUNTS.astype(np.float32))
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    return adata


def test_genes_that_cannot_be_ranked():
    # Both genes have the same mean and dispersion.
    counts = np.array([[1, 3], [2, 2], [3, 1], [4, 0], [0, 4]])
    with pytest.raises(ValueError, match="Scanpy can't rank the genes of `.X`.* pass `n_top_genes=2`"):
        recipe_lmi(ad.AnnData(counts), n_top_genes=1)


def test_five_cells_by_hand():
    counts = np.array([[1, 3], [2, 2], [3, 1], [4, 0], [0, 4]])
    adata = ad.AnnData(counts)
    recipe_lmi(adata, n_top_genes=2)
    logs = np.log1p(counts / 4 * 1e4)
    np.testing.assert_allclose(adata.X, logs / logs.std(axis=0, ddof=1), rtol=1e-5)
    assert adata.var["highly_variable"].tolist() == [True, True]


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
def test_is_the_plain_scanpy_sequence(form):
    expected = plain_scanpy(COUNTS, 10)
    adata = ad.AnnData(form(COUNTS.astype(np.float32)))
    recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(dense(adata.X), expected.X, rtol=1e-5)
    pd.testing.assert_frame_equal(adata.var, expected.var, rtol=1e-4)
    assert adata.var["highly_variable"].sum() >= 10
    assert adata.uns["hvg"] == expected.uns["hvg"]
    assert adata.uns["log1p"] == expected.uns["log1p"]
    assert adata.uns["recipe_lmi"] == {"layer": "X", "n_top_genes": 10}


def read_only(counts):
    counts = counts.astype(np.float32)
    counts.flags.writeable = False
    return counts


FORMS = {
    "int64": lambda c: c.astype(np.int64),
    "uint8": lambda c: c.astype(np.uint8),
    "float64": lambda c: c.astype(np.float64),
    "float16": lambda c: c.astype(np.float16),
    "Fortran": lambda c: np.asfortranarray(c.astype(np.float32)),
    "read-only": read_only,
    "csr_matrix": sp.csr_matrix,
    "csc_matrix": sp.csc_matrix,
    "csr_array": sp.csr_array,
    "csc_array": lambda c: sp.csc_array(c.astype(np.float64)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_matrix(form):
    matrix = FORMS[form](COUNTS)
    adata = ad.AnnData(matrix)
    recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(dense(adata.X), plain_scanpy(COUNTS, 10).X, rtol=1e-5)
    assert adata.X.dtype == np.float32
    assert sp.issparse(adata.X) == sp.issparse(matrix)
    assert isinstance(adata.X, sp.sparray) == isinstance(matrix, sp.sparray)
    # The array handed in may be somebody's raw counts.
    np.testing.assert_array_equal(dense(matrix), COUNTS)


def test_bool():
    counts = COUNTS > 1
    adata = ad.AnnData(counts)
    recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(adata.X, plain_scanpy(counts, 10).X, rtol=1e-5)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
def test_centred_it_is_what_the_paper_does(form):
    rng = np.random.default_rng(3)
    counts = rng.poisson(np.r_[2000.0, 500.0, np.full(8, 5.0)], size=(300, 10))
    # In 1 of 300 cells, 17 sd above the mean; and a gene whose mean is far more than 10 sd.
    counts[:, 4], counts[0, 4] = 0, 10
    paper = ad.AnnData(counts.astype(np.float32))
    sc.pp.normalize_total(paper, target_sum=1e4)
    sc.pp.log1p(paper)
    sc.pp.scale(paper, max_value=10)
    adata = ad.AnnData(form(counts))
    recipe_lmi(adata)
    centre = (adata.var["mean"] / adata.var["std"]).to_numpy()
    assert centre.max() > 100
    centred = np.maximum(dense(adata.X) - centre, -10)
    np.testing.assert_allclose(centred, paper.X, atol=2e-3)
    assert centred[0, 4] == pytest.approx(10, abs=1e-5)
    assert centred[:, 0].std() == pytest.approx(1, abs=0.01)


def test_flat_genes_and_empty_cells():
    counts = COUNTS.copy()
    counts[:, 5] = 0
    counts[7] = 0
    for matrix in (counts, sp.csr_matrix(counts)):
        adata = ad.AnnData(matrix)
        recipe_lmi(adata, n_top_genes=1000)
        assert np.isfinite(dense(adata.X)).all()
        assert (dense(adata.X)[:, 5] == 0).all() and (dense(adata.X)[7] == 0).all()
        assert adata.shape == counts.shape
        assert adata.var["highly_variable"].tolist() == [i != 5 for i in range(counts.shape[1])]
        assert np.isfinite(adata.var[["means", "mean", "std"]]).all(axis=None)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("level", [1, 3, 7])
def test_a_constant_expressed_gene_is_left_alone(form, level):
    # Totals are equal, so that the gene stays constant. In float32 its second moments may cancel to a negative
    # variance, which Scanpy alone turns into NaN, as for level 1.
    rng = np.random.default_rng(1)
    counts = np.zeros((200, 12), dtype=np.float32)
    counts[:, 0] = level
    counts[:, 1:] = rng.multinomial(50, np.full(11, 1 / 11), size=200)
    adata = ad.AnnData(form(counts))
    recipe_lmi(adata, n_top_genes=12)
    constant = np.log1p(level / (50 + level) * 1e4)
    np.testing.assert_allclose(dense(adata.X)[:, 0], constant, rtol=1e-6)
    np.testing.assert_allclose(dense(adata.X)[:, 1:].std(axis=0, ddof=1), 1, rtol=1e-4)
    assert adata.var["highly_variable"].tolist() == [False] + [True] * 11
    np.testing.assert_allclose(adata.var.loc["0", ["means", "mean"]].astype(float), constant, rtol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
def test_rounding_noise_is_not_variation(form):
    logged = logged_counts().X
    logged[:, 3] = 3 + 1e-6 * np.random.default_rng(0).normal(size=len(logged))
    adata = ad.AnnData(form(logged))
    with pytest.warns(UserWarning, match="already logged"):
        recipe_lmi(adata, n_top_genes=100)
    np.testing.assert_array_equal(dense(adata.X)[:, 3], logged[:, 3])
    assert adata.var["highly_variable"].tolist() == [i != 3 for i in range(adata.n_vars)]


def test_duplicate_entries_are_summed_before_the_log():
    counts = sp.csr_matrix(COUNTS)
    data, columns = np.repeat(counts.data, 2).astype(float), np.repeat(counts.indices, 2)
    doubled = sp.csr_matrix((data, columns, counts.indptr * 2), shape=COUNTS.shape)
    adata = ad.AnnData(doubled)
    recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(dense(adata.X), plain_scanpy(COUNTS, 10).X, rtol=1e-5)


def test_layer():
    adata = ad.AnnData(COUNTS.astype(np.float32), layers={"counts": COUNTS.copy(), "other": COUNTS.copy()})
    recipe_lmi(adata, layer="counts", n_top_genes=10)
    np.testing.assert_allclose(adata.layers["counts"], plain_scanpy(COUNTS, 10).X, rtol=1e-5)
    np.testing.assert_array_equal(adata.X, COUNTS)
    np.testing.assert_array_equal(adata.layers["other"], COUNTS)
    assert adata.uns["recipe_lmi"] == {"layer": "counts", "n_top_genes": 10}
    # It speaks of .X, which is not logged.
    assert "log1p" not in adata.uns


def test_shared_array_does_not_change_twice():
    counts = COUNTS.astype(np.float32)
    adata = ad.AnnData(counts)
    adata.layers["counts"] = adata.X
    recipe_lmi(adata)
    np.testing.assert_array_equal(adata.layers["counts"], COUNTS)


def test_copy():
    adata = ad.AnnData(COUNTS)
    changed = recipe_lmi(adata, n_top_genes=10, copy=True)
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.uns) == [] and adata.var.shape[1] == 0
    assert recipe_lmi(adata, n_top_genes=10) is None
    np.testing.assert_array_equal(adata.X, changed.X)
    pd.testing.assert_frame_equal(adata.var, changed.var)


def test_duplicate_gene_names():
    adata = ad.AnnData(COUNTS)
    adata.var_names = ["gene"] * adata.n_vars
    recipe_lmi(adata, n_top_genes=10)
    assert adata.var["highly_variable"].tolist() == plain_scanpy(COUNTS, 10).var["highly_variable"].tolist()


@pytest.mark.parametrize("layer", [None, "counts"])
def test_survives_h5ad(tmp_path, layer):
    adata = ad.AnnData(sp.csr_matrix(COUNTS), layers={"counts": sp.csr_matrix(COUNTS)})
    recipe_lmi(adata, layer=layer, n_top_genes=10)
    adata.write_h5ad(tmp_path / "adata.h5ad")
    back = ad.read_h5ad(tmp_path / "adata.h5ad")
    assert back.uns["recipe_lmi"] == {"layer": layer or "X", "n_top_genes": 10}
    pd.testing.assert_frame_equal(back.var, adata.var)
    np.testing.assert_array_equal(dense(back.X), dense(adata.X))
    with pytest.raises(ValueError, match="went through this recipe already"):
        recipe_lmi(back, layer=layer)


def test_normalised_data_are_fine():
    adata = ad.AnnData(COUNTS.astype(np.float32))
    # Totals of 1, with a maximum far below 20.
    sc.pp.normalize_total(adata, target_sum=1)
    recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(adata.X, plain_scanpy(COUNTS, 10).X, rtol=1e-4)


@pytest.mark.parametrize("noted", [True, False])
def test_logged_data_are_not_logged_again(noted):
    adata = logged_counts()
    if not noted:
        del adata.uns["log1p"]
    why = r"`.uns\['log1p'\]` says so" if noted else "fractions, unequal totals, none above"
    with pytest.warns(
        UserWarning, match=rf"`.X` is already logged \({why}.*\): it is neither normalised nor logged"
    ) as seen:
        recipe_lmi(adata, n_top_genes=10)
    assert [Path(warning.filename).name for warning in seen] == ["test_recipe.py"]
    expected = plain_scanpy(COUNTS, 10)
    np.testing.assert_allclose(adata.X, expected.X, rtol=1e-5)
    assert adata.var["highly_variable"].tolist() == expected.var["highly_variable"].tolist()


def test_base_of_the_log_is_respected():
    adata = ad.AnnData(COUNTS.astype(np.float32))
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata, base=2)
    with pytest.warns(UserWarning, match="already logged"):
        recipe_lmi(adata, n_top_genes=10)
    expected = plain_scanpy(COUNTS, 10)
    np.testing.assert_allclose(adata.X, expected.X, rtol=1e-4)
    np.testing.assert_allclose(adata.var["dispersions"], expected.var["dispersions"], rtol=1e-4)


def test_logged_layer():
    adata = ad.AnnData(COUNTS, layers={"logged": logged_counts().X})
    with pytest.warns(UserWarning, match=r"`.layers\['logged'\]` is already logged"):
        recipe_lmi(adata, layer="logged", n_top_genes=10)
    np.testing.assert_allclose(adata.layers["logged"], plain_scanpy(COUNTS, 10).X, rtol=1e-5)


def test_note_of_a_log_is_about_x_only():
    adata = logged_counts()
    adata.layers["counts"] = COUNTS.copy()
    recipe_lmi(adata, layer="counts", n_top_genes=10)
    np.testing.assert_allclose(adata.layers["counts"], plain_scanpy(COUNTS, 10).X, rtol=1e-5)


def test_stale_note_of_a_log():
    adata = ad.AnnData(COUNTS)
    adata.uns["log1p"] = {"base": None}
    with pytest.warns(
        UserWarning, match=r"says that `.X` is logged, but it holds whole numbers: it is taken for counts"
    ):
        recipe_lmi(adata, n_top_genes=10)
    np.testing.assert_allclose(adata.X, plain_scanpy(COUNTS, 10).X, rtol=1e-5)
    adata = ad.AnnData(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4)
    adata.uns["log1p"] = {"base": None}
    with pytest.raises(ValueError, match=r"is logged, but its largest value is .*`del adata.uns\['log1p'\]` first"):
        recipe_lmi(adata)


# Mistakes


def assert_untouched(adata, matrix):
    np.testing.assert_array_equal(dense(adata.X), dense(matrix))
    assert "recipe_lmi" not in adata.uns and "highly_variable" not in adata.var


def test_no_anndata():
    with pytest.raises(TypeError, match="`adata` must be an AnnData, got ndarray"):
        recipe_lmi(COUNTS)


@pytest.mark.parametrize("n_top_genes", [0, -5])
def test_too_few_genes(n_top_genes):
    with pytest.raises(ValueError, match="`n_top_genes` must be at least 1"):
        recipe_lmi(ad.AnnData(COUNTS), n_top_genes=n_top_genes)


def test_view():
    adata = ad.AnnData(COUNTS)
    with pytest.raises(ValueError, match=r"is a view, and what is written to a view is lost: take .*\.copy\(\)"):
        recipe_lmi(adata[:30])
    changed = recipe_lmi(adata[:30], n_top_genes=10, copy=True)
    np.testing.assert_allclose(changed.X, plain_scanpy(COUNTS[:30], 10).X, rtol=1e-5)


def test_backed(tmp_path):
    ad.AnnData(COUNTS).write_h5ad(tmp_path / "adata.h5ad")
    adata = ad.read_h5ad(tmp_path / "adata.h5ad", backed="r")
    try:
        with pytest.raises(ValueError, match=r"backed by a file: load it with `adata = adata.to_memory\(\)`"):
            recipe_lmi(adata)
    finally:
        adata.file.close()


def test_lazy():
    array = pytest.importorskip("dask.array")
    adata = ad.AnnData(array.from_array(COUNTS))
    with pytest.raises(TypeError, match=r"`.X` is lazy \(Array\): load it with `adata.to_memory\(\)` first"):
        recipe_lmi(adata)


def test_empty():
    with pytest.raises(ValueError, match="`adata` is empty: 0 cells x 40 genes"):
        recipe_lmi(ad.AnnData(COUNTS[:0]))
    with pytest.raises(ValueError, match="`adata` is empty: 60 cells x 0 genes"):
        recipe_lmi(ad.AnnData(COUNTS[:, :0]))
    with pytest.raises(ValueError, match=r"`.X` is None: pass `layer=`, one of \['counts'\]"):
        recipe_lmi(ad.AnnData(layers={"counts": COUNTS}))


def test_missing_layer():
    adata = ad.AnnData(COUNTS, layers={"raw": COUNTS, "spliced": COUNTS})
    with pytest.raises(KeyError, match=r"Did not find 'counts' in `.layers`, which has \['raw', 'spliced'\]"):
        recipe_lmi(adata, layer="counts")


def test_complex_numbers():
    with pytest.raises(TypeError, match="`.X` must hold real numbers, got complex128"):
        recipe_lmi(ad.AnnData(COUNTS.astype(complex)))


@pytest.mark.parametrize("layer", [None, "counts"])
def test_second_run(layer):
    adata = ad.AnnData(COUNTS, layers={"counts": COUNTS.copy()})
    recipe_lmi(adata, layer=layer, n_top_genes=10)
    where = r"`.X`" if layer is None else r"`.layers\['counts'\]`"
    with pytest.raises(ValueError, match=rf"says that {where} went through .* `del adata.uns\['recipe_lmi'\]` first"):
        recipe_lmi(adata, layer=layer)
    recipe_lmi(adata, layer="counts" if layer is None else None, n_top_genes=10)
    np.testing.assert_array_equal(adata.X, adata.layers["counts"])


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix], ids=["dense", "csr", "csc"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(form, bad):
    counts = COUNTS.astype(np.float64)
    counts[3, 7] = counts[4, 2] = bad
    adata = ad.AnnData(form(counts))
    adata.obs_names = [f"c{i}" for i in range(adata.n_obs)]
    adata.var_names = [f"g{i}" for i in range(adata.n_vars)]
    with pytest.raises(
        ValueError, match=r"`.X` has 2 values that are NaN or infinite, the first in cell 'c3', gene 'g7'"
    ):
        recipe_lmi(adata)
    assert_untouched(adata, counts)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
def test_negative(form):
    counts = COUNTS.copy()
    counts[3, 7] = -1
    adata = ad.AnnData(form(counts))
    with pytest.raises(
        ValueError, match=r"`.X` has negative values, the first in cell '3', gene '7'.* `layer='counts'`"
    ):
        recipe_lmi(adata)
    assert_untouched(adata, counts)


@pytest.mark.parametrize("clipped", [True, False])
def test_scaled(clipped):
    scaled = plain_scanpy(COUNTS, 10).X
    if clipped:
        # One cell more, as in a subset, so that variances are only nearly 1.
        scaled = np.minimum(np.vstack([scaled, scaled[:1] * 1.3]), 10)
    adata = ad.AnnData(scaled)
    with pytest.raises(
        ValueError, match=r"`.X` looks scaled: most of its genes have unit variance .* `layer='counts'`"
    ):
        recipe_lmi(adata)
    assert_untouched(adata, scaled)
    with pytest.raises(ValueError, match=r"`.layers\['scaled'\]` looks scaled"):
        recipe_lmi(ad.AnnData(COUNTS, layers={"scaled": sp.csr_matrix(scaled[:60])}), layer="scaled")


@pytest.mark.parametrize(
    "counts", [np.zeros((5, 3)), np.ones((5, 3)), COUNTS[:1], COUNTS[:, :1] + 1], ids=["zero", "one", "cell", "gene"]
)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix], ids=["dense", "csr"])
def test_nothing_varies(counts, form):
    adata = ad.AnnData(form(counts))
    with pytest.raises(ValueError, match=r"No gene varies in `.X` after normalisation"):
        recipe_lmi(adata)
    assert_untouched(adata, counts)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [None, "raw"])
def test_an_interrupt_leaves_nothing_half_done(layer):
    counts = np.random.default_rng(0).poisson(2.0, size=(30, 12)).astype(np.float32)

    def fresh():
        return ad.AnnData(counts.copy(), layers={} if layer is None else {"raw": counts.copy()})

    def run(adata):
        recipe_lmi(adata, layer=layer, n_top_genes=5)

    before, done = state(fresh()), fresh()
    n_lines = interrupted_at(lambda: run(done), None, "_writing.py")
    assert n_lines > 20
    for wanted in range(1, n_lines + 1):
        adata = fresh()
        interrupted_at(lambda adata=adata: run(adata), wanted, "_writing.py")
        assert state(adata) in (before, state(done)), wanted
