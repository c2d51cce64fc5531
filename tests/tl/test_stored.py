"""Results are written whole or not at all: an interrupt leaves every object as it was."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scmi as sm
from scmi.tl._stored import Slots, write_together


def state(adata):
    """All that can be told of an object, as bytes."""
    parts = [adata.obs, adata.var, dict(adata.obsm), dict(adata.uns)]
    return pickle.dumps([[list(part), dict(part)] for part in parts])


def some_slots(seed):
    rng = np.random.default_rng(seed)
    adata = AnnData(
        np.ones((4, 3), dtype=np.float32),
        obs=pd.DataFrame({"old": range(4), "replaced": [1.0, 2.0, 3.0, 4.0], "other": list("abcd")}, list("wxyz")),
        var=pd.DataFrame({"stale": range(3), "kept": [1, 2, 3], "replaced": [1, 2, 3]}, list("efg")),
        obsm={"replaced": np.ones((4, 2)), "kept": np.zeros((4, 1))},
        uns={"stale": 1, "kept": {"a": 1}, "replaced": 2},
    )
    return Slots(
        target=adata,
        obs={"replaced": rng.normal(size=4), "new": rng.normal(size=4)},
        obsm={"replaced": rng.normal(size=(4, 5)), "new": rng.normal(size=(4, 1))},
        var={"replaced": rng.normal(size=3), "new": rng.normal(size=3)},
        uns={"replaced": {"mi": 1.0}, "new": 3},
        stale_var=["stale"],
        stale_uns=["stale"],
    )


def interrupted_at(call, wanted, here=None):
    """Call with an interrupt at so many lines, of one file or of all; how many lines there were."""
    n_lines = 0

    def trace(frame, event, arg):
        nonlocal n_lines
        if event == "line" and (here is None or frame.f_code.co_filename.endswith(here)):
            n_lines += 1
            if n_lines == wanted:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return n_lines


@pytest.mark.parametrize("here", ["_stored.py", None], ids=["every line here", "lines anywhere"])
def test_an_interrupt_at_any_line(here):
    slots = [some_slots(0), some_slots(1)]
    before = [state(some.target) for some in slots]
    n_lines = interrupted_at(lambda: write_together(*slots), None, here)
    after = [state(some.target) for some in slots]
    assert before != after and n_lines > 50
    outcomes = []
    for wanted in range(1, n_lines + 1, 1 if here else n_lines // 100):
        slots = [some_slots(0), some_slots(1)]
        interrupted_at(lambda slots=slots: write_together(*slots), wanted, here)
        found = [state(some.target) for some in slots]
        assert found in (before, after), wanted
        outcomes.append(found == before)
    assert any(outcomes)


def test_what_was_written_is_whole():
    slots = some_slots(0)
    obs, kept = slots.target.obs, slots.target.uns["kept"]
    write_together(slots)
    adata = slots.target
    assert adata.obs is obs and adata.uns["kept"] is kept
    assert list(adata.obs) == ["old", "replaced", "other", "new"]
    assert list(adata.var) == ["kept", "replaced", "new"]
    assert list(adata.obsm) == ["replaced", "kept", "new"]
    assert list(adata.uns) == ["kept", "replaced", "new"]
    np.testing.assert_array_equal(adata.obs["replaced"], slots.obs["replaced"])


@pytest.mark.parametrize("failing", ["obs", "var", "obsm", "uns"])
def test_an_error_in_the_second_object_undoes_the_first(failing):
    slots = [some_slots(0), some_slots(1)]
    before = [state(some.target) for some in slots]

    class Failing(dict):
        def items(self):
            yield from super().items()
            raise RuntimeError("no")

    setattr(slots[1], failing, Failing(getattr(slots[1], failing)))
    with pytest.raises(RuntimeError, match="no"):
        write_together(*slots)
    assert [state(some.target) for some in slots] == before


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
