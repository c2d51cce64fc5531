"""Jobs return in order, progress adds up, and when one fails its siblings stop.

An interrupt, whenever it strikes, ends the call and leaves torch's threads as they were.
"""

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import joblib
import pytest
import torch

from scmi.estimators._jobs import _FOUND, run_folds, run_jobs


def square(value, progress):
    progress(0.5, 1.0)
    time.sleep(0.02 * (3 - value))
    progress(1.0, 0.5)
    return value**2


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_results_in_order_and_progress_that_adds_up(n_jobs):
    seen = []
    results = run_jobs([partial(square, v) for v in range(3)], n_jobs, lambda done, loss: seen.append(done))
    assert results == [0, 1, 4]
    assert seen == sorted(seen)
    assert seen[-1] == 3.0
    assert len(seen) == 6


@pytest.mark.slow
def test_other_processes_report_when_they_are_done():
    seen = []
    with joblib.parallel_config(backend="loky"):
        results = run_jobs([partial(square, v) for v in range(2)], 2, lambda done, loss: seen.append(done))
    assert results == [0, 1]
    assert seen == [1.0, 2.0]


def test_a_failure_stops_the_siblings():
    ended = threading.Event()

    def job(fails, progress):
        if fails:
            time.sleep(0.05)
            raise KeyboardInterrupt
        try:
            for _ in range(2000):
                progress(0.1, 1.0)
                time.sleep(0.005)
        finally:
            ended.set()

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([partial(job, False), partial(job, True)], 2, lambda done, loss: None)
    # The other job would run for ten seconds.
    assert ended.wait(5)
    assert time.perf_counter() - start < 5


def test_folds_share_the_threads_and_leave_them_as_they_were():
    def job(*, threads, progress):
        torch.set_num_threads(1)
        return threads

    before = torch.get_num_threads()
    torch.set_num_threads(5)
    try:
        assert run_folds([job] * 2, 1, lambda done, loss: None) == [2, 2]
        assert run_folds([job] * 9, 1, lambda done, loss: None) == [1] * 9
        assert torch.get_num_threads() == 5
    finally:
        torch.set_num_threads(before)


def test_folds_of_two_calls_at_once_have_the_threads_that_each_would_have_alone():
    meet = threading.Barrier(2, timeout=30)
    taken = []

    def job(*, threads, progress):
        torch.set_num_threads(threads)
        meet.wait()  # both calls are in their first fold, and have set the process's number
        taken.append(threads)
        meet.wait()

    def call():
        run_folds([job] * 2, 1, lambda done, loss: None)

    before = torch.get_num_threads()
    torch.set_num_threads(6)
    try:
        first = threading.Thread(target=call)
        second = threading.Thread(target=call)
        first.start()
        while not _FOUND:
            time.sleep(0.001)
        second.start()
        first.join()
        second.join()
        assert taken == [3] * 4
        assert not _FOUND
    finally:
        torch.set_num_threads(before)


def test_a_backend_that_returns_everything_at_once():
    seen = []
    with joblib.parallel_config(backend="multiprocessing"):
        results = run_jobs([partial(square, v) for v in range(2)], 2, lambda done, loss: seen.append(done))
    assert results == [0, 1]
    assert seen == [1.0, 2.0]


def test_a_thread_that_can_not_be_started_is_told_of(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_jobs([partial(square, v) for v in range(2)], 2, lambda done, loss: None)


INTERRUPTS = """
import random, sys, threading, time, warnings
import torch
from scmi.estimators._jobs import _FOUND, run_folds
from tests._interrupts import interrupted

warnings.simplefilter("ignore")
n_jobs, times = map(int, sys.argv[1:])

def job(*, threads, progress):
    torch.set_num_threads(threads)
    progress(1.0, 0.0)

def run():
    run_folds([job] * 2, n_jobs, lambda done, loss: None)

torch.set_num_threads(6)
run()
start = time.perf_counter()
for _ in range(20):
    run()
took = (time.perf_counter() - start) / 20
moments, struck = random.Random(0), 0
for _ in range(times):
    struck += interrupted(run, moments.uniform(1e-6, took))
    assert torch.get_num_threads() == 6, torch.get_num_threads()
    assert not _FOUND, _FOUND
time.sleep(0.1)  # jobs that had not begun learn that they are not wanted
assert threading.active_count() == 1, threading.enumerate()
print(struck)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such timer")
@pytest.mark.parametrize(("n_jobs", "times"), [(1, 4000), (2, 200)])
def test_an_interrupt_at_any_moment_neither_hangs_nor_leaves_anything(n_jobs, times):
    """In a process of its own, for it hung: an interrupt between two lines left a job counted as running for ever.

    And joblib's pools of threads stayed if it struck while they were started or ended.
    """
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", INTERRUPTS, str(n_jobs), str(times)]
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > times / 10
