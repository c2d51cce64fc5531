"""The face of the package: what is named there exists, is loaded when it is asked for, and costs nothing before."""

import subprocess
import sys

import pytest

from scmi import estimators


def test_every_name_leads_somewhere():
    assert estimators.__all__ == sorted(estimators.__all__, key=lambda name: (not name.isupper(), name))
    assert set(estimators.__all__) == set(estimators._HOME)
    assert dir(estimators) == sorted(estimators.__all__)
    for name in estimators.__all__:
        value = getattr(estimators, name)
        if callable(value):
            assert value.__module__ == f"scmi.estimators.{estimators._HOME[name]}"


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'scmi.estimators' has no attribute 'estimate'"):
        _ = estimators.estimate


@pytest.mark.slow
def test_torch_waits_until_a_model_is_trained():
    code = (
        "import sys, numpy as np, scmi as sm; from scmi.estimators import HeldOut, Settings, permutation_test;"
        "permutation_test([HeldOut(*np.random.default_rng(0).normal(size=(2, 30, 2)))], n_permutations=9);"
        "sm.LMI(k=5).check(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
