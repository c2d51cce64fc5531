"""Scores of all pairs are the density ratios of the pairs one by one, however they are asked for.

Then scikit-learn's contract for estimators of two blocks, and the forms in which data may come.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scmi as sm
from scmi.estimators import _all_pairs
from scmi.estimators._all_pairs import all_pairs
from scmi.estimators.ksg import log_density_ratio, ratio_neighbours
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(16,), max_steps=30, patience=15)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


@pytest.fixture(scope="module")
def fitted():
    x, y = gaussian(200, 6, 1.5, 0)
    return sm.LMI(preset=FAST).fit(x, y), x, y


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(5, 40),
    d=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    k=st.integers(1, 5),
    metric=st.sampled_from(["chebyshev", "euclidean"]),
    tied=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_pair_has_its_density_ratio(seed, n, d, k, metric, tied):
    rng = np.random.default_rng(seed)
    x, y, reference_x, reference_y = (
        rng.integers(0, 4, (m, f)).astype(float) if tied else rng.normal(size=(m, f))
        for m, f in ((7, d[0]), (5, d[1]), (n, d[0]), (n, d[1]))
    )
    expected = log_density_ratio(
        np.repeat(x, 5, axis=0), np.tile(y, (7, 1)), reference_x, reference_y, k=k, metric=metric
    )
    np.testing.assert_array_equal(all_pairs(x, y, reference_x, reference_y, k, metric).ravel(), expected)


def test_the_diagonal_is_pmi(fitted):
    model, x, y = fitted
    scores = model.score_pairs(x[:30], y[:30])
    np.testing.assert_array_equal(np.diag(scores), model.pmi(x[:30], y[:30]))
    assert np.diag(scores).mean() > scores.mean() + 0.5  # pairs are of 1.5 bits, strangers of less than 0


def test_blocks_make_no_difference(fitted, monkeypatch):
    model, x, y = fitted
    whole = model.score_pairs(x[:31], y[:23])
    monkeypatch.setattr(_all_pairs, "BLOCK_BYTES", 16 * 100 * 4)  # 4 rows at once
    np.testing.assert_array_equal(model.score_pairs(x[:31], y[:23]), whole)


def test_scores_stream_to_a_file(fitted, tmp_path):
    model, x, y = fitted
    out = np.memmap(tmp_path / "scores", dtype=np.float32, mode="w+", shape=(20, 30))
    assert model.score_pairs(x[:20], y[:30], out=out) is out
    np.testing.assert_array_equal(out, model.score_pairs(x[:20], y[:30]).astype(np.float32))


def test_the_best_partners(fitted, monkeypatch):
    model, x, y = fitted
    monkeypatch.setattr(_all_pairs, "BLOCK_BYTES", 16 * 100 * 4)
    scores = model.score_pairs(x[:9], y[:30])
    table = model.score_pairs(x[:9], y[:30], top_k=4)
    assert table.columns.tolist() == ["x", "y", "pmi"]
    np.testing.assert_array_equal(table["x"], np.repeat(np.arange(9), 4))
    np.testing.assert_array_equal(table["pmi"], scores[table["x"], table["y"]])
    np.testing.assert_array_equal(table["pmi"].to_numpy().reshape(9, 4), -np.sort(-scores, axis=1)[:, :4])
    assert len(model.score_pairs(x[:9], y[:3], top_k=4)) == 27


def test_bad_requests(fitted):
    model, x, y = fitted
    with pytest.raises(ValueError, match="pass one of them"):
        model.score_pairs(x, y, out=np.empty((200, 200)), top_k=3)
    with pytest.raises(ValueError, match=r"`out` has shape \(3, 4\)"):
        model.score_pairs(x, y, out=np.empty((3, 4)))
    with pytest.raises(ValueError, match="`top_k` must be at least 1"):
        model.score_pairs(x, y, top_k=0)


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x, y: model.transform(x),
        lambda model, x, y: model.pmi(x, y),
        lambda model, x, y: model.score_pairs(x, y),
        lambda model, x, y: model.predict_y(x),
        lambda model, x, y: model.predict_x(y),
    ],
    ids=["transform", "pmi", "score_pairs", "predict_y", "predict_x"],
)
def test_unfitted(use):
    with pytest.raises(NotFittedError, match="This LMI instance is not fitted yet. Call 'fit'"):
        use(sm.LMI(), np.zeros((3, 2)), np.zeros((3, 2)))


def test_unknown_parameters():
    with pytest.raises(ValueError, match="Invalid parameter 'neighbours' for estimator LMI"):
        sm.LMI().set_params(neighbours=3)


def test_ratio_at_new_points_of_gaussians():
    rng = np.random.default_rng(0)
    rho = 0.8
    x, x_new, noise, noise_new = rng.normal(size=(4, 5000, 1))
    y, y_new = (rho * a + np.sqrt(1 - rho**2) * b for a, b in ((x, noise), (x_new, noise_new)))
    ratio = log_density_ratio(x_new, y_new, x, y, k=10)
    truth = (
        -0.5 * np.log(1 - rho**2) - (rho**2 * (x_new**2 + y_new**2) - 2 * rho * x_new * y_new) / (2 * (1 - rho**2))
    ).ravel() / np.log(2)
    # Over 10 seeds: correlation .920 +- .006 (.785 +- .011 at k=3, which is noisier), mean at independence .004 +- .008.
    assert np.corrcoef(ratio, truth)[0, 1] > 0.9
    assert log_density_ratio(x_new, noise_new, x, noise, k=10).mean() == pytest.approx(0, abs=0.03)


def closed_form(x, y, rho):
    nats = -0.5 * np.log(1 - rho**2) - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))
    return nats.sum(axis=1) / np.log(2)


@pytest.mark.parametrize("d", [1, 2])
def test_new_pairs_of_gaussians(d):
    """Standard normal columns, correlated by .8 with those of the other side."""
    rng = np.random.default_rng(0)
    x, x_new, noise, noise_new = rng.normal(size=(4, 5000, d))
    y, y_new = 0.8 * x + 0.6 * noise, 0.8 * x_new + 0.6 * noise_new
    model = sm.LMI(preset=Settings(hidden=(8,), max_steps=1), n_permutations=0).fit(x, y)
    truth = closed_form(x_new, y_new, 0.8)
    # Over 5 seeds: .966 with 25 neighbours and .963 with 50 at d = 1, .944 with 10 at d = 2 (each +- .003); with 3 .872 and .895.
    assert np.corrcoef(model.pmi(x_new, y_new), truth)[0, 1] > 0.93
    assert np.corrcoef(model.pmi(x_new, y_new, k=3), truth)[0, 1] < 0.91
    # 1.474 bits are 1.45 +- .02 of the 2,500 reference pairs of a fold.
    assert model.pmi(x_new, y_new).mean() == pytest.approx(truth.mean(), abs=0.1)


def test_new_pairs_at_independence():
    x, y, x_new, y_new = np.random.default_rng(0).normal(size=(4, 5000, 2))
    model = sm.LMI(preset=Settings(hidden=(8,), max_steps=1), n_permutations=0).fit(x, y)
    # Over 5 seeds: .000 +- .004, with any number of neighbours.
    assert model.pmi(x_new, y_new).mean() == pytest.approx(0, abs=0.02)


def test_neighbours_of_new_pairs():
    # A fifth of 2500^(4/6) = 184, of 2500^(1/2) = 50 and of 2500^(4/22) = 4.1.
    assert [ratio_neighbours(3, 2500, d) for d in (2, 4, 18)] == [36, 10, 3]
    assert [ratio_neighbours(3, n, 2) for n in (10, 100, 10**6)] == [3, 4, 50]
    assert ratio_neighbours(60, 10**6, 2) == 60


def test_neighbours_can_be_chosen(fitted):
    model, x, y = fitted
    fold = model.models_[0]
    expected = np.mean(
        [
            log_density_ratio(
                fold.encode_x(x), fold.encode_y(y), fold.reference_x, fold.reference_y, k=7, metric="euclidean"
            )
            for fold in model.models_
        ],
        axis=0,
    )
    np.testing.assert_array_equal(model.pmi(x, y, k=7), expected)
    np.testing.assert_array_equal(np.diag(model.score_pairs(x, y, k=7)), expected)
    assert len(fold.reference_x) == 100
    for bad, message in ((0, "`k` must be at least 1"), (101, "k=101 needs at least 101")):
        with pytest.raises(ValueError, match=message):
            model.pmi(x, y, k=bad)
        with pytest.raises(ValueError, match=message):
            model.score_pairs(x, y, k=bad)


def test_parameters_survive_cloning_setting_and_pickling(fitted):
    model, x, y = fitted
    copy = clone(model).set_params(k=5)
    assert (copy.k, model.k) == (5, 3)
    assert copy.set_params(k=3).get_params() == model.get_params()
    np.testing.assert_array_equal(copy.fit(x, y).result_.pmi, model.result_.pmi)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.score_pairs(x[:5], y), model.score_pairs(x[:5], y))


def test_a_scaler_may_come_before_it(fitted):
    _, x, y = fitted
    pipeline = make_pipeline(StandardScaler(), sm.LMI(preset=FAST)).fit(x, y)
    alone = sm.LMI(preset=FAST).fit(StandardScaler().fit_transform(x), y)
    z_x = alone.transform(StandardScaler().fit_transform(x), y)[0]
    np.testing.assert_array_equal(pipeline.transform(x), z_x)
    # A pipeline hands y on as it is.
    np.testing.assert_array_equal(pipeline[-1].result_.pmi, alone.result_.pmi)


@pytest.mark.parametrize(
    "form",
    [
        pd.DataFrame,
        lambda a: pd.DataFrame(a).astype("Float64"),
        torch.tensor,
        lambda a: torch.tensor(a, requires_grad=True),
        lambda a: pytest.importorskip("polars").DataFrame(a),
        lambda a: pytest.importorskip("dask.array").from_array(a, chunks=(50, -1)),
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    ],
    ids=["pandas", "pandas with missing", "torch", "torch with gradient", "polars", "dask", "by columns", "strided"],
)
def test_forms_of_input(fitted, form):
    model, x, y = fitted
    np.testing.assert_array_equal(sm.LMI(preset=FAST).fit(form(x), form(y)).result_.pmi, model.result_.pmi)


def test_polars_frames():
    polars = pytest.importorskip("polars")
    x, y = (polars.DataFrame(side, schema=list("abcde")) for side in gaussian(60, 5, 1.0, 0))
    model = sm.LMI(preset=FAST).fit(x, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    assert sm.lmi(x, y, preset=FAST).mi == model.result_.mi
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.transform(x[list("edcba")])
    with pytest.raises(ValueError, match="x has 1 NaN or infinite values, the first in row 3, column 0"):
        model.transform(x.with_columns(a=polars.Series([*x["a"][:3], None, *x["a"][4:]])))
    with pytest.raises(TypeError, match="x holds values of type .*; expected numbers"):
        sm.LMI(preset=FAST).fit(x.with_columns(a=polars.lit("text")), y)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "int16"])
def test_types_of_numbers(fitted, dtype):
    _, x, y = fitted
    x, y = (np.round(side * 100).astype(dtype) for side in (x, y))
    expected = sm.LMI(preset=FAST).fit(x.astype(np.float64), y.astype(np.float64))
    np.testing.assert_array_equal(sm.LMI(preset=FAST).fit(x, y).result_.pmi, expected.result_.pmi)


def test_bfloat16_tensors_are_read(fitted):
    model, x, y = fitted
    half = torch.tensor(x[:9], dtype=torch.bfloat16)
    np.testing.assert_array_equal(model.pmi(half, y[:9]), model.pmi(half.double().numpy(), y[:9]))


def test_feature_names_are_compared():
    x, y = (pd.DataFrame(side, columns=list("abcde")) for side in gaussian(60, 5, 1.0, 0))
    model = sm.LMI(preset=FAST).fit(x, y.to_numpy())
    assert model.feature_names_in_.tolist() == list("abcde")
    assert not hasattr(model, "feature_names_y_")
    with pytest.raises(
        ValueError, match=r"names of x should match(.|\n)*unseen at fit time:\n- z\n(.|\n)*missing:\n- a"
    ):
        model.transform(x.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.transform(x[list("edcba")])
    with pytest.warns(UserWarning, match="x does not have valid feature names, but LMI was fitted with") as record:
        model.transform(x.to_numpy())
    assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="y has feature names, but LMI was fitted without"):
        model.predict_x(y)
    assert not hasattr(model.fit(x.to_numpy(), y), "feature_names_in_")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, y: (x[:-1], y), ValueError, "x has 59 rows, but y has 60"),
        (lambda x, y: (x[:1], y[:1]), ValueError, "Only 1 pairs"),
        (lambda x, y: (x[:0], y[:0]), ValueError, "x has shape"),
        (lambda x, y: (x, np.where(y > 2, np.nan, y)), ValueError, "y has .* NaN"),
        (lambda x, y: (x[:, :0], y), ValueError, "x has shape"),
        (lambda x, y: (pd.DataFrame(x).astype("Float64").mask(x > 2), y), ValueError, "x has .* NaN"),
        (lambda x, y: (pd.DataFrame(x).astype(str), y), TypeError, "expected numbers"),
        (lambda x, y: (x + 1j, y), TypeError, "expected numbers"),
    ],
)
def test_bad_data(change, error, message):
    x, y = change(*gaussian(60, 5, 1.0, 0))
    with pytest.raises(error, match=message):
        sm.LMI(preset=FAST).fit(x, y)
