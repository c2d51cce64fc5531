"""An estimator that was saved and loaded answers as before; damaged, crafted and other files are refused.

The many ways to damage a file are in ``_damage.py``; 2,000 of them are tried by ``benchmarks/test_fuzz_models.py``.
"""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

import scmi as sm
from scmi._archive import META, write_archive
from scmi.estimators import Settings
from scmi.estimators._save import VERSION
from tests.estimators._damage import fuzz

# One of each kind of latent model: linear, kernel (of normal scores, since those of a square measure more), networks on
# components, networks on features.
SETTINGS = {
    "linear": Settings(hidden=(16,), max_steps=1),
    "kernel of scores": Settings(hidden=(16,), max_steps=1),
    "components": Settings(closed_form=False, n_components=4, hidden=(16, 8), max_steps=30),
    "features": Settings(closed_form=False, n_components=None, hidden=(16,), max_steps=30, cross_fit=False),
}


def sample(kind="linear"):
    if kind != "kernel of scores":
        drawn = sm.datasets.gaussian(80, 30, bits=1.0, rng=0)
        return drawn.x, drawn.y
    # Nothing linear joins y, the square, to x.
    x = np.random.default_rng(0).normal(size=(80, 30))
    x[:, 1:] *= 0
    return x, x**2


@pytest.fixture(scope="module")
def fitted():
    return sm.LMI(preset=SETTINGS["linear"], n_splits=1).fit(*sample())


def rewritten(path, change):
    """The file with its JSON and arrays changed, and the checksum with them."""
    with np.load(path) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays.pop(META)))
    del arrays["checksum"]
    change(meta, arrays)
    write_archive(path, meta, arrays)


@pytest.mark.parametrize("kind", SETTINGS)
def test_round_trip(kind, tmp_path):
    x, y = sample(kind)
    model = sm.LMI(preset=SETTINGS[kind], n_splits=1, n_latent=3, k=4).fit(x, y, np.arange(80) // 2)
    assert model.result_.params["latent_model"][0] == (kind if kind.startswith(("linear", "kernel")) else "network")
    model.save(tmp_path / "model.scmi")
    again = sm.LMI.load(tmp_path / "model.scmi")
    assert [p.name for p in tmp_path.iterdir()] == ["model.scmi"]
    assert again.get_params() == model.get_params()
    assert (again.n_features_in_, again.n_features_y_) == (30, 30)
    for method, data in (("transform", (x, y)), ("pmi", (x, y)), ("score_pairs", (x, y[:9]))):
        np.testing.assert_array_equal(getattr(again, method)(*data), getattr(model, method)(*data))
    np.testing.assert_array_equal(again.predict_y(x), model.predict_y(x))
    np.testing.assert_array_equal(again.predict_x(y), model.predict_x(y))
    assert again.result_.to_dict() == model.result_.to_dict()
    np.testing.assert_array_equal(again.information_y_.p, model.information_y_.p)
    np.testing.assert_array_equal(again.result_.pmi, model.result_.pmi)
    pd.testing.assert_frame_equal(again.result_.drift, model.result_.drift)
    assert again.result_.settled is model.result_.settled
    np.testing.assert_array_equal(*([*vars(one.result_.learning).values()] for one in (again, model)))
    np.testing.assert_array_equal(again.result_.pairs.row_x, model.result_.pairs.row_x)
    assert [h.best_step for h in again.result_.history] == [h.best_step for h in model.result_.history]
    # What was loaded can be saved, and trained again.
    again.save(tmp_path / "second")
    np.testing.assert_array_equal(sm.LMI.load(tmp_path / "second").pmi(x, y), model.pmi(x, y))
    np.testing.assert_array_equal(again.fit(x, y, np.arange(80) // 2).result_.pmi, model.result_.pmi)


def test_names_and_generators(tmp_path):
    x, y = (pd.DataFrame(side).rename(columns="g{}".format) for side in sample())
    model = sm.LMI(preset=SETTINGS["linear"], n_splits=1, rng=np.random.default_rng(0)).fit(x, y)
    model.save(tmp_path / "model")
    again = sm.LMI.load(tmp_path / "model")
    assert again.rng is None
    np.testing.assert_array_equal(again.feature_names_in_, x.columns)
    with pytest.raises(ValueError, match="should match"):
        again.predict_x(y[y.columns[::-1]])


def test_the_file_holds_no_pickle(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model") as file:
        for name in file.namelist():
            array = np.lib.format.read_array(io.BytesIO(file.read(name)), allow_pickle=False)
            assert array.dtype.kind in "Uifb", name
    with np.load(tmp_path / "model", allow_pickle=False) as stored:
        assert json.loads(str(stored["meta"]))["version"] == VERSION


def test_other_files_are_refused(fitted, tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(FileNotFoundError):
        sm.LMI.load(path)
    path.write_text("text")
    with pytest.raises(ValueError, match="not written by `LMI.save`"):
        sm.LMI.load(path)
    np.savez(path, x=np.arange(3))
    with pytest.raises(ValueError, match="not written by `LMI.save`"):
        sm.LMI.load(path)
    fitted.save(path)
    rewritten(path, lambda meta, arrays: meta.update(version=VERSION + 1))
    with pytest.raises(ValueError, match=f"of version {VERSION + 1}, written by scmi .* Update scmi"):
        sm.LMI.load(path)


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"rng": np.random.SeedSequence(3)}, None),
        ({"rng": np.int64(3)}, 3),
        ({"rng": [1, 2]}, None),
        ({"device": torch.device("cpu")}, "cpu"),
        ({"lam": np.float32(0.5)}, 0.5),
        ({"n_permutations": np.int32(9)}, 9),
    ],
)
def test_parameters_are_kept_as_plain_ones(fitted, tmp_path, params, kept):
    model = clone_of(fitted).set_params(**params)
    model.save(tmp_path / "model")
    again = sm.LMI.load(tmp_path / "model")
    assert again.get_params()[next(iter(params))] == kept
    np.testing.assert_array_equal(again.result_.pmi, fitted.result_.pmi)


def clone_of(fitted):
    """A fitted model whose parameters can be set without harm to the others."""
    model = sm.LMI(**fitted.get_params())
    vars(model).update({name: value for name, value in vars(fitted).items() if name.endswith("_")})
    return model


@pytest.mark.parametrize("params", [{"progress": object()}, {"k": 0}, {"n_jobs": 1 + 1j}])
def test_what_can_not_be_kept_is_refused_before_anything_is_written(fitted, tmp_path, params):
    fitted.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    with pytest.raises((TypeError, ValueError), match=next(iter(params))):
        clone_of(fitted).set_params(**params).save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("device", ["cuda:77", "mps", "meta"])
def test_a_model_of_another_machine(fitted, tmp_path, device):
    path = tmp_path / "model"
    fitted.save(path)
    rewritten(path, lambda meta, arrays: meta["params"].update(device=device))
    with pytest.warns(UserWarning, match=f"fitted with device='{device}', which is not to be had here") as warned:
        again = sm.LMI.load(path)
    assert len(warned) == 1 and again.device == "auto"
    x, y = sample()
    np.testing.assert_allclose(again.pmi(x, y), fitted.pmi(x, y), atol=1e-4)


@pytest.mark.slow
def test_a_disk_that_fills_up(fitted, tmp_path):
    pytest.importorskip("resource")
    path = tmp_path / "model"
    fitted.save(path)
    before = path.read_bytes()
    assert len(before) > 20_000
    script = f"""
import resource, signal
import scmi as sm
model = sm.LMI.load({str(path)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for size in (20_000, 2000, 100, 0):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        model.save({str(path)!r})
    except OSError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 4 and all(str(path) in line and "what was there is untouched" in line for line in told)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def interrupting(line):
    """An interrupt at so many lines of what writes files."""
    n_lines = 0

    def trace(frame, event, arg):
        nonlocal n_lines
        if frame.f_code.co_filename.endswith(("_files.py", "_archive.py", "zipfile.py")) and event == "line":
            n_lines += 1
            if n_lines == line:
                raise KeyboardInterrupt
        return trace

    return trace


def test_an_interrupt(fitted, tmp_path):
    path = tmp_path / "model"
    fitted.save(path)
    before = path.read_bytes()
    outcomes = set()
    for line in (1, 3, 30, 70, 100, 300, 1000, 3000, 5000):
        sys.settrace(interrupting(line))
        try:
            fitted.save(path)
            outcomes.add("saved")
        except KeyboardInterrupt:
            outcomes.add("interrupted")
        finally:
            sys.settrace(None)
        assert path.read_bytes() == before  # which is what a whole save writes, too
        assert os.listdir(tmp_path) == ["model"]
    assert "interrupted" in outcomes


def changes():
    """Crafted files that once gave wrong numbers, or would: what is changed in the arrays or the JSON."""
    first = "folds/0/"

    def array(name, change):
        return lambda meta, arrays: arrays.update({first + name: change(arrays[first + name])})

    def fold(**changed):
        return lambda meta, arrays: meta["folds"][0].update(changed)

    return {
        "short scale": array("scale_x/mean", lambda values: values[:-1]),
        "no scale": lambda meta, arrays: arrays.pop(first + "scale_x/limit"),
        "negative scale": array("scale_y/factor", lambda values: -values),
        "unequal references": array("held_out/y", lambda values: values[:-1]),
        "unequal latents": array("held_out/y", lambda values: values[:, :-1]),
        "broken chain": array("encoder_x/0/weights/0", lambda values: values[:, 1:]),
        "NaN in a weight": array("encoder_x/0/weights/0", lambda values: values * np.nan),
        "weights in double precision": array("encoder_x/0/weights/0", lambda values: values.astype(float)),
        "k of 0": fold(k=0),
        "k of all": fold(k=40),
        "another k": fold(k=4),
        "half a k": fold(k=2.5),
        "metric": fold(metric="cosine"),
        "kind": fold(kind="tree"),
        "no layers": fold(layers={"encoder_x": []}),
        "features": lambda meta, arrays: meta.update(n_features=[30, 31]),
        "names": lambda meta, arrays: meta.update(feature_names={"feature_names_in_": ["a"]}),
        "another mi": lambda meta, arrays: meta["result"].update(mi=9.0),
        "another error": lambda meta, arrays: meta["result"].update(se=0.0),
        "a text for a number": lambda meta, arrays: meta["result"].update(mi="0.5"),
        "a parameter more": lambda meta, arrays: meta["params"].update(metric="euclidean"),
        "a parameter that can't be": lambda meta, arrays: meta["params"].update(alpha=-1),
        "device": lambda meta, arrays: meta["params"].update(device="abacus"),
        "rows": lambda meta, arrays: arrays.update({"result/pairs/row_x": arrays["result/pairs/row_x"] + 9}),
        "an array more": lambda meta, arrays: arrays.update(more=np.zeros(3)),
    }


@pytest.mark.parametrize("kind", changes())
def test_crafted_files_are_refused(fitted, tmp_path, kind):
    path = tmp_path / "model"
    clone_of(fitted).save(path)
    rewritten(path, changes()[kind])
    with pytest.raises(ValueError, match="can't be loaded: .* write it anew by `LMI.save`") as error:
        sm.LMI.load(path)
    assert str(path) in str(error.value)


def test_a_flipped_bit_is_noticed_that_no_shape_tells_of(fitted, tmp_path):
    path = tmp_path / "model"
    fitted.save(path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    weights = bytearray(members["folds/0/encoder_x/0/weights/0.npy"])
    weights[-2] ^= 1
    members["folds/0/encoder_x/0/weights/0.npy"] = bytes(weights)
    with zipfile.ZipFile(path, "w") as file:  # whose own sums are right
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="damaged: its content is not what its checksum was made from"):
        sm.LMI.load(path)


@pytest.mark.slow
def test_a_hundred_damaged_files(tmp_path):
    outcomes, wrong = fuzz(tmp_path, 100, seed=7)
    assert wrong == []
    assert sum(outcomes.values()) > 90


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        sm.LMI().save(tmp_path / "model")


@pytest.mark.slow
def test_a_result_is_one_row():
    results = [sm.lmi(*sample(), preset=SETTINGS["linear"], n_splits=1, k=k) for k in (3, 5)]
    table = pd.DataFrame([result.to_dict() for result in results])
    assert table["k"].tolist() == [3, 5]
    assert table["mi"].tolist() == [result.mi for result in results]
    assert table["n_pairs"].tolist() == [80, 80]
    assert json.loads(json.dumps(results[0].to_dict())) == results[0].to_dict()
    critic = sm.infonce(*sample()).to_dict()
    assert {"mi", "n_pairs", "hidden"} <= set(critic)
    assert "mi_ksg" not in critic
