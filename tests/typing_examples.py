"""What users write, for the type checker: every kind of matrix is taken, and results have types. Never run.

``mypy --strict tests/typing_examples.py`` must find nothing; an error that is expected and missing is found as well.
"""

from typing import Any, assert_type

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

import scmi as sm
from scmi.estimators import PRESETS, Draw, HeldOut, PermutationTest, Settings, permutation_test
from scmi.typing import MatrixLike

array: NDArray[np.float32] = np.ones((60, 3), dtype=np.float32)
integers: NDArray[np.int64] = np.arange(60)
rows: list[list[float]] = [[1.0, 2.0]] * 60
matrix: csr_matrix[np.float32] = csr_matrix(array)
sparse_array: csr_array[np.float32] = csr_array(array)
lazy: da.Array = da.from_array(array, chunks=(20, 3))  # type: ignore[no-untyped-call]
frame: pd.DataFrame = pd.DataFrame(array)
polars_frame: pl.DataFrame = pl.DataFrame(array)
tensor: torch.Tensor = torch.ones(60, 3)

everything: list[MatrixLike] = [array, integers, rows, matrix, sparse_array, lazy, frame, polars_frame, tensor]


def estimates_of_arrays() -> None:
    """In one call."""
    assert_type(sm.lmi(array, integers), sm.LMIResult)
    assert_type(sm.lmi(rows, rows, groups=integers, strata=["a", "b"] * 30), sm.LMIResult)
    assert_type(sm.lmi(matrix, sparse_array, k=5, preset="paper", rng=np.random.default_rng(0)), sm.LMIResult)
    assert_type(sm.lmi(lazy, lazy, x_unpaired=array), sm.LMIResult)
    assert_type(sm.lmi(frame, polars_frame, preset=Settings(max_steps=10)), sm.LMIResult)
    assert_type(sm.lmi(tensor, tensor, y_unpaired=tensor), sm.LMIResult)
    assert_type(sm.ksg(array, rows), NDArray[np.float64])
    assert_type(sm.ksg(matrix, sparse_array, k=5, metric="euclidean"), NDArray[np.float64])
    assert_type(sm.ksg(lazy, tensor), NDArray[np.float64])
    assert_type(sm.ksg(frame, polars_frame), NDArray[np.float64])
    assert_type(sm.mine(array, matrix, groups=frame["clone"]), sm.MIResult)
    assert_type(sm.mine(sparse_array, lazy), sm.MIResult)
    assert_type(sm.mine(polars_frame, frame, settings=PRESETS["default"]), sm.MIResult)
    assert_type(sm.infonce(tensor, rows, rng=None, device="cpu"), sm.MIResult)


def a_fitted_model() -> None:
    """With the parameters, and what follows an estimate."""
    model = sm.LMI(n_latent=4, k=5, objective="infonce", null="retrain", n_retrain=2, rng=0)
    for x in everything:
        for y in everything:
            assert_type(model.fit(x, y), sm.LMI)
    model.fit(matrix, lazy).fit(frame, polars_frame, groups=integers).fit(tensor, sparse_array).save("model.npz")
    assert_type(sm.LMI.load("model.npz"), sm.LMI)
    assert_type(model.transform(matrix), NDArray[np.float32])
    assert_type(model.transform(frame, tensor), tuple[NDArray[np.float32], NDArray[np.float32]])
    assert_type(model.pmi(lazy, polars_frame, k=3), NDArray[np.float64])
    assert_type(model.score_pairs(sparse_array, rows), NDArray[np.float64])
    assert_type(model.score_pairs(array, array, top_k=3), pd.DataFrame)
    assert_type(model.predict_y(tensor), NDArray[np.float64])


def results() -> None:
    """The parts of a result."""
    result = sm.lmi(array, array)
    assert_type(result.mi, float)
    assert_type(result.mi_ksg, float)
    assert_type(result.ci, tuple[float, float])
    assert_type(result.pmi, NDArray[np.float64])
    assert_type(result.z_x, NDArray[np.float32])
    assert_type(result.drift, pd.DataFrame)
    assert_type(result.pairs, Draw)
    assert_type(result.to_dict(), dict[str, Any])
    assert_type(permutation_test([HeldOut(array, frame), HeldOut(tensor, lazy, groups=integers)]), PermutationTest)


def tools(adata: ad.AnnData) -> None:
    """Cells in, results in their slots."""
    assert_type(sm.pp.recipe_lmi(adata), ad.AnnData | None)
    model = sm.LMI(n_permutations=0, n_pairings=5)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
    sm.tl.conditional_information(adata, ["depth"], model=model)
    sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day", groups=["2", "4", "6"], model=model)
    test = sm.tl.markov_test(
        adata, pair_key="clone", time_key="day", times=("2", "6"), replicate_key="well", clones="all", model=model
    )
    assert_type(test, sm.tl.MarkovTest)
    assert_type(test.early_late, sm.tl.Estimate)
    sm.tl.pmi_trend(adata, ["pseudotime"], mask_obs=np.ones(3, dtype=bool))
    sm.tl.gene_information(adata)
    assert_type(sm.tl.label_information(adata, "fate", groups_key="clone"), ad.AnnData | None)
    assert_type(sm.tl.label_information(adata, label_key="fate", use_rep="X_pca"), ad.AnnData | None)
    both = sm.tl.label_information(adata, adata, label_key=("a", "b"), pair_key="clone", weights="couples", copy=True)
    assert_type(both, tuple[ad.AnnData, ad.AnnData] | None)
    assert_type(sm.tl.interactions({"P1": array[0]}, frame, model=model), sm.tl.Interactions)
    cells, pairings, history = sm.get.lmi(adata)
    assert_type(cells, pd.DataFrame)


def what_is_refused(adata: ad.AnnData) -> None:
    """Each of these raises, and is marked in an editor before that."""
    sm.LMI(latent=4)  # type: ignore[call-arg]
    sm.LMI(k="3")  # type: ignore[arg-type]
    sm.LMI(objective="all")  # type: ignore[arg-type]
    sm.LMI(rng="seed")  # type: ignore[arg-type]
    sm.LMI().fit(array)  # type: ignore[call-arg]
    sm.ksg(array, array, metric="l1")  # type: ignore[arg-type]
    sm.mine(array, array, settings="default")  # type: ignore[arg-type]
    sm.tl.lmi(adata, n_latent=4)  # type: ignore[call-arg]
    sm.tl.lmi(adata, model="default")  # type: ignore[arg-type]
    sm.tl.lmi_matrix(adata, pair_key="clone", groupby="day", k=5)  # type: ignore[call-arg]
    sm.tl.label_information(adata, "fate", pair_key="clone")  # type: ignore[call-overload]
