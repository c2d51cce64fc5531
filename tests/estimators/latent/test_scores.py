"""Normal scores: by hand, blind to monotone maps, and whole estimates of columns with tails and bounds."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata

import scmi as sm
from scmi.estimators.inputs.rows import Rows, fit_scale
from scmi.estimators.latent.layers import NormalScores, precise
from scmi.estimators.latent.scores import GAUSSIAN, KNOTS, MAX_COLUMNS, score_sides
from scmi.estimators.latent.sides import prepare_sides


def sides(x, y):
    made = []
    for side in (x, y):
        rows = np.arange(len(side))
        made.append(Rows(side, fit_scale(side, rows), torch.device("cpu")).keeping(rows))
    paired = tuple(np.arange(len(side)) for side in (x, y))
    sampled = tuple(rows.batch(np.arange(len(rows))) for rows in made)
    return score_sides(tuple(made), paired, sampled, 40, torch.Generator().manual_seed(0))


def test_the_layer_by_hand():
    layer = NormalScores(torch.tensor([[0.0, 1.0, 3.0], [5.0, 5.0, 5.0]]), torch.tensor([[-1.0, 0.0, 1.0], [0.0] * 3]))
    rows = torch.tensor([[-7.0, 5.0], [0.5, 4.0], [1.0, 6.0], [2.0, 5.0], [9.0, 5.0]])
    assert precise(layer)(rows).tolist() == [[-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [1, 0]]


def test_scores_are_those_of_the_ranks():
    rng = np.random.default_rng(0)
    x, y = rng.exponential(size=(KNOTS, 1)), rng.integers(0, 4, (KNOTS, 1)).astype(float)
    found = sides(x, y)
    for layer, values in zip((found.x, found.y), (x, y), strict=True):
        scores = layer.batch(np.arange(KNOTS)).numpy().ravel()
        expected = norm.ppf((rankdata(values) - 0.5) / KNOTS)  # of equal values the middle rank
        np.testing.assert_allclose(scores / scores.std(), expected / expected.std(), atol=2e-3)


def test_many_rows_are_interpolated_closely():
    values = np.random.default_rng(0).exponential(size=(5000, 1))
    scores = sides(values, values).x.batch(np.arange(5000)).numpy().ravel()
    expected = norm.ppf((rankdata(values) - 0.5) / 5000)
    assert np.abs(scores / scores.std() - expected / expected.std()).max() < 0.05
    assert (np.diff(scores[np.argsort(values.ravel())]) >= 0).all()


@pytest.mark.parametrize("bend", [np.exp, lambda x: x**3, np.arctan], ids=["exp", "cube", "arctan"])
def test_a_monotone_map_changes_no_score(bend):
    x = np.random.default_rng(0).normal(size=(KNOTS, 3))
    one, other = sides(x**3, x**3), sides(bend(x), bend(x))
    for a, b in ((one.x, other.x), (one.y, other.y)):
        a, b = (rows.batch(np.arange(KNOTS)).numpy() for rows in (a, b))
        np.testing.assert_allclose(a / a.std(axis=0), b / b.std(axis=0), atol=5e-3)


def test_gaussian_columns_have_none():
    rng = np.random.default_rng(0)
    assert sides(*rng.normal(size=(2, 500, 5))) is None
    assert sides(rng.normal(size=(500, 5)), np.eye(2)[rng.integers(0, 2, 500)]) is None  # two values are linear
    uniform = rng.uniform(size=(500, 1))
    assert np.corrcoef(uniform.ravel(), norm.ppf((rankdata(uniform) - 0.5) / 500))[0, 1] < GAUSSIAN
    assert sides(rng.normal(size=(500, 1)), uniform) is not None


def test_many_columns_are_not_scored():
    rng = np.random.default_rng(0)
    for n_columns, scored in ((MAX_COLUMNS, True), (MAX_COLUMNS + 1, False)):
        x, y = rng.exponential(size=(60, n_columns)), rng.exponential(size=(60, 1))
        both = (np.arange(60), np.arange(60))
        options = {"common_scale": False, "n_components": 10, "rng": rng, "device": torch.device("cpu")}
        assert (prepare_sides(x, y, both, **options).scored is not None) == scored


@pytest.fixture(scope="module")
def bent():
    """Two bits in two of ten columns, of which margins were made heavy."""
    return sm.datasets.transform(sm.datasets.gaussian(1000, 10, 2, bits=2.0, rng=3), "half_cube")


@pytest.fixture(scope="module")
def fitted(bent):
    return sm.LMI(n_splits=1, n_permutations=0, progress=False).fit(bent.x, bent.y)


def test_heavy_columns_are_read_by_their_scores(bent, fitted):
    assert all(kind.endswith("of scores") for kind in fitted.result_.params["latent_model"])
    # Over ten data sets 1.95, sd .06; of the columns as they are, 1.7.
    assert fitted.result_.mi == pytest.approx(2, abs=0.2)


def test_decoders_lead_to_the_columns_themselves(bent, fitted):
    predicted = fitted.predict_y(bent.x)
    unexplained = ((bent.y - predicted) ** 2).sum() / ((bent.y - bent.y.mean(axis=0)) ** 2).sum()
    assert unexplained < 0.95
    np.testing.assert_allclose(predicted.mean(axis=0), bent.y.mean(axis=0), atol=0.2)


@pytest.mark.slow
def test_saved_and_read_again(bent, fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    again = sm.LMI.load(tmp_path / "model.npz")
    for name in ("pmi", "score_pairs", "transform"):
        for one, other in zip(
            *(np.atleast_2d(getattr(model, name)(bent.x[:20], bent.y[:20])) for model in (fitted, again)), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_nothing_is_found_where_nothing_is():
    rng = np.random.default_rng(0)
    found = [
        sm.lmi(*rng.standard_t(2, size=(2, 300, 5)), n_permutations=0, progress=False, rng=seed).mi for seed in range(4)
    ]
    assert abs(np.mean(found)) < 0.06
