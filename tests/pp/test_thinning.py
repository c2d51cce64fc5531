"""Thinned counts are what less sequencing would have counted: whole, sparse, never more, in proportion, seeded."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from scmi.pp.depth import Counts

seeds = st.integers(0, 2**32 - 1)


def counts_of(seed, shape=(12, 9)):
    rng = np.random.default_rng(seed)
    # Zeros, ones, and large numbers.
    return rng.poisson(rng.choice([0.1, 1.0, 300.0], size=shape))


@given(seed=seeds, share=st.floats(0, 1))
def test_whole_sparse_and_never_more(seed, share):
    matrix = counts_of(seed)
    mask = np.arange(9) < 5
    counts = Counts.of(sp.csr_matrix(matrix.astype(np.float32)), mask, "counts")
    thinned = counts.thinned(share, np.random.default_rng(seed))
    used = thinned.used
    assert sp.issparse(used)
    assert np.issubdtype(used.dtype, np.integer)
    assert used.nnz == np.count_nonzero(used.toarray())
    assert (used.toarray() <= matrix[:, mask]).all()
    assert (used.toarray() >= 0).all()
    assert (thinned.rest <= matrix[:, ~mask].sum(axis=1)).all()
    np.testing.assert_array_equal(counts.used.toarray(), matrix[:, mask])
    again = counts.thinned(share, np.random.default_rng(seed))
    np.testing.assert_array_equal(again.used.toarray(), used.toarray())
    np.testing.assert_array_equal(again.rest, thinned.rest)


@given(seed=seeds, share=st.floats(0.05, 0.95))
def test_mean_and_variance_are_those_of_a_binomial(seed, share):
    matrix = np.repeat(np.array([[1, 2, 7, 300]]), 4000, axis=0)
    counts = Counts.of(matrix, np.array([True, True, True, False]), "counts")
    thinned = counts.thinned(share, np.random.default_rng(seed))
    drawn = np.column_stack([thinned.used.toarray(), thinned.rest])
    n, spread = matrix[0], matrix[0] * share * (1 - share)
    # Six standard errors: one in 500 million draws is further off.
    assert (np.abs(drawn.mean(axis=0) - n * share) < 6 * np.sqrt(spread / len(matrix))).all()
    # The fourth moment of a binomial bounds the variance of its variance.
    fourth = spread * (1 + 3 * (n - 2) * share * (1 - share))
    assert (
        np.abs(drawn.var(axis=0) - spread) < 6 * np.sqrt(np.maximum(fourth - spread**2, 0) / len(matrix)) + 1e-3
    ).all()


@given(seed=seeds, share=st.floats(0.1, 0.9))
def test_genes_are_thinned_independently(seed, share):
    matrix = np.full((4000, 2), 5)
    drawn = Counts.of(matrix, None, "counts").thinned(share, np.random.default_rng(seed)).used.toarray()
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 6 / np.sqrt(4000)


def test_all_or_nothing():
    counts = Counts.of(counts_of(0), None, "counts")
    np.testing.assert_array_equal(counts.thinned(1.0, np.random.default_rng(0)).used.toarray(), counts_of(0))
    assert counts.thinned(0.0, np.random.default_rng(0)).used.nnz == 0


def test_logged_as_the_recipe_does():
    import anndata as ad
    import scanpy as sc

    matrix = counts_of(1, (20, 9))
    mask = np.arange(9) % 2 == 0
    adata = ad.AnnData(matrix.astype(np.float32))
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    logged = Counts.of(matrix, mask, "counts").logged()
    np.testing.assert_allclose(logged.toarray(), adata.X[:, mask], rtol=1e-5)
    assert logged.dtype == np.float32


def test_a_cell_without_counts_stays_zero():
    matrix = np.array([[0, 0], [3, 1]])
    assert Counts.of(matrix, None, "counts").logged().toarray()[0].tolist() == [0, 0]


@pytest.mark.parametrize("bad", [[[0.5, 1]], [[-1.0, 1]], [[np.nan, 1]], [[np.inf, 1]]])
def test_what_is_no_count(bad):
    with pytest.raises(ValueError, match=r"`adata.X` must hold counts: whole numbers"):
        Counts.of(np.array(bad), None, "adata.X")
