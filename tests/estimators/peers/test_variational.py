"""MINE and InfoNCE are right on Gaussians, 0 at independence, judged on unseen samples, and repeatable."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import scmi as sm
from scmi.estimators import CRITIC, TooFew
from scmi.estimators.result import MIResult

FAST = replace(CRITIC, batch_size=64, max_steps=150, check_every=50, patience=100)
TINY = replace(FAST, max_steps=20, check_every=10)
BOTH = pytest.mark.parametrize("estimate", [sm.mine, sm.infonce], ids=["mine", "infonce"])


def gaussian(n, bits, seed):
    """One column each."""
    rho = np.sqrt(1 - 2 ** (-2 * bits))
    return np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], n).T


@BOTH
def test_one_bit(estimate):
    x, y = gaussian(2000, 1.0, 0)
    # Over 8 seeds: .92 (sd .02) for MINE and .96 (.02) for InfoNCE. Both are lower bounds.
    assert estimate(x, y, settings=FAST).mi == pytest.approx(0.94, abs=0.1)


@BOTH
def test_independence(estimate):
    # Over 8 seeds: -.015 to .001.
    values = [estimate(*gaussian(1000, 0.0, seed), settings=FAST, rng=seed).mi for seed in range(3)]
    np.testing.assert_allclose(values, 0, atol=0.05)


@BOTH
def test_pmi_is_that_of_the_pair(estimate):
    """Closed form: log2 of N(x, y; rho) / (N(x) N(y))."""
    x, y = gaussian(2000, 1.0, 1)
    rho2 = 1 - 2**-2
    rho = np.sqrt(rho2)
    truth = 1 - (rho2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho2) * np.log(2))
    result = estimate(x, y, settings=FAST)
    assert np.isfinite(result.pmi).all()
    assert result.mi == pytest.approx(result.pmi.mean())
    assert np.corrcoef(result.pmi, truth)[0, 1] > 0.8


@pytest.mark.slow
@BOTH
def test_symmetries(estimate):
    """Sides may be swapped and rows permuted, up to the spread of another training; columns scaled, exactly."""
    x, y = gaussian(2000, 1.0, 2)
    mi = estimate(x, y, settings=FAST).mi
    order = np.random.default_rng(0).permutation(len(x))
    assert estimate(y, x, settings=FAST).mi == pytest.approx(mi, abs=0.1)
    assert estimate(x[order], y[order], settings=FAST).mi == pytest.approx(mi, abs=0.1)
    # Powers of 2 keep every digit.
    assert estimate(1024 * x, y / 64, settings=FAST).mi == mi


@BOTH
def test_what_is_estimated_was_never_seen(estimate):
    """Tampering with the held-out half of y changes neither the training nor the other fold's values."""
    x, y = gaussian(400, 1.0, 0)
    result = estimate(x, y, settings=replace(FAST, cross_fit=False))
    held_out = result.fold == 0
    assert held_out.sum() == 200
    np.testing.assert_array_equal(np.isnan(result.pmi), ~held_out)
    tampered = np.where(held_out, 100 * y[::-1], y)
    other = estimate(x, tampered, settings=replace(FAST, cross_fit=False))
    np.testing.assert_array_equal(other.history[0].validation, result.history[0].validation)
    assert other.mi < result.mi - 0.3


@BOTH
def test_noise_is_not_learned_by_heart(estimate):
    """Many columns and few samples: a critic that knows its training pairs by heart gains nothing by it."""
    x, y = np.random.default_rng(0).normal(size=(2, 200, 50))
    result = estimate(x, y, settings=FAST)
    assert max(-history.train.min() for history in result.history) > 0.5
    assert result.mi < 0.1


@BOTH
def test_a_critic_that_learns_nothing_says_nothing(estimate):
    x, y = np.random.default_rng(1).normal(size=(2, 200, 50))
    result = estimate(x, y, settings=FAST)
    assert [history.best_step for history in result.history] == [0, 0]
    assert result.mi == 0
    np.testing.assert_array_equal(result.pmi, 0)


@BOTH
def test_repeatable_and_global_state_untouched(estimate):
    x, y = gaussian(300, 1.0, 0)
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1]
    results = [estimate(x, y, settings=TINY, rng=5, n_jobs=n_jobs) for n_jobs in (1, 2)]
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])
    torch.manual_seed(1)
    results.append(estimate(x, y, settings=TINY, rng=5))
    for result in results[1:]:
        np.testing.assert_array_equal(result.pmi, results[0].pmi)
    assert estimate(x, y, settings=TINY, rng=6).mi != results[0].mi


@BOTH
def test_sparse_is_dense(estimate):
    x, y = gaussian(300, 1.0, 0)
    x, y = (np.where(side > 0, side, 0)[:, None] for side in (x, y))
    sparse = estimate(sp.csc_matrix(x), sp.csr_array(y), settings=TINY)
    assert sparse.mi == pytest.approx(estimate(x, y, settings=TINY).mi, abs=1e-3)


@BOTH
def test_groups_never_part(estimate):
    x, y = gaussian(300, 1.0, 0)
    groups = np.repeat(np.arange(30), 10)
    result = estimate(x, y, groups=groups, settings=TINY)
    assert all(len(set(result.fold[groups == group])) == 1 for group in range(30))


@BOTH
@pytest.mark.parametrize("sizes", [[10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [12, 8], [9, 1, 9, 1]])
def test_few_uneven_groups_are_enough(estimate, sizes):
    x, y = gaussian(sum(sizes), 1.0, 0)
    for seed in range(3):
        result = estimate(x, y, groups=np.repeat(np.arange(len(sizes)), sizes), settings=TINY, rng=seed)
        assert np.isfinite(result.pmi).all()


@BOTH
def test_result(estimate):
    result = estimate(*gaussian(100, 1.0, 0), settings=TINY)
    assert isinstance(result, MIResult)
    assert str(result) == repr(result) == f"{result.mi:.2f} bits, 100 pairs"
    assert result.params["estimator"] == estimate.__name__
    assert result.params["hidden"] == [16, 8]
    for history in result.history:
        assert history.step[0] == history.validation[0] == 0
        assert history.validation.min() == history.validation[history.step == history.best_step][0]


@BOTH
def test_errors_come_before_training(estimate):
    x, y = gaussian(100, 1.0, 0)
    with pytest.raises(ValueError, match="x has 100 rows, but y has 99"):
        estimate(x, y[:-1])
    with pytest.raises(ValueError, match="y has 1 NaN or infinite values, the first in row 3"):
        estimate(x, np.where(np.arange(100) == 3, np.inf, y))
    with pytest.raises(TypeError, match="x holds values of type"):
        estimate(x.astype(str), y)
    with pytest.raises(TooFew, match="Only 19 pairs"):
        estimate(x[:19], y[:19])
    with pytest.raises(ValueError, match=r"groups has shape \(99,\)"):
        estimate(x, y, groups=np.arange(99))
    with pytest.raises(TypeError, match="`settings` must be a Settings, got str"):
        estimate(x, y, settings="paper")
    with pytest.raises(ValueError, match="not a torch device"):
        estimate(x, y, device="abacus")
