"""An estimator that was saved and loaded answers as before; other files are refused."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import scmi as sm
from scmi.estimators import Settings
from scmi.estimators._save import VERSION

# One of each kind of latent model: linear, kernel, networks on components, networks on features.
SETTINGS = {
    "linear": Settings(hidden=(16,), max_steps=1),
    "kernel": Settings(hidden=(16,), max_steps=1),
    "components": Settings(closed_form=False, n_components=4, hidden=(16, 8), max_steps=30),
    "features": Settings(closed_form=False, n_components=None, hidden=(16,), max_steps=30, cross_fit=False),
}


def sample(kind="linear"):
    if kind != "kernel":
        drawn = sm.datasets.gaussian(80, 30, bits=1.0, rng=0)
        return drawn.x, drawn.y
    # Nothing linear joins y, the square, to x.
    x = np.random.default_rng(0).normal(size=(80, 30))
    x[:, 1:] *= 0
    return x, x**2


@pytest.fixture(scope="module")
def fitted():
    return sm.LMI(preset=SETTINGS["linear"]).fit(*sample())


def rewritten(path, change):
    """The file with its JSON changed."""
    with np.load(path) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"]))
    change(meta)
    arrays["meta"] = np.array(json.dumps(meta))
    np.savez(path, **arrays)


@pytest.mark.parametrize("kind", SETTINGS)
def test_round_trip(kind, tmp_path):
    x, y = sample(kind)
    model = sm.LMI(preset=SETTINGS[kind], n_latent=3, k=4).fit(x, y, np.arange(80) // 2)
    assert model.result_.params["latent_model"][0] == (kind if kind in ("linear", "kernel") else "network")
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
    np.testing.assert_array_equal(again.result_.pairs.row_x, model.result_.pairs.row_x)
    assert [h.best_step for h in again.result_.history] == [h.best_step for h in model.result_.history]
    # What was loaded can be saved, and trained again.
    again.save(tmp_path / "second")
    np.testing.assert_array_equal(sm.LMI.load(tmp_path / "second").pmi(x, y), model.pmi(x, y))
    np.testing.assert_array_equal(again.fit(x, y, np.arange(80) // 2).result_.pmi, model.result_.pmi)


def test_names_and_generators(tmp_path):
    x, y = (pd.DataFrame(side).rename(columns="g{}".format) for side in sample())
    model = sm.LMI(preset=SETTINGS["linear"], rng=np.random.default_rng(0)).fit(x, y)
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
    rewritten(path, lambda meta: meta.update(version=VERSION + 1))
    with pytest.raises(ValueError, match=f"of version {VERSION + 1}, written by scmi .* Update scmi"):
        sm.LMI.load(path)


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        sm.LMI().save(tmp_path / "model")


def test_a_result_is_one_row():
    results = [sm.lmi(*sample(), preset=SETTINGS["linear"], k=k) for k in (3, 5)]
    table = pd.DataFrame([result.to_dict() for result in results])
    assert table["k"].tolist() == [3, 5]
    assert table["mi"].tolist() == [result.mi for result in results]
    assert table["n_pairs"].tolist() == [80, 80]
    assert json.loads(json.dumps(results[0].to_dict())) == results[0].to_dict()
    critic = sm.infonce(*sample()).to_dict()
    assert {"mi", "n_pairs", "hidden"} <= set(critic)
    assert "mi_ksg" not in critic
