"""Numbers, and the same ones, from every thread, process and threading layer; serial and threaded kernels agree."""

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest

import scmi as sm
from scmi.estimators.inputs.matrices import as_array
from scmi.estimators.neighbours import _conditional_counts, all_pairs, parallel, permuted, windows
from scmi.estimators.neighbours.ksg import KSG

ROOT = Path(sm.__file__).parents[1]

# What the scripts share: a sample large enough for threads, and an estimate of each kind in well under a second.
SETUP = """
import multiprocessing, threading
import numpy as np
import scmi as sm

rng = np.random.default_rng(0)
x = rng.normal(size=(600, 3))
y = x + rng.normal(size=x.shape)

def bits(_=0):
    return float(sm.ksg(x, y).mean())

def latent_bits(_=0):
    from scmi.estimators import Settings
    fast = Settings(hidden=(16,), max_steps=20, closed_form=False)
    result = sm.lmi(x, y, preset=fast, n_splits=1, n_permutations=9, progress=False)
    return result.mi, result.p
"""

FIRST_USE_IN_THREADS = """
calls = [latent_bits, bits, latent_bits, bits]
found = [None] * len(calls)

def call(i):
    found[i] = calls[i]()

threads = [threading.Thread(target=call, args=(i,)) for i in range(len(calls))]
for thread in threads:
    thread.start()
here = bits()
for thread in threads:
    thread.join()
assert found[0] == found[2] == latent_bits(), found
assert found[1] == found[3] == here, found
"""

FORK = """
import torch

torch.set_num_threads(2)
(torch.ones(1000, 1000) @ torch.ones(1000, 1000)).exp().sum()  # its threads are there now
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(bits, range(2)).get(60) == [here] * 2
    assert pool.map_async(latent_bits, range(2)).get(60) == [found[0]] * 2
"""

OTHER_PROCESSES = """
if __name__ == "__main__":
    import joblib

    expected = latent_bits()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map_async(bits, range(1)).get(60) == [bits()]
    for backend in ("threading", "multiprocessing", "loky"):
        with joblib.parallel_config(backend, n_jobs=2):
            assert latent_bits() == expected, backend
    found = joblib.Parallel(n_jobs=2, backend="multiprocessing")(joblib.delayed(latent_bits)() for _ in range(2))
    assert found == [expected] * 2, found
"""

DASK = """
from dask import distributed

expected = bits(), latent_bits()
with (
    distributed.LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
    distributed.Client(cluster) as client,
):
    both = [client.submit(call, i, pure=False) for call in (bits, latent_bits) for i in range(2)]
    found = client.gather(both)
assert found == [expected[0]] * 2 + [expected[1]] * 2, found
"""


def run(tmp_path: Path, code: str, **environment: str) -> None:
    """Run a script as a file of its own, so that other processes can import it; it must end well, and soon."""
    script = tmp_path / "script.py"
    script.write_text(SETUP + code)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "2", **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def has(layer: str) -> bool:
    """Whether numba can start a layer here, asked in another process so as not to load it into this one."""
    code = "import numba; numba.get_num_threads()"
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_first_use_in_threads_at_once_then_in_forked_children_and_in_dask(tmp_path, layer):
    if not has(layer):
        pytest.skip(f"numba has no {layer} here")
    named = f"import numba\nassert numba.threading_layer() == {layer!r}\n"
    fork = FORK if hasattr(os, "fork") and sys.platform == "linux" else ""
    # Dask's threads are no other than these, except that none of them is the main one: once is enough.
    dask = DASK if layer == "workqueue" and importlib.util.find_spec("distributed") else ""
    run(tmp_path, FIRST_USE_IN_THREADS + named + fork + dask, NUMBA_THREADING_LAYER=layer)


def test_a_layer_that_is_not_there(tmp_path):
    run(tmp_path, "assert 0.3 < bits() < 3", NUMBA_THREADING_LAYER="none such")


@pytest.mark.slow
def test_spawned_children_and_backends_of_joblib(tmp_path):
    run(tmp_path, OTHER_PROCESSES)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("n_features", [1, 4])
def test_serial_and_threaded_kernels_give_the_same_bits(metric, n_features, monkeypatch):
    rng = np.random.default_rng(0)
    n, ksg = 600, KSG(3, metric)
    x, z = rng.normal(size=(n, n_features)), rng.normal(size=(n, 2))
    y = x + rng.normal(size=x.shape)
    permutations = np.array([rng.permutation(n) for _ in range(40)], dtype=np.int32)

    def all_kernels():
        yield ksg.pointwise(x, y)
        yield permuted.permuted_sums(x, y, permutations, ksg)
        yield all_pairs.all_pairs(x[:40], y[:50], x, y, ksg)
        yield _conditional_counts.count_psi(x, y, z, permutations[:5], ksg)

    found = []
    for safe in (True, False):
        monkeypatch.setattr(parallel, "threads_are_safe", lambda safe=safe: safe)
        found.append(list(all_kernels()))
    for threaded, serial in zip(*found, strict=True):
        np.testing.assert_array_equal(threaded, serial)
    kernels = [
        kernel
        for module in (windows, permuted, all_pairs, _conditional_counts)
        for kernel in vars(module).values()
        if isinstance(kernel, parallel.Kernel)
    ]
    assert all(kernel.serial.signatures and kernel.threaded.signatures for kernel in kernels), "a kernel was not run"


def test_little_work_is_done_without_threads(monkeypatch):
    monkeypatch.setattr(parallel, "threads_are_safe", lambda: pytest.fail("asked for threads"))
    x = np.random.default_rng(0).normal(size=(100, 2))
    assert sm.ksg(x, x).mean() > 0


def in_another_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_when_threads_are_safe(monkeypatch):
    several = numba.get_num_threads() > 1
    for layer, here, elsewhere in (("omp", True, True), ("tbb", True, True), ("workqueue", True, False), ("", 0, 0)):
        monkeypatch.setattr(parallel, "_layer", lambda layer=layer: layer)
        assert parallel.threads_are_safe() == (here and several)
        assert in_another_thread(parallel.threads_are_safe) == (elsewhere and several)


def test_never_in_a_forked_process(monkeypatch):
    monkeypatch.setattr(parallel, "_layer", lambda: pytest.fail("asked for the layer"))
    monkeypatch.setattr(parallel, "_IMPORTED_IN", os.getpid() + 1)
    assert parallel.forked()
    assert not parallel.threads_are_safe()


def test_kernels_compile_where_nothing_can_be_kept():
    # Numba finds no folder for what comes from no file, as it finds none in a container whose disk is read-only.
    space: dict[str, object] = {"__name__": "nowhere"}
    exec(compile("def twice(a):\n    return 2 * a", "<nowhere>", "exec"), space)
    assert parallel.compiled(space["twice"])(2) == 4


def test_a_package_that_another_thread_has_half_imported(monkeypatch):
    for name in ("torch", "pandas", "polars", "dask.array", "h5py"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert as_array([[1.0, 2.0]], "x").shape == (1, 2)
