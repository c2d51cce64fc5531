"""An estimate is stored whole or not at all: an interrupt leaves every object as it was."""

import sys

import pytest

import scmi as sm
from tests._interrupts import interrupted_at, state


@pytest.mark.slow
def test_an_interrupted_estimate(days, quick_lmi):
    """The whole of `store`, where both objects hold an earlier estimate and what was derived from it."""
    from scmi.tl import _stored

    model = quick_lmi(n_permutations=0)
    sm.tl.lmi(*days, pair_key="clone", model=model)
    sm.tl.gene_information(days[1])
    before = [state(day) for day in days]
    other = quick_lmi(n_permutations=0, k=5)

    def again():
        sm.tl.lmi(*copies, pair_key="clone", model=other)

    copies = [day.copy() for day in days]
    n_lines = interrupted_at(again, None, "_stored.py")
    after = [state(day) for day in copies]
    assert before != after
    kept = {}

    def keep(*args):
        kept["args"] = args

    # Trained once; stored many times.
    original, _lmi = _stored.store, sys.modules["scmi.tl._lmi"]
    _lmi.store = keep
    try:
        copies = [day.copy() for day in days]
        again()
    finally:
        _lmi.store = original
    side_a, side_b, *rest = kept["args"]
    for wanted in range(1, n_lines + 1, max(1, n_lines // 40)):
        copies = [day.copy() for day in days]
        sides = [side._replace(target=day) for side, day in zip((side_a, side_b), copies, strict=True)]
        interrupted_at(lambda sides=sides: original(*sides, *rest), wanted, "_stored.py")
        assert [state(day) for day in copies] in (before, after), wanted
