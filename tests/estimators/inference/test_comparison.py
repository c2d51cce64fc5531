"""Two estimates of the same barcodes: their difference is that of closed forms, its error less by what both share."""

from dataclasses import replace

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import Settings
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.comparison import compare
from scmi.estimators.inputs.pairing import Pairing, rowwise

MODEL = sm.LMI(
    preset=Settings(hidden=(16,), max_steps=20, patience=10),
    n_latent=1,
    objective="cross",
    n_pairings=1,
    n_permutations=9,
    device="cpu",
    n_jobs=1,
)


def silent(done, loss):
    """Report to nobody."""


def arms(n=400):
    """Two noisy looks at one variable, 0.5 and 1.5 bits."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(n, 1))
    noise = rng.normal(size=(n, 1))
    weak, strong = (y + noise / np.sqrt(4**bits - 1) for bits in (0.5, 1.5))
    return [(x, y, rowwise(n)) for x in (weak, strong)]


def estimated(*arms, **options):
    """All with the same seed, so that the same barcodes are held out together."""
    return [cross_fit(*arm, MODEL, rng=np.random.default_rng(0), progress=silent, **options) for arm in arms]


def compared(first, second, *, paired=True):
    return compare(first, second, paired=paired, rng=np.random.default_rng(1))


def run(first, second, *, paired=True, **options):
    return compared(*estimated(first, second, **options), paired=paired)


@pytest.mark.slow
def test_difference():
    weak, strong = estimated(*arms())
    there, back = compared(weak, strong), compared(strong, weak)
    # At 400 pairs the spread of an estimate is .05 bit.
    assert there.difference == pytest.approx(1.0, abs=0.2)
    assert there.difference == there.second.mi_ksg - there.first.mi_ksg == -back.difference
    assert there.p < 1e-6
    assert back.p > 1 - 1e-6
    assert there.ci == pytest.approx(
        (there.difference - 1.645 * there.se, there.difference + 1.645 * there.se), abs=1e-4
    )
    np.testing.assert_array_equal(there.first.fold, there.second.fold)
    # Both looks share y and the noise.
    apart = compared(weak, strong, paired=False)
    assert apart.se == pytest.approx(np.hypot(apart.first.se, apart.second.se))
    assert there.se < 0.9 * apart.se


@pytest.mark.slow
def test_an_estimate_differs_from_itself_by_nothing():
    weak, _ = arms()
    same = run(weak, weak)
    assert (same.difference, same.se) == (0, 0)


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_too_few_pairs_have_a_reason():
    small = [(x[:24], y[:24], rowwise(24)) for x, y, _ in arms()]
    for paired in (True, False):
        result = run(*small, paired=paired)
        assert np.isnan([result.se, result.p, *result.ci]).all()
        assert "can't be cut into two subsets" in result.missing


def test_barcodes_that_share_cells_are_aligned():
    """Barcodes 0 and 1 are in the same cells of one arm, where their couple is drawn once only."""
    n = 60
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, 2))
    tied = np.r_[0, 0, np.arange(2, n)]
    pairing = Pairing(np.arange(n + 1), tied, np.arange(n + 1), tied, tied)
    first, second = (x, y, pairing), (x, y, Pairing(*[np.arange(n + 1), np.arange(n)] * 2, tied))
    found = run(first, second)
    assert len(found.first.pairs.barcode) == n - 1
    assert found.se > 0


def test_several_pairings_add_their_error():
    n = 200
    x, y = np.random.default_rng(0).normal(size=(2, 2 * n, 1))
    y += x
    indptr, rows = np.arange(0, 2 * n + 1, 2), np.arange(2 * n)
    clones = Pairing(indptr, rows, indptr, rows, np.arange(n))
    # The second look has lost the cells that go together; the same cells are drawn in both.
    found = run((x, y, clones), (x, y[::-1], clones), n_pairings=5)
    by_pairing = found.second.mi_by_pairing - found.first.mi_by_pairing
    assert len(by_pairing) == 5
    assert found.difference == pytest.approx(by_pairing.mean())
    assert found.se > np.std(by_pairing, ddof=1) / np.sqrt(5) > 0


def test_a_correction_of_one_does_not_look_like_a_difference():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6))
    y = x + rng.normal(size=x.shape)
    arm = (x, y, rowwise(600))
    result, folds = cross_fit(
        *arm, sm.LMI(preset=MODEL.preset, n_splits=1, n_latent=6, n_permutations=0), rng=rng, progress=silent
    )
    bare = replace(result, mi=result.mi_ksg, corrected=False)
    assert result.corrected and result.mi > result.mi_ksg + 0.1
    assert compare((bare, folds), (result, folds), paired=True, rng=rng).difference == 0
