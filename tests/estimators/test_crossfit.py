"""Each pair is estimated by the models that never saw it, and nothing of its pairing leaks to them."""

from dataclasses import replace

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import Settings
from scmi.estimators import crossfit as module
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.interval import uncertainty
from scmi.estimators.inputs.pairing import Pairing, rowwise
from scmi.estimators.latent.network import fit_network

FAST = Settings(hidden=(16,), max_steps=20, patience=20)


def gaussian(n, d, bits, seed):
    sample = sm.datasets.gaussian(n, d, bits=bits, rng=seed)
    return sample.x, sample.y


def run(x, y, pairing, settings=FAST, n_pairings=1, **options):
    model = sm.LMI(preset=settings, n_splits=1, n_latent=4, n_permutations=19, device="cpu", n_jobs=1)
    options = {"rng": np.random.default_rng(0), "progress": lambda done, loss: None, **options}
    return cross_fit(x, y, pairing, model, n_pairings=n_pairings, **options)


def test_every_row_gets_its_value_from_the_fold_that_had_not_seen_it():
    x, y = gaussian(200, 6, 1.0, 0)
    result, folds = run(x, y, rowwise(200))
    assert np.isfinite(result.pmi).all()
    assert result.mi_ksg == pytest.approx(result.pmi.mean())
    assert sorted(np.bincount(result.fold)) == [100, 100]
    for number, fold in enumerate(folds):
        held_out = np.flatnonzero(result.fold == number)
        np.testing.assert_array_equal(fold.held_out.x, fold.encode_x(x[held_out]))
        np.testing.assert_array_equal(fold.held_out.y, fold.encode_y(y[held_out]))
        np.testing.assert_array_equal(fold.pairs.row_x, held_out)
        pmi = sm.ksg(fold.encode_x(x[held_out]), fold.encode_y(y[held_out]), metric="euclidean")
        np.testing.assert_allclose(result.pmi[held_out], pmi)


def test_scales_and_weights_ignore_the_estimated_pairing():
    """Who is paired with whom in the held-out half changes nothing that was learned for it.

    Its rows take part in the scales and principal components, without their partners; in another order they round
    differently.
    """
    x, y = gaussian(200, 6, 1.0, 0)
    result, folds = run(x, y, rowwise(200))
    held_out = np.flatnonzero(result.fold == 0)
    tampered = y.copy()
    tampered[held_out] = y[held_out[::-1]]
    _, others = run(x, tampered, rowwise(200))
    np.testing.assert_allclose(folds[0].scale_y.mean, others[0].scale_y.mean, atol=1e-12)
    np.testing.assert_allclose(folds[0].encode_y(y), others[0].encode_y(y), atol=0.02)


def test_groups_never_part_between_fitting_stopping_and_estimating(monkeypatch):
    groups, seen = np.random.default_rng(0).integers(0, 40, 200), []
    pairing = rowwise(200, groups)

    def spied(x, y, draw, validation, **options):
        seen.append((set(groups[draw(np.random.default_rng(0)).barcode]), set(groups[validation.barcode])))
        return fit_network(x, y, draw, validation, **options)

    monkeypatch.setattr("scmi.estimators.latent.network.fit_network", spied)
    _, folds = run(*gaussian(200, 6, 1.0, 0), pairing, replace(FAST, closed_form=False))
    for (fitted, stopped), fold in zip(seen, folds, strict=True):
        estimated = set(groups[fold.pairs.barcode])
        assert min(map(len, (fitted, stopped, estimated))) > 0
        assert not fitted & stopped and not fitted & estimated and not stopped & estimated


def test_single_split_estimates_half_and_leaves_the_rest_missing():
    x, y = gaussian(200, 5, 1.0, 0)
    settings = Settings(hidden=(16,), max_steps=5, cross_fit=False)
    result, folds = run(x, y, rowwise(200), settings)
    assert len(folds) == 1
    assert np.isnan(result.pmi).sum() == 100
    np.testing.assert_array_equal(np.isnan(result.pmi), result.fold == -1)
    assert result.mi_ksg == pytest.approx(np.nanmean(result.pmi))
    assert result.n_pairs == 100


def test_many_pairings_of_clones():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 120, 5))
    indptr = np.arange(0, 121, 2)
    pairing = Pairing(indptr, np.arange(120), indptr, np.arange(120), np.arange(60))
    result, _ = run(x, y, pairing, n_pairings=7)
    assert result.n_pairs == 60
    assert len(result.mi_by_pairing) == 7
    assert result.mi_ksg == pytest.approx(result.mi_by_pairing.mean())
    np.testing.assert_array_equal(result.pairs.row_x // 2, result.pairs.barcode)


@pytest.mark.slow
def test_mi_is_the_number_to_report():
    x, y = gaussian(600, 40, 1.0, 0)
    wide, noise = np.random.default_rng(0).normal(size=(2, 600, 6))
    plain, _ = run(x, y, rowwise(600))
    spread, _ = run(wide, wide + noise, rowwise(600), replace(FAST, max_steps=1))
    for result, corrected in ((plain, False), (spread, True)):
        assert result.corrected is corrected
        assert result.correction.startswith("applied" if corrected else "not applied")
        assert (result.mi != result.mi_ksg) is corrected
        assert result.ci == pytest.approx((result.mi - 1.645 * result.se, result.mi + 1.645 * result.se), abs=1e-4)
        assert result.to_dict()["mi_ksg"] == pytest.approx(result.pmi.mean())


def test_pairs_beyond_what_ksg_bears_are_estimated_in_batches(monkeypatch):
    x, y = gaussian(400, 6, 1.0, 0)
    whole, _ = run(x, y, rowwise(400))
    monkeypatch.setattr(module, "KSG_PAIRS", 70)
    parts, folds = run(x, y, rowwise(400))
    # 200 pairs of a fold in three batches of 66 and 67, whose values hang together as those of one sample.
    assert np.isfinite(parts.pmi).all()
    assert (parts.pmi != whole.pmi).mean() > 0.9
    # At 67 pairs KSG of one latent space is less by some .1 bit.
    assert parts.mi_ksg == pytest.approx(whole.mi_ksg, abs=0.3)
    assert len(folds[0].held_out) == 200


@pytest.mark.slow
def test_progress_counts_all_trainings():
    x, y = gaussian(80, 5, 1.0, 0)
    model = sm.LMI(preset=replace(FAST, closed_form=False), null="retrain", n_permutations=3, n_retrain=2, n_jobs=1)
    seen = []
    cross_fit(x, y, rowwise(80), model, rng=np.random.default_rng(0), progress=lambda done, loss: seen.append(done))
    assert seen == sorted(seen)
    # Two folds of the estimate, of two more trainings, and of the null: three permutations and the tested barcodes.
    assert seen[-1] == model.n_trainings == 14


def test_progress_is_not_at_its_end_before_the_work_is(monkeypatch):
    """The permutations take a sixth of the time, and the bar stood at 100 % meanwhile."""
    x, y = gaussian(80, 5, 1.0, 0)
    seen, at = [], []

    def tested(*args, **options):
        at.append(seen[-1])
        return uncertainty(*args, **options)

    monkeypatch.setattr(module, "uncertainty", tested)
    model = sm.LMI(preset=FAST, n_permutations=9)
    cross_fit(x, y, rowwise(80), model, rng=np.random.default_rng(0), progress=lambda done, loss: seen.append(done))
    assert at == [pytest.approx(0.85 * 2)]
    assert seen == sorted(seen) and seen[-1] == 2


def test_params_tell_how_to_do_it_again():
    result, folds = run(*gaussian(80, 30, 1.0, 0), rowwise(80), replace(FAST, hidden=(16, 8)))
    assert result.params["n_latent"] == [fold.n_latent for fold in folds] == [4, 4]
    assert result.params["latent_model"] == [fold.model.kind for fold in folds]
    assert (result.params["n_pairings"], result.params["n_permutations"]) == (1, 19)
    assert (result.params["k"], result.params["metric"], result.params["hidden"]) == (3, "euclidean", [16, 8])
    assert (result.params["device"], result.params["version"]) == ("cpu", sm.__version__)
