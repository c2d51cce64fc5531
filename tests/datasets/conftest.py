"""What these tests share: a server of files on this machine, since tests have no network, and a test of means."""

import numpy as np
import pytest

from tests.datasets._server import serving


def assert_mean(values, expected):
    """The mean of independent values is within four standard errors of what is expected."""
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 4 * error, (np.mean(values), expected, error)


@pytest.fixture
def server(monkeypatch):
    """A running `FileServer`, with its address in `url`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as files:
        yield files
