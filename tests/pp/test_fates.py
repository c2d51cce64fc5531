"""Fates of clone mates: counted by hand, by column and by matrix."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm

HOW = {"time_key": "day", "early": "2", "late": ["4", "6"]}


@pytest.fixture
def cells():
    table = pd.DataFrame(
        [
            ("2", "a", "early"),
            ("2", "b", None),
            ("2", "c", None),
            ("2", "NA", None),
            ("4", "a", "x"),
            ("6", "a", "y"),
            ("6", "a", "y"),
            ("6", "b", "x"),
            ("6", "NA", "x"),
            ("6", "c", None),
            ("4", "d", "y"),
        ],
        columns=["day", "clone", "fate"],
        index=[f"cell {i}" for i in range(11)],
    )
    return ad.AnnData(np.zeros((11, 2), dtype=np.float32), obs=table)


def test_by_hand(cells):
    assert sm.pp.clone_fates(cells, "clone", "fate", **HOW) is None
    counts = cells.obsm["clone_fates"]
    assert counts.columns.tolist() == ["early", "x", "y"]
    assert counts.iloc[:4].to_numpy().tolist() == [[0, 1, 2], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert (counts.iloc[4:] == 0).all(axis=None)
    main = cells.obs["clone_fates_main"]
    assert main.iloc[:2].tolist() == ["y", "x"] and main.iloc[2:].isna().all()


def test_a_matrix_of_clones(cells):
    other = cells.copy()
    codes = pd.Categorical(cells.obs["clone"].replace("NA", None))
    other.obsm["clones"] = pd.get_dummies(codes).to_numpy(dtype=int)
    for adata, key in ((cells, "clone"), (other, "clones")):
        sm.pp.clone_fates(adata, key, "fate", **HOW)
    pd.testing.assert_frame_equal(cells.obsm["clone_fates"], other.obsm["clone_fates"])


def test_times_that_are_numbers_and_copies(cells):
    cells.obs["day"] = cells.obs["day"].astype(int)
    other = sm.pp.clone_fates(cells, "clone", "fate", time_key="day", early=2, late=6, copy=True, key_added="fates")
    assert "fates" not in cells.obsm
    assert other.obsm["fates"].iloc[0].tolist() == [0, 0, 2]


def test_survives_a_file(cells, tmp_path):
    sm.pp.clone_fates(cells, "clone", "fate", **HOW)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    again = ad.read_h5ad(tmp_path / "cells.h5ad")
    pd.testing.assert_frame_equal(again.obsm["clone_fates"], cells.obsm["clone_fates"], check_dtype=False)
