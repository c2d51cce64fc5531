"""The estimate is right on Gaussians, 0 at independence, blind to the estimated pairing, and repeatable.

Accuracy at full size (2,000 samples, 100 and 1,000 dimensions, five seeds) is measured in ``tests/benchmarks``.
"""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import scmi as sm
from scmi.estimators.folds import estimate
from scmi.estimators.pairing import Pairing, rowwise
from scmi.estimators.plan import Plan
from scmi.estimators.settings import Settings

FAST = Settings(hidden=(16,), max_steps=20, patience=20)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


def run(x, y, pairing, settings=FAST, seed=0, n_pairings=1):
    return estimate(
        x,
        y,
        pairing,
        Plan(settings=settings, n_pairings=n_pairings, n_latent=4, device="cpu", n_jobs=1),
        rng=np.random.default_rng(seed),
        progress=lambda done, loss: None,
    )


def test_gaussian_at_the_defaults():
    dependent, independent = (sm.lmi(*gaussian(600, 40, bits, 0), rng=0, n_permutations=0).mi for bits in (1.0, 0.0))
    # Over 8 seeds: .98 (standard deviation .04), and .00 (.03).
    assert dependent == pytest.approx(0.98, abs=0.16)
    assert independent == pytest.approx(0, abs=0.12)


def test_every_row_gets_its_value_from_the_fold_that_had_not_seen_it():
    x, y = gaussian(200, 6, 1.0, 0)
    result, models = run(x, y, rowwise(200))
    assert np.isfinite(result.pmi).all()
    assert result.mi == pytest.approx(result.pmi.mean())
    assert sorted(np.bincount(result.fold)) == [100, 100]
    for fold, model in enumerate(models):
        held_out = np.flatnonzero(result.fold == fold)
        np.testing.assert_array_equal(model.reference_x, model.encode_x(x[held_out]))
        pmi = sm.ksg(model.encode_x(x[held_out]), model.encode_y(y[held_out]), metric="euclidean")
        np.testing.assert_allclose(result.pmi[held_out], pmi)


def test_scales_and_weights_ignore_the_estimated_pairing():
    """Who is paired with whom in the held-out half changes nothing that was learned for it.

    Its rows take part in the principal components, without their partners; in another order they round differently.
    """
    x, y = gaussian(200, 6, 1.0, 0)
    result, models = run(x, y, rowwise(200))
    held_out = np.flatnonzero(result.fold == 0)
    tampered = y.copy()
    tampered[held_out] = y[held_out[::-1]]
    _, others = run(x, tampered, rowwise(200))
    np.testing.assert_array_equal(models[0].scale_y.mean, others[0].scale_y.mean)
    np.testing.assert_allclose(models[0].encode_y(y), others[0].encode_y(y), atol=0.02)
    np.testing.assert_allclose(models[0].history.validation, others[0].history.validation, atol=0.01)


def test_groups_never_part():
    x, y = gaussian(300, 5, 1.0, 0)
    groups = np.repeat(np.arange(30), 10)
    result = sm.lmi(x, y, groups=groups, preset=FAST)
    folds = pd.Series(result.fold).groupby(groups).nunique()
    assert (folds == 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_few_uneven_groups_are_enough(seed):
    x, y = gaussian(120, 5, 1.0, 0)
    result = sm.lmi(x, y, groups=np.repeat([0, 1, 2], [60, 30, 30]), preset=FAST, rng=seed)
    assert np.isfinite(result.pmi).all()
    assert all(np.isfinite(history.validation).all() for history in result.history)


def test_single_split_estimates_half_and_leaves_the_rest_missing():
    x, y = gaussian(200, 5, 1.0, 0)
    settings = Settings(hidden=(16,), max_steps=5, cross_fit=False)
    result, models = run(x, y, rowwise(200), settings)
    assert len(models) == 1
    assert np.isnan(result.pmi).sum() == 100
    np.testing.assert_array_equal(np.isnan(result.pmi), result.fold == -1)
    assert result.mi == pytest.approx(np.nanmean(result.pmi))
    assert result.n_pairs == 100


def test_paper_preset_runs():
    result = sm.lmi(*gaussian(80, 10, 1.0, 0), preset="paper", rng=0)
    assert result.params["hidden"] == [1024, 512, 256]
    assert result.history[0].step[-1] <= 300
    assert np.isfinite(result.mi)


def test_many_pairings_of_clones():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 120, 5))
    indptr = np.arange(0, 121, 2)
    pairing = Pairing(indptr, np.arange(120), indptr, np.arange(120), np.arange(60))
    result, _ = run(x, y, pairing, n_pairings=7)
    assert result.n_pairs == 60
    assert len(result.mi_by_pairing) == 7
    assert result.mi == pytest.approx(result.mi_by_pairing.mean())
    np.testing.assert_array_equal(result.pairs.row_x // 2, result.pairs.barcode)


def test_same_seed_same_numbers_and_no_global_state():
    x, y = gaussian(100, 5, 1.0, 0)
    before = np.random.get_state()[1].copy()
    first, second, other = (sm.lmi(x, y, preset=FAST, rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pmi, second.pmi)
    assert first.mi != other.mi
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_same_numbers_however_many_jobs_and_wherever_they_run():
    import joblib
    import torch

    x, y = gaussian(100, 5, 1.0, 0)
    threads = torch.get_num_threads()
    alone = sm.lmi(x, y, preset=FAST, n_jobs=1)
    np.testing.assert_array_equal(sm.lmi(x, y, preset=FAST, n_jobs=2).pmi, alone.pmi)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        np.testing.assert_array_equal(sm.lmi(x, y, preset=FAST, n_jobs=2).pmi, alone.pmi)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_array, np.asfortranarray, pd.DataFrame, np.ndarray.tolist])
def test_forms_of_input_agree(form):
    x, y = gaussian(60, 5, 1.0, 0)
    expected = sm.lmi(x, y, preset=FAST)
    np.testing.assert_allclose(sm.lmi(form(x), y, preset=FAST).pmi, expected.pmi)


def test_inputs_are_left_alone():
    x, y = gaussian(60, 5, 1.0, 0)
    before = x.copy(), y.copy()
    sm.lmi(x, y, preset=FAST)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    x.flags.writeable = y.flags.writeable = False
    assert np.isfinite(sm.lmi(x, y, preset=FAST).pmi).all()


def test_estimator_follows_scikit_learn():
    x, y = gaussian(100, 5, 1.0, 0)
    model = sm.LMI(n_latent=3, preset=FAST)
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


def test_new_pairs_and_predictions():
    x, y = gaussian(2000, 5, 2.0, 0)
    model = sm.LMI(rng=0, preset=Settings(hidden=(32, 16), max_steps=100), n_permutations=0).fit(x, y)
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


def test_copies_are_warned_of_with_their_count():
    x, y = gaussian(60, 5, 1.0, 0)
    x[:3], y[:3] = x[5], y[5]
    with pytest.warns(UserWarning, match="3 of 60 joint samples are exact copies") as record:
        sm.lmi(x, y, preset=FAST)
    assert record[0].filename == __file__


def test_copies_on_one_side_only_are_no_copies(recwarn):
    x, y = gaussian(60, 5, 1.0, 0)
    x[:3] = x[5]
    sm.lmi(x, y, preset=FAST)
    assert not [warning for warning in recwarn if "copies" in str(warning.message)]


def test_constant_columns_are_fine():
    x, y = gaussian(60, 5, 1.0, 0)
    x[:, 1:3] = 5.0
    assert np.isfinite(sm.lmi(x, y, preset=FAST).pmi).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, y: (x[:-1], y), ValueError, "x has 59 rows, but y has 60"),
        (lambda x, y: (x[:10], y[:10]), ValueError, "Only 10 pairs .* at least 20"),
        (lambda x, y: (x, y[:, :0]), ValueError, "y has shape"),
        (lambda x, y: (np.where(x > 2, np.inf, x), y), ValueError, "x has .* infinite values"),
        (lambda x, y: (x, sp.csr_array(np.where(y > 1, np.nan, y))), ValueError, "y has .* NaN"),
        (lambda x, y: (x.astype(str), y), TypeError, "expected numbers"),
    ],
)
def test_bad_arrays(change, error, message):
    x, y = change(*gaussian(60, 5, 1.0, 0))
    with pytest.raises(error, match=message):
        sm.lmi(x, y)


def test_bad_arguments():
    x, y = gaussian(60, 5, 1.0, 0)
    with pytest.raises(ValueError, match="one label per row"):
        sm.lmi(x, y, groups=np.zeros(3))
    with pytest.raises(ValueError, match="60 of 60 pairs belong to one group"):
        sm.lmi(x, y, groups=np.zeros(60))
    with pytest.raises(ValueError, match="preset='slow'"):
        sm.lmi(x, y, preset="slow")


def test_unpaired_rows_teach(FAST):
    """Six programs of 300 columns, 60 pairs, 1,000 cells a side without a partner."""
    rng = np.random.default_rng(0)
    program = rng.normal(size=(6, 300))
    shared = rng.normal(size=(60, 6))
    x, y, x_more, y_more = (
        z @ program + 6 * rng.normal(size=(len(z), 300)) for z in (shared, shared, *rng.normal(size=(2, 1000, 6)))
    )
    with_more = sm.LMI(preset=replace(FAST, closed_form=False), rng=0).fit(x, y, x_unpaired=x_more, y_unpaired=y_more)
    alone = sm.LMI(preset=replace(FAST, closed_form=False), rng=0).fit(x, y)
    assert with_more.result_.pmi.shape == with_more.result_.pairs.row_x.shape == (60,)
    assert with_more.result_.z_x.shape[0] == 60

    def captured(model):
        # Share of the programs' variance that the components of the first fold keep.
        layer = model.models_[0].model.encoder_x[0].weights[0].numpy() * model.models_[0].scale_x.factor
        basis = np.linalg.svd(layer, full_matrices=False)[2]
        return np.sum((program @ basis.T) ** 2) / np.sum(program**2)

    assert captured(with_more) > captured(alone) + 0.2
    # Sparse rows beside dense ones; one side alone.
    again = sm.lmi(x, y, x_unpaired=sp.csr_matrix(x_more), preset=FAST, rng=0)
    assert np.array_equal(again.pmi, sm.lmi(x, y, x_unpaired=x_more, preset=FAST, rng=0).pmi)
    with pytest.raises(ValueError, match="x_unpaired has 2 columns, but x has 300"):
        sm.lmi(x, y, x_unpaired=x[:, :2], preset=FAST)
    with pytest.raises(ValueError, match="y_unpaired"):
        sm.lmi(x, y, y_unpaired=np.full((3, 300), np.nan), preset=FAST)
