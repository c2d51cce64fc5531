"""The promises of progress: a bar ends when the work does, at its end; a loss that is not known is not shown."""

import pytest

from scmi._progress import progress_bar


def test_a_bar_ends_at_its_end(capsys):
    with progress_bar(4, True, "LMI") as tick:
        tick(1, 0.5)
        tick(2, float("nan"))
    last = capsys.readouterr().err.rstrip("\n").split("\r")[-1]
    assert "100%" in last and "loss=0.500" in last


def test_a_bar_of_what_failed_does_not(capsys):
    with pytest.raises(ZeroDivisionError), progress_bar(4, True, "LMI") as tick:
        tick(1, 0.5)
        1 / 0  # noqa: B018
    assert "100%" not in capsys.readouterr().err
