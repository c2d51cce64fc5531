"""Two estimates of the same barcodes: the difference is that of closed forms, and its error shrinks by what both share."""

import numpy as np
import pytest

from scmi.estimators.comparison import Arm, compare
from scmi.estimators.pairing import Pairing, rowwise
from scmi.estimators.plan import Plan
from scmi.estimators.settings import Settings

PLAN = Plan(
    settings=Settings(hidden=(16,), max_steps=20, patience=10), n_latent=1, objective="cross", device="cpu", n_jobs=1
)


def arms(n=400):
    """Two noisy looks at one variable, 0.5 and 1.5 bits."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(n, 1))
    noise = rng.normal(size=(n, 1))
    weak, strong = (y + noise / np.sqrt(4**bits - 1) for bits in (0.5, 1.5))
    return [Arm(x=x, y=y, pairing=rowwise(n)) for x in (weak, strong)]


def run(first, second, *, paired=True):
    rng = np.random.default_rng(0)
    return compare(first, second, plan=PLAN, paired=paired, rng=rng, progress=lambda done, loss: None)


def test_difference():
    weak, strong = arms()
    there, back = run(weak, strong), run(strong, weak)
    # At 400 pairs the spread of an estimate is .05 bit.
    assert there.difference == pytest.approx(1.0, abs=0.2)
    assert there.difference == there.second.mi - there.first.mi == -back.difference
    assert there.p < 1e-6
    assert back.p > 1 - 1e-6
    assert there.ci == pytest.approx(
        (there.difference - 1.645 * there.se, there.difference + 1.645 * there.se), abs=1e-4
    )
    np.testing.assert_array_equal(there.first.fold, there.second.fold)


def test_paired_error_is_smaller():
    weak, strong = arms()
    paired, apart = run(weak, strong), run(weak, strong, paired=False)
    assert apart.se == pytest.approx(np.hypot(apart.first.se, apart.second.se))
    # Both looks share y and the noise.
    assert paired.se < 0.9 * apart.se


def test_an_estimate_differs_from_itself_by_nothing():
    weak, _ = arms()
    same = run(weak, weak)
    assert (same.difference, same.se) == (0, 0)


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_too_few_pairs_have_a_reason():
    small = [Arm(x=arm.x[:24], y=arm.y[:24], pairing=rowwise(24)) for arm in arms()]
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
    first = Arm(x=x, y=y, pairing=pairing)
    second = Arm(x=x, y=y, pairing=Pairing(*[np.arange(n + 1), np.arange(n)] * 2, tied))
    assert len(run(first, second).first.pairs.barcode) == n - 1
    assert run(first, second).se > 0


def test_taking_barcodes_of_a_pairing():
    pairing = Pairing(np.array([0, 2, 3, 6]), np.arange(6), np.array([0, 1, 3, 4]), np.arange(10, 14), np.arange(3))
    taken = pairing.take(np.array([2, 0]), np.array([7, 8]))
    assert taken.indptr_x.tolist() == [0, 3, 5]
    assert taken.rows_x.tolist() == [3, 4, 5, 0, 1]
    assert taken.rows_y.tolist() == [13, 10]
    assert taken.groups.tolist() == [7, 8]
