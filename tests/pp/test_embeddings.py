"""Embeddings by name come out alike from a file, a dict and a frame, and what can't be used is refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

import scmi as sm

VECTORS = {"P1": [1.0, 2.0, 3.0], "Q2": [4.0, 5.0, 6.0]}


def written(path, vectors):
    with h5py.File(path, "w") as file:
        for name, vector in vectors.items():
            file[name] = np.asarray(vector, dtype=np.float16)
    return path


@pytest.mark.parametrize("names", [("P1", "Q2"), ("human/P1", "mouse/deep/Q2")])
def test_files_dicts_and_frames_agree(tmp_path, names):
    expected = pd.DataFrame.from_dict(VECTORS, orient="index").astype(np.float32)
    file = written(tmp_path / "per-protein.h5", dict(zip(names, VECTORS.values(), strict=True)))
    for source in (file, str(file), VECTORS, expected, expected.astype("Float64")):
        pd.testing.assert_frame_equal(sm.pp.read_embeddings(source), expected)


def test_the_frame_that_was_given_stays_as_it_is():
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=[7, 8])
    assert sm.pp.read_embeddings(frame).index.tolist() == ["7", "8"]
    assert frame.index.tolist() == [7, 8]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({}, ValueError, "0 names x 0"),
        ({"a": [1.0], "b": [1.0, 2.0]}, ValueError, "'a' has 1, 'b' has 2"),
        ({"a": [[1.0, 2.0]]}, ValueError, "per-protein \\(not per-residue\\)"),
        ({"a": [1.0, np.nan]}, ValueError, "1 names have NaN or infinite values, the first 'a'"),
        ({"a": ["x", "y"]}, TypeError, "must be numbers"),
        (pd.DataFrame({"d": [1.0, 2.0]}, index=["a", "a"]), ValueError, "1 names occur more than once, the first 'a'"),
        ([1.0, 2.0], TypeError, "a path, a dict or a DataFrame, got list"),
    ],
)
def test_bad_sources(source, error, message):
    with pytest.raises(error, match=message):
        sm.pp.read_embeddings(source)
