"""What was fitted answers for new data, by scikit-learn's contract, whatever the parameters are set to later."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scmi as sm
from scmi.estimators import Settings

FAST = Settings(hidden=(16,), max_steps=30, patience=15)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


@pytest.fixture(scope="module")
def fitted():
    x, y = gaussian(200, 6, 1.5, 0)
    return sm.LMI(preset=FAST, n_splits=1).fit(x, y), x, y


def test_estimator_follows_scikit_learn():
    x, y = gaussian(100, 5, 1.0, 0)
    model = sm.LMI(n_latent=3, preset=FAST, n_splits=1)
    with pytest.raises(NotFittedError):
        model.transform(x, y)
    assert model.fit(x, y) is model
    assert clone(model).get_params() == model.get_params()
    z_x, z_y = model.transform(x[:7], y[:9])
    assert z_x.shape == (7, 3)
    assert z_y.shape == (9, 3)
    np.testing.assert_allclose(model.transform(x, y)[0], model.result_.z_x, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.pmi(x, y), model.pmi(x, y))
    with pytest.raises(ValueError, match="x has 4 features, but LMI is expecting 5"):
        model.pmi(x[:, :4], y)


@pytest.mark.slow
def test_new_pairs_and_predictions():
    x, y = gaussian(2000, 5, 2.0, 0)
    model = sm.LMI(rng=0, preset=Settings(hidden=(32, 16), max_steps=100), n_splits=1, n_permutations=0).fit(x, y)
    new_x, new_y = gaussian(2000, 5, 2.0, 1)
    # 2 bits true; at this size the estimate and its spread are 1.8 +- .05. Shuffled pairs are improbable ones.
    assert model.pmi(new_x, new_y).mean() == pytest.approx(2, abs=0.4)
    assert model.pmi(new_x, new_y[::-1]).mean() < 0
    # The conditional mean explains 1 - 2^-4 = 94 % of the informative columns, in their own units, and no other.
    explained = 1 - np.mean((model.predict_y(new_x) - new_y) ** 2, axis=0) / new_y.var(axis=0)
    assert explained[:3].min() > 0.85
    assert np.abs(explained[3:]).max() < 0.1
    back = 1 - np.mean((model.predict_x(new_y) - new_x) ** 2, axis=0) / new_x.var(axis=0)
    assert back[:3].min() > 0.85


def closed_form(x, y, rho):
    nats = -0.5 * np.log(1 - rho**2) - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))
    return nats.sum(axis=1) / np.log(2)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_new_pairs_of_gaussians(d):
    """Standard normal columns, correlated by .8 with those of the other side."""
    rng = np.random.default_rng(0)
    x, x_new, noise, noise_new = rng.normal(size=(4, 5000, d))
    y, y_new = 0.8 * x + 0.6 * noise, 0.8 * x_new + 0.6 * noise_new
    model = sm.LMI(preset=Settings(hidden=(8,), max_steps=1), n_splits=1, n_permutations=0).fit(x, y)
    truth = closed_form(x_new, y_new, 0.8)
    # Over 5 seeds: .966 with 25 neighbours and .963 with 50 at d = 1, .944 with 10 at d = 2 (each +- .003); with 3
    # .872 and .895.
    assert np.corrcoef(model.pmi(x_new, y_new), truth)[0, 1] > 0.93
    assert np.corrcoef(model.pmi(x_new, y_new, k=3), truth)[0, 1] < 0.91
    # 1.474 bits are 1.45 +- .02 of the 2,500 reference pairs of a fold.
    assert model.pmi(x_new, y_new).mean() == pytest.approx(truth.mean(), abs=0.1)


@pytest.mark.slow
def test_new_pairs_at_independence():
    x, y, x_new, y_new = np.random.default_rng(0).normal(size=(4, 5000, 2))
    model = sm.LMI(preset=Settings(hidden=(8,), max_steps=1), n_splits=1, n_permutations=0).fit(x, y)
    # Over 5 seeds: .000 +- .004, with any number of neighbours.
    assert model.pmi(x_new, y_new).mean() == pytest.approx(0, abs=0.02)


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
    pipeline = make_pipeline(StandardScaler(), sm.LMI(preset=FAST, n_splits=1)).fit(x, y)
    alone = sm.LMI(preset=FAST, n_splits=1).fit(StandardScaler().fit_transform(x), y)
    z_x = alone.transform(StandardScaler().fit_transform(x), y)[0]
    np.testing.assert_array_equal(pipeline.transform(x), z_x)
    # A pipeline hands y on as it is.
    np.testing.assert_array_equal(pipeline[-1].result_.pmi, alone.result_.pmi)


def test_parameters_set_after_fit_change_nothing_that_was_fitted(fitted):
    _, x, y = fitted
    model = sm.LMI(preset=FAST, n_splits=1, n_permutations=0).fit(x, y)

    def answers():
        return [
            model.pmi(x[:50], y[:50]),
            model.score_pairs(x[:9], y[:20]),
            model.score_pairs(x[:9], y[:20], top_k=2)["pmi"].to_numpy(),
            *model.transform(x[:9], y[:9]),
            model.predict_y(x[:9]),
            model.predict_x(y[:9]),
        ]

    before = answers()
    model.set_params(k=9, preset="paper", n_latent=1, device="cuda:7")
    for one, other in zip(before, answers(), strict=True):
        np.testing.assert_array_equal(one, other)
    # They are those of the next fit.
    assert model.set_params(preset=FAST, device="cpu").fit(x, y).result_.params["k"] == 9
    assert (model.pmi(x[:50], y[:50]) != before[0]).any()


def test_a_saved_model_keeps_what_was_fitted_beside_what_was_set(fitted, tmp_path):
    _, x, y = fitted
    model = sm.LMI(preset=FAST, n_splits=1, n_permutations=0).fit(x, y)
    before = model.pmi(x, y)
    model.set_params(k=9, preset="paper").save(tmp_path / "model")
    again = sm.LMI.load(tmp_path / "model")
    assert (again.k, again.preset) == (9, "paper")
    np.testing.assert_array_equal(again.pmi(x, y), before)
