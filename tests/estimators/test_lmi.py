"""The estimate is right on Gaussians, 0 at independence, and repeatable.

Accuracy at full size (2,000 samples, 100 and 1,000 dimensions, five seeds) is measured in ``tests/benchmarks``.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import scmi as sm
from scmi.estimators import Settings, TooFew

FAST = Settings(hidden=(16,), max_steps=20, patience=20)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


@pytest.mark.slow
def test_gaussian_at_the_defaults():
    dependent, independent = (sm.lmi(*gaussian(600, 40, bits, 0), rng=0, n_permutations=0).mi for bits in (1.0, 0.0))
    # Over 8 seeds: .97 (standard deviation .05), and .00 (.04).
    assert dependent == pytest.approx(0.97, abs=0.16)
    assert independent == pytest.approx(0, abs=0.12)


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


@pytest.mark.slow
def test_paper_preset_runs():
    result = sm.lmi(*gaussian(80, 10, 1.0, 0), preset="paper", rng=0)
    assert result.params["hidden"] == [1024, 512, 256]
    assert result.history[0].step[-1] <= 300
    assert np.isfinite(result.mi)


@pytest.mark.slow
def test_same_seed_same_numbers_and_no_global_state():
    x, y = gaussian(100, 5, 1.0, 0)
    before = np.random.get_state()[1].copy()
    first, second, other = (sm.lmi(x, y, preset=FAST, rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pmi, second.pmi)
    assert first.mi != other.mi
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.slow
def test_same_numbers_however_many_jobs_and_wherever_they_run():
    import joblib
    import torch

    x, y = gaussian(100, 5, 1.0, 0)
    threads = torch.get_num_threads()
    alone = sm.lmi(x, y, preset=FAST, n_splits=2, n_jobs=1)
    np.testing.assert_array_equal(sm.lmi(x, y, preset=FAST, n_splits=2, n_jobs=2).pmi, alone.pmi)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        np.testing.assert_array_equal(sm.lmi(x, y, preset=FAST, n_splits=2, n_jobs=2).pmi, alone.pmi)
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_results_are_ready_for_json_whatever_kind_of_numbers_were_given():
    x, y = gaussian(60, 5, 1.0, 0)
    settings = Settings(
        hidden=(np.int64(16),),
        max_steps=np.int32(10),
        patience=np.int64(10),
        batch_size=np.uint16(64),
        learning_rate=np.float32(0.5),
        validation=np.float64(0.25),
    )
    options = {"k": np.int64(3), "n_latent": np.int8(2), "n_permutations": np.int64(9), "lam": np.float32(0.5)}
    for result in (
        sm.lmi(x, y, preset=settings, rng=np.int64(0), n_jobs=np.int64(1), **options),
        sm.mine(x, y, settings=settings),
    ):
        row = json.loads(json.dumps(result.to_dict()))
        # NaN is no number to JSON, and may be missing here.
        assert {name: value for name, value in row.items() if value == value} == {
            name: value for name, value in result.to_dict().items() if value == value
        }
        assert (row["hidden"], row["max_steps"], row["learning_rate"]) == ([16], 10, 0.5)
    plain = sm.lmi(x, y, preset=settings, **{name: value.item() for name, value in options.items()})
    assert plain.params == sm.lmi(x, y, preset=settings, **options).params


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


def test_bad_arguments():
    x, y = gaussian(60, 5, 1.0, 0)
    with pytest.raises(ValueError, match=r"groups has shape \(3,\); expected one label for each of 60 pairs"):
        sm.lmi(x, y, groups=np.zeros(3))
    with pytest.raises(TooFew, match="60 of 60 pairs belong to one group"):
        sm.lmi(x, y, groups=np.zeros(60))
    with pytest.raises(ValueError, match="preset='slow'"):
        sm.lmi(x, y, preset="slow")
    with pytest.raises(TypeError, match="neighbours"):
        sm.lmi(x, y, neighbours=3)


@pytest.mark.slow
def test_unpaired_rows_teach(FAST):
    """Six programs of 300 columns, 60 pairs, 1,000 cells a side without a partner."""
    rng = np.random.default_rng(0)
    program = rng.normal(size=(6, 300))
    shared = rng.normal(size=(60, 6))
    x, y, x_more, y_more = (
        z @ program + 6 * rng.normal(size=(len(z), 300)) for z in (shared, shared, *rng.normal(size=(2, 1000, 6)))
    )
    with_more = sm.LMI(preset=replace(FAST, closed_form=False), n_splits=1, rng=0).fit(
        x, y, x_unpaired=x_more, y_unpaired=y_more
    )
    alone = sm.LMI(preset=replace(FAST, closed_form=False), n_splits=1, rng=0).fit(x, y)
    assert with_more.result_.pmi.shape == with_more.result_.pairs.row_x.shape == (60,)
    assert with_more.result_.z_x.shape[0] == 60

    def captured(model):
        # Share of the programs' variance that the components of the first fold keep.
        layer = model.folds_[0].model.encoder_x[0].weights[0].numpy() * model.folds_[0].scale_x.factor
        basis = np.linalg.svd(layer, full_matrices=False)[2]
        return np.sum((program @ basis.T) ** 2) / np.sum(program**2)

    assert captured(with_more) > captured(alone) + 0.2
    # Sparse rows beside dense ones; one side alone.
    again = sm.lmi(x, y, x_unpaired=sp.csr_matrix(x_more), preset=FAST, n_splits=1, rng=0)
    assert np.array_equal(again.pmi, sm.lmi(x, y, x_unpaired=x_more, preset=FAST, n_splits=1, rng=0).pmi)
    with pytest.raises(ValueError, match="x_unpaired has 2 columns, but x has 300"):
        sm.lmi(x, y, x_unpaired=x[:, :2], preset=FAST)
    with pytest.raises(ValueError, match="y_unpaired"):
        sm.lmi(x, y, y_unpaired=np.full((3, 300), np.nan), preset=FAST)
