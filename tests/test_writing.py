"""Results are written whole or not at all: an interrupt or an error leaves every object as it was."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from scmi._writing import Slots, write_together
from tests._interrupts import interrupted_at, state


def some_slots(seed):
    rng = np.random.default_rng(seed)
    adata = AnnData(
        np.ones((4, 3), dtype=np.float32),
        obs=pd.DataFrame({"stale": range(4), "replaced": [1.0, 2.0, 3.0, 4.0], "other": list("abcd")}, list("wxyz")),
        var=pd.DataFrame({"stale": range(3), "kept": [1, 2, 3], "replaced": [1, 2, 3]}, list("efg")),
        obsm={"replaced": np.ones((4, 2)), "kept": np.zeros((4, 1)), "stale": np.ones((4, 1))},
        layers={"replaced": np.zeros((4, 3)), "kept": np.ones((4, 3))},
        uns={"stale": 1, "kept": {"a": 1}, "replaced": 2},
    )
    return Slots(
        target=adata,
        matrix=rng.normal(size=(4, 3)),
        obs={"replaced": rng.normal(size=4), "new": rng.normal(size=4)},
        obsm={"replaced": rng.normal(size=(4, 5)), "new": rng.normal(size=(4, 1))},
        layers={"replaced": rng.normal(size=(4, 3)), "new": rng.normal(size=(4, 3))},
        var={"replaced": rng.normal(size=3), "new": rng.normal(size=3)},
        uns={"replaced": {"mi": 1.0}, "new": 3},
        stale_obs=["stale"],
        stale_obsm=["stale"],
        stale_var=["stale"],
        stale_uns=["stale"],
    )


@pytest.mark.parametrize("here", ["_writing.py", None], ids=["every line here", "lines anywhere"])
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
    assert list(adata.obs) == ["replaced", "other", "new"]
    assert list(adata.var) == ["kept", "replaced", "new"]
    assert list(adata.obsm) == ["replaced", "kept", "new"]
    assert list(adata.uns) == ["kept", "replaced", "new"]
    np.testing.assert_array_equal(adata.obs["replaced"], slots.obs["replaced"])


@pytest.mark.parametrize("failing", ["obs", "var", "obsm", "layers", "uns"])
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
