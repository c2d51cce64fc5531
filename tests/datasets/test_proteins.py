"""Embeddings and pairs come as `sm.tl.interactions` takes them, from files in the published formats."""

import h5py
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.datasets import _proteins

VECTORS = {"P01308": [0.5, -1.0, 2.0], "P06213": [0.25, 0.0, 1.5]}
HEADER = "source\ttarget\tis_directed\tis_stimulation\tis_inhibition\n"
PAIRS = (
    HEADER
    + "P01308\tP06213\t1\t1\t0\nP01308\tCOMPLEX:P06213_P08069\t1\t1\t0\nP01308\tP06213\t1\t0\t0\nNA\tP01308\t1\t0\t0\n"
)


def test_uniprot(server, tmp_path, monkeypatch):
    with h5py.File(tmp_path / "source.h5", "w") as file:
        for name, vector in VECTORS.items():
            file[name] = np.asarray(vector, dtype=np.float16)
    server.files["/UP000005640_9606/per-protein.h5"] = (tmp_path / "source.h5").read_bytes()
    monkeypatch.setattr(_proteins, "UNIPROT", server.url)
    monkeypatch.setenv("SCMI_DATA_DIR", str(tmp_path / "cache"))
    expected = sm.pp.read_embeddings(VECTORS)
    for _ in range(2):
        pd.testing.assert_frame_equal(sm.datasets.uniprot_embeddings(progress=False), expected)
    assert len(server.asked) == 1
    assert (tmp_path / "cache" / "uniprot" / "UP000005640_9606" / "per-protein.h5").exists()
    with pytest.raises(ConnectionError, match="UP000000589_10090"):
        sm.datasets.uniprot_embeddings("mouse", progress=False)


def test_unknown_organism():
    with pytest.raises(ValueError, match="'yeti' is not known; choose one of \\['human', "):
        sm.datasets.uniprot_embeddings("yeti")


def test_omnipath(server, tmp_path, monkeypatch):
    server.files["/interactions?datasets=ligrecextra"] = PAIRS.encode()
    monkeypatch.setattr(_proteins, "OMNIPATH", server.url + "interactions?datasets=ligrecextra")
    pairs = sm.datasets.omnipath_pairs(tmp_path, progress=False)
    # Complexes are out, a pair of two records counts once, and NA is a name.
    pd.testing.assert_frame_equal(pairs, pd.DataFrame({"source": ["P01308", "NA"], "target": ["P06213", "P01308"]}))


def test_pairs_fit_the_embeddings(tmp_path):
    (tmp_path / _proteins.PAIRS_FILE).write_text(PAIRS)
    with (
        pytest.raises(ValueError, match="too few|at least|needs"),
        pytest.warns(UserWarning, match="have no embedding"),
    ):
        # Both are understood: what fails is an estimate from one pair.
        sm.tl.interactions(VECTORS, sm.datasets.omnipath_pairs(tmp_path), n_repeats=1)


def test_an_answer_that_is_no_table(tmp_path):
    file = tmp_path / _proteins.PAIRS_FILE
    for text, why in (
        ("Something is not entirely good:\n", "not a table"),
        ("a\tb\n1\t2\n", "'source' and 'target' of a table of interactions"),
        (HEADER + 'P01308\t"P06213\t1\n', "EOF inside string"),
        ("", "empty"),
        ("<html>", "web page"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=why) as error:
            sm.datasets.omnipath_pairs(tmp_path)
        assert str(file) in str(error.value) and "Delete it" in str(error.value)


def test_embeddings_that_are_none(tmp_path):
    file = tmp_path / "UP000005640_9606" / "per-protein.h5"
    file.parent.mkdir()
    with h5py.File(tmp_path / "source.h5", "w") as source:
        source["P01308"] = np.arange(1000.0)
        source["P06213"] = np.arange(1000.0)
    whole = (tmp_path / "source.h5").read_bytes()
    with h5py.File(tmp_path / "nan.h5", "w") as source:
        source["P01308"] = [np.nan, 1.0]
    for content in (whole[:1500], whole[:-3000], b"<html>", b"", (tmp_path / "nan.h5").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="Delete it") as error:
            sm.datasets.uniprot_embeddings(path=tmp_path)
        assert str(file) in str(error.value)
