import numba
import pytest


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Samples this small gain nothing from a second one."""
    n_threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(n_threads)
