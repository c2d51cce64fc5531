"""Several trainings at once, through joblib, with one progress display and a clean stop."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Protocol, TypeVar

import joblib

from scmi._progress import Tick
from scmi.estimators.neighbours.parallel import prepare_torch

__all__ = ["FoldJob", "Job", "run_folds", "run_jobs"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# What torch's threads were before the calls of `run_folds` that go on now, by the thread that calls.
_FOUND: dict[int, int] = {}
_FINDING = threading.Lock()


class Job(Protocol[T_co]):
    """What is run: a function that reports how far it is."""

    def __call__(self, *, progress: Tick) -> T_co: ...


class FoldJob(Protocol[T_co]):
    """The training of a fold, with the threads that it may use."""

    def __call__(self, *, threads: int, progress: Tick) -> T_co: ...


class _Stopped(Exception):
    """Ends a training whose siblings have failed or were interrupted."""


class _Board:
    """Adds up how far each of several jobs is."""

    def __init__(self, n_jobs: int, progress: Tick) -> None:
        self._shares = [0.0] * n_jobs
        self._progress = progress
        self._reporting = threading.Lock()
        self._elsewhere: list[threading.Lock] = []
        self._caller = threading.get_ident()
        self._stopped = False

    def reporter(self, job: int) -> Tick:
        """What job number ``job`` is to call with its share done and its loss."""

        def report(done: float, loss: float) -> None:
            with self._reporting:
                if self._stopped:
                    raise _Stopped
                self._shares[job] = done
                self._progress(sum(self._shares), loss)

        return report

    def run(self, job: Job[T], number: int) -> T:
        """Run a job in this thread, reporting as it goes."""
        if threading.get_ident() == self._caller:
            # Nobody waits for it, so that an interrupt may strike at any moment. Other threads know of none.
            return job(progress=self.reporter(number))
        running = threading.Lock()
        with running:
            self._elsewhere.append(running)
            return job(progress=self.reporter(number))

    def stop(self) -> None:
        """Have every running job end at its next report, and wait for it: none may outlive the interpreter."""
        self._stopped = True
        for running in self._elsewhere:
            running.acquire()


def run_jobs(jobs: Sequence[Job[T]], n_jobs: int, progress: Tick) -> list[T]:
    """Call ``job(progress=...)`` for every job and return the results in order.

    Jobs run in threads, since torch works outside Python's lock and the data need not be copied; in a
    :func:`joblib.parallel_config` context they run wherever its backend takes them.
    """
    board = _Board(len(jobs), progress)
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    shared = getattr(backend, "supports_sharedmem", False)
    # Some backends, such as "multiprocessing", return all results at once or none.
    return_as = "generator" if getattr(backend, "supports_return_generator", False) else "list"
    parallel = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as=return_as)
    # A progress bar can't travel to another process; there each job is reported when it is done.
    calls = (
        joblib.delayed(board.run)(job, i) if shared else joblib.delayed(job)(progress=_silent)
        for i, job in enumerate(jobs)
    )
    results: list[T] = []
    try:
        for i, result in enumerate(parallel(calls)):
            results.append(result)
            if not shared:
                board.reporter(i)(1.0, float("nan"))
    finally:
        board.stop()
    return results


def _silent(done: float, loss: float) -> None:
    """Report to nobody."""


def run_folds(jobs: Sequence[FoldJob[T]], n_jobs: int, progress: Tick) -> list[T]:
    """Call ``job(threads=..., progress=...)`` for the training of every fold; the results in order.

    Torch then takes as many threads as before, whatever the folds set. The number is the process's: a call that starts
    while the folds of another train would take their share for all.
    """
    prepare_torch()
    import torch

    caller, before = threading.get_ident(), 0
    try:
        with _FINDING:
            before = next(iter(_FOUND.values()), 0) or torch.get_num_threads()
            _FOUND[caller] = before
        # Each fold gets its share of the threads however many folds run at once: with another number of threads the
        # same seed could give other last digits.
        threads = max(1, before // len(jobs))
        return run_jobs([partial(job, threads=threads) for job in jobs], n_jobs, progress)
    finally:
        try:
            if before:
                torch.set_num_threads(before)
        finally:  # an interrupt may come in between
            with _FINDING:
                _FOUND.pop(caller, None)
