"""The promises of the stored result as DataFrames.

- `cells` has the estimated cells only, under their names, with the values of `.obs`.
- `pairings` and `history` are those of `.uns`, with plain row numbers.
- A file written and read back gives the same tables; another `key_added` is found by its name.
- Nothing stored: KeyError that says what to run.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm


def test_cells(estimated):
    cells = sm.get.lmi(estimated).cells
    assert cells.columns.tolist() == ["pmi", "pmi_sd", "pmi_local", "pmi_local_se", "n"]
    has_value = estimated.obs["lmi_pmi"].notna()
    assert 0 < has_value.sum() < estimated.n_obs
    assert cells.index.tolist() == estimated.obs_names[has_value].tolist()
    assert (cells["n"] > 0).all() and cells["pmi"].notna().all()
    np.testing.assert_array_equal(cells["pmi"], estimated.obs.loc[has_value, "lmi_pmi"])


def test_pairings_and_history(estimated):
    tables = sm.get.lmi(estimated)
    assert tables.pairings.columns.tolist() == ["pairing", "mi"]
    assert tables.pairings["pairing"].tolist() == list(range(20))
    np.testing.assert_array_equal(tables.pairings["mi"], estimated.uns["lmi"]["mi_by_pairing"])
    assert len(tables.history) == 0  # so few barcodes are learned in closed form


def test_course_of_networks(of_networks):
    tables = sm.get.lmi(of_networks)
    assert tables.history.columns.tolist() == ["fold", "step", "train", "validation"]
    assert tables.history["fold"].unique().tolist() == [0, 1]
    # Every fifth of at most 30 steps, in each of two folds.
    assert set(tables.history["step"]) <= {5, 10, 15, 20, 25, 30}
    assert isinstance(tables.history.index, pd.RangeIndex)


def test_tables_are_copies(estimated):
    before = estimated.obs.copy(), estimated.uns["lmi"]["history"].copy()
    tables = sm.get.lmi(estimated)
    for table in tables:
        table.iloc[:, -1] = 0
    pd.testing.assert_frame_equal(estimated.obs, before[0])
    pd.testing.assert_frame_equal(estimated.uns["lmi"]["history"], before[1])
    assert (estimated.uns["lmi"]["mi_by_pairing"] != 0).all()


def test_after_a_round_trip(estimated, tmp_path):
    estimated.write_h5ad(tmp_path / "cells.h5ad")
    read = sm.get.lmi(ad.read_h5ad(tmp_path / "cells.h5ad"))
    for table, expected in zip(read, sm.get.lmi(estimated), strict=True):
        pd.testing.assert_frame_equal(table, expected)


def test_key(experiment, quick_lmi):
    options = {"pair_key": "clone", "groupby": "day", "groups": ("2", "6")}
    sm.tl.lmi(experiment, **options, key_added="first", model=quick_lmi())
    sm.tl.lmi(experiment, **options, key_added="second", model=quick_lmi(n_pairings=3))
    assert len(sm.get.lmi(experiment, "first").pairings) == 20
    assert len(sm.get.lmi(experiment, key="second").pairings) == 3


def test_a_view_serves(estimated):
    cells = sm.get.lmi(estimated[estimated.obs["day"] == "2"]).cells
    assert (estimated.obs.loc[cells.index, "day"] == "2").all()


def test_nothing_stored(experiment, estimated):
    with pytest.raises(KeyError, match=r"Did not find `.uns\['lmi'\]` with its `.obs` columns. Run `sm.tl.lmi` first"):
        sm.get.lmi(experiment)
    with pytest.raises(KeyError, match=r"Did not find `.uns\['other'\]`"):
        sm.get.lmi(estimated, "other")
    estimated.uns["label_mi"] = {"table": 1}
    with pytest.raises(KeyError, match="holds another tool's result, with a `table` of its own"):
        sm.get.lmi(estimated, "label_mi")
    del estimated.obs["lmi_n"]
    with pytest.raises(KeyError, match="Run `sm.tl.lmi` first"):
        sm.get.lmi(estimated)
