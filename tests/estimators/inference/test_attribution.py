"""The promises of held-out R2 per feature.

- R2 is that of the fold's own model on the pairs it never saw; features without variation get NaN, not a perfect score.
- p is the share of permutations that reach R2: its moments are exact, its tail holds for genes that few cells express.
- Features that depend are found, in x and in y, by either latent model; independent ones give uniform p.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.estimators.inference.attribution import FeatureMoments, feature_moments, held_out_information, summarise
from scmi.estimators.settings import Settings


@pytest.fixture(scope="module")
def fitted():
    """Three features of 30 share 5.4 bits, nearly the most that 400 pairs can show."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 400, 30))
    y[:, :3] = x[:, :3] + 0.3 * rng.normal(size=(400, 3))
    y[:, 10] = 7.0
    x[:, 11] = 0.1
    with pytest.warns(UserWarning, match="So much is shared"):
        return x, y, sm.LMI(n_splits=1, rng=0, progress=False).fit(x, y)


def test_r2_is_that_of_the_predictions_of_held_out_pairs(fitted):
    x, y, model = fitted
    error, total = np.zeros((2, 30))
    for fold, part in enumerate(model.folds_):
        rows = model.result_.fold == fold
        scale = part.scale_y.factor
        truth, predicted = y[rows] * scale, part.predict_y(x[rows]) * scale
        error += ((truth - predicted) ** 2).sum(axis=0)
        total += ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    expected = 1 - error[:3] / total[:3]
    # float32 predictions
    np.testing.assert_allclose(model.information_y_.r2[:3], expected, rtol=1e-4)


def test_one_pair_of_each_group_is_looked_at(fitted):
    x, y, model = fitted
    alone = held_out_information(x, y, model.folds_)[1]
    np.testing.assert_array_equal(alone.r2, model.information_y_.r2)
    tied = [replace(fold, held_out=replace(fold.held_out, groups=np.arange(200) // 2)) for fold in model.folds_]
    fewer = held_out_information(x, y, tied)[1]
    # Half the pairs: the null is wider by the root of two.
    assert np.nanmedian(fewer.null - fewer.r2) > 1.2 * np.nanmedian(alone.null - alone.r2)


def test_features_without_variation_score_nothing(fitted):
    *_, model = fitted
    for information, constant in ((model.information_y_, 10), (model.information_x_, 11)):
        for values in (information.r2, information.null, information.p):
            assert list(np.flatnonzero(np.isnan(values))) == [constant]


def test_dependent_features_are_found_on_both_sides(fitted):
    *_, model = fitted
    for information in (model.information_x_, model.information_y_):
        assert set(np.argsort(np.nan_to_num(-information.r2))[:3]) == {0, 1, 2}
        assert information.p[:3].max() < 1e-12
        assert (information.r2[:3] > information.null[:3]).all()
        # 26 independent features: the least p of as many uniform ones is below 1e-4 once in 400 times.
        assert np.nanmin(information.p[3:]) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("linear", [True, False])
def test_sparse_and_either_model(linear):
    rng = np.random.default_rng(1)
    x = rng.poisson(1.0, size=(300, 8)).astype(np.float64)
    y = np.hstack([x[:, :2] + rng.poisson(0.2, size=(300, 2)), rng.poisson(1.0, size=(300, 6))])
    settings = Settings(closed_form=linear, hidden=(16,), max_steps=150)
    dense, sparse = (
        sm.LMI(preset=settings, n_splits=1, rng=0, progress=False).fit(a, b)
        for a, b in ((x, y), (sp.csr_matrix(x), sp.csr_matrix(y)))
    )
    assert dense.information_y_.p[:2].max() < 1e-6 < dense.information_y_.p[2:].min()
    np.testing.assert_allclose(sparse.information_y_.r2, dense.information_y_.r2, atol=0.02)


def moments(predicted, true):
    a, b = predicted - predicted.mean(axis=0), true - true.mean(axis=0)
    return FeatureMoments(
        n=len(a),
        product=(a * b).sum(axis=0),
        square_predicted=(a**2).sum(axis=0),
        square_true=(b**2).sum(axis=0),
        error=((predicted - true) ** 2).sum(axis=0),
        cube=(a**3).sum(axis=0) * (b**3).sum(axis=0),
        n_above=(true > true.min(axis=0)).sum(axis=0).astype(np.float64),
    )


def test_p_and_null_agree_with_all_permutations():
    """8! permutations, skewed values; over 60 seeds p was within .13 of theirs, the null's rank within .12 of 5 %."""
    rng = np.random.default_rng(2)
    predicted, true = rng.exponential(size=(2, 8, 1))
    information = summarise([moments(predicted, true)])
    every = np.array(list(permutations(range(8))))
    r2 = 1 - ((predicted[:, 0] - true[every, 0]) ** 2).sum(axis=1) / ((true - true.mean()) ** 2).sum()
    assert information.r2[0] == pytest.approx(r2[0], rel=1e-12)
    assert information.p[0] == pytest.approx((r2 >= r2[0] - 1e-12).mean(), abs=0.13)
    assert (r2 >= information.null[0]).mean() == pytest.approx(0.05, abs=0.12)


@pytest.mark.parametrize("rate", [0.02, 0.2, 2.0])
def test_p_is_not_too_small_by_chance(rate):
    """Skewed predictions, genes of few cells, two folds: as often below a level as it says, or less often far out."""
    rng = np.random.default_rng(3)
    folds = []
    for n in (60, 53):
        true = np.log1p(rng.poisson(rate, size=(n, 20_000)) * rng.gamma(3, size=(n, 20_000)))
        folds.append(moments(np.exp(0.5 * rng.normal(size=true.shape)), true))
    p = summarise(folds).p
    p = p[~np.isnan(p)]
    # Measured .049 to .056, and .0003 to .0007.
    assert (p <= 0.05).mean() < 0.06
    assert (p <= 0.001).mean() < 0.002


def test_a_gene_of_one_cell_has_as_many_arrangements_as_there_are_pairs():
    predicted = np.r_[50.0, np.zeros(19)][:, None]
    information = summarise([moments(predicted, np.r_[3.0, np.zeros(19)][:, None])])
    assert information.p[0] == pytest.approx(1 / 20)


def test_a_constant_prediction_is_no_evidence():
    information = summarise([moments(np.zeros((20, 1)), np.arange(20.0)[:, None])])
    assert information.p[0] == 1
    assert information.null[0] == pytest.approx(information.r2[0])


def test_reading_in_parts_changes_nothing(fitted, monkeypatch):
    x, y, model = fitted
    part = model.folds_[0]
    rows = np.flatnonzero(model.result_.fold == 0)[::-1].copy()
    arguments = (y, rows, part.scale_y, part.model.decoder_xy, part.held_out.x[::-1].copy())
    whole = feature_moments(*arguments)
    monkeypatch.setattr("scmi.estimators.inference.attribution.CHUNK", 37)
    parts = feature_moments(*arguments)
    for name in ("product", "square_true", "error", "cube", "n_above"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-3)
