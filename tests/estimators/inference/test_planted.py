"""A planted bug surfaces as itself: only too few pairs are ever turned into a missing value."""

import numpy as np
import pytest

import scmi as sm
from scmi.estimators import HeldOut, Settings, TooFew, local_permutation_test
from scmi.estimators.crossfit import cross_fit
from scmi.estimators.inference.comparison import compare
from scmi.estimators.inputs.pairing import rowwise

FAST = Settings(hidden=(16,), max_steps=5, patience=5, closed_form=False)
MODEL = sm.LMI(preset=FAST, n_latent=2, n_permutations=9, device="cpu", n_jobs=1)


def sides(n=80):
    x, noise = np.random.default_rng(0).normal(size=(2, n, 2))
    return x, x + noise


@pytest.fixture
def plant(monkeypatch):
    """Make a function of `scmi.estimators.inference` raise what is given."""

    def planted(where, error):
        def fail(*args, **kwargs):
            raise error

        monkeypatch.setattr(f"scmi.estimators.inference.{where}", fail)

    return planted


# Where it is raised, how the estimate comes there, and what it then leaves out.
PLACES = {
    "permutation.permuted_sums": ({}, "p"),
    "subsampling._means": ({}, "se"),
    "interval.drift_check": ({}, "se"),
    "retraining.with_partners": ({"null": "retrain"}, "p"),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_bug_in_an_estimate(where, plant):
    options, _ = PLACES[where]
    plant(where, ValueError("planted"))
    with pytest.raises(ValueError, match="^planted$"):
        sm.lmi(*sides(), preset=FAST, n_permutations=9, **options)


@pytest.mark.parametrize("where", [where for where in PLACES if where != "interval.drift_check"])
def test_too_few_for_an_estimate_is_a_reason(where, plant):
    options, name = PLACES[where]
    plant(where, TooFew("seven are too few"))
    result = sm.lmi(*sides(), preset=FAST, n_permutations=9, **options)
    assert result.missing == {name: "seven are too few"}
    assert np.isnan(getattr(result, name))
    # The other of the two is not touched.
    assert np.isfinite(result.p if name == "se" else result.se)
    assert np.isfinite(result.mi)


def test_a_bug_in_a_comparison(plant):
    estimate = cross_fit(*sides(), rowwise(80), MODEL, rng=np.random.default_rng(0), progress=lambda done, loss: None)
    plant("comparison.subsampling_error", TooFew("seven are too few"))
    found = compare(estimate, estimate, paired=True, rng=np.random.default_rng(0))
    assert np.isnan([found.se, found.p, *found.ci]).all()
    assert found.missing == "seven are too few"
    plant("comparison.subsampling_error", ValueError("planted"))
    with pytest.raises(ValueError, match="^planted$"):
        compare(estimate, estimate, paired=True, rng=np.random.default_rng(0))


@pytest.mark.parametrize("where", ["conditional.conditional_bits", "conditional.local_permutation"])
def test_a_bug_in_the_test_given_a_covariate(where, plant):
    plant(where, ValueError("planted"))
    x, y = sides()
    with pytest.raises(ValueError, match="^planted$"):
        local_permutation_test([HeldOut(x, y)], [x[:, 0]], n_permutations=9, rng=0)


# So few pairs can hold little more than these share.
@pytest.mark.filterwarnings("ignore:.*nearly deterministic:UserWarning")
def test_too_few_pairs_are_missing_by_themselves():
    x, y = sides(24)
    result = sm.lmi(x, y, groups=np.arange(24) // 5, preset=FAST, n_permutations=9)
    assert np.isnan([result.se, result.p, *result.ci]).all()
    assert "can't be cut into two subsets" in result.missing["se"]
    assert "groups of pairs, but k=3 needs at least 4" in result.missing["p"]
    with pytest.raises(TooFew, match="Only 19 pairs"):
        sm.lmi(x[:19], y[:19])
