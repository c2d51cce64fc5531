"""Several trainings at once, in threads or wherever joblib takes them, with one progress display and a clean stop."""

import threading
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import joblib

from scmi._progress import Tick
from scmi.estimators.neighbours.parallel import forked, prepare_torch

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
        self.stopped = False

    def reporter(self, job: int) -> Tick:
        """What job number ``job`` is to call with its share done and its loss."""

        def report(done: float, loss: float) -> None:
            with self._reporting:
                if self.stopped:
                    raise _Stopped
                self._shares[job] = done
                self._progress(sum(self._shares), loss)

        return report


def run_jobs(jobs: Sequence[Job[T]], n_jobs: int, progress: Tick) -> list[T]:
    """Call ``job(progress=...)`` for every job and return the results in order.

    Jobs run in threads, since torch works outside Python's lock and the data need not be copied; in a
    :func:`joblib.parallel_config` context they run wherever its backend takes them.
    """
    if forked():
        # Torch in two threads of such a process at once has ended it (a segmentation fault in one of a dozen).
        n_jobs = 1
    board = _Board(len(jobs), progress)
    backend, of_context = joblib.parallel.get_active_backend(prefer="threads")
    if getattr(backend, "supports_sharedmem", False):
        at_once = backend.effective_n_jobs((of_context or 1) if n_jobs is None else n_jobs)
        return _in_threads([partial(job, progress=board.reporter(i)) for i, job in enumerate(jobs)], at_once, board)
    # Some backends, such as "multiprocessing", return all results at once or none.
    return_as = "generator" if getattr(backend, "supports_return_generator", False) else "list"
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as=return_as)
    results: list[T] = []
    # A progress bar can't travel to another process; there each job is reported when it is done.
    for i, result in enumerate(parallel(joblib.delayed(job)(progress=_silent) for job in jobs)):
        results.append(result)
        board.reporter(i)(1.0, float("nan"))
    return results


def _in_threads(calls: Sequence[Callable[[], T]], at_once: int, board: _Board) -> list[T]:
    """Results in order; where one fails, or an interrupt comes, the others end at their next report.

    Pools of threads, joblib's and Python's, leave some for ever, or wait for them for ever, if an interrupt strikes
    while they are started or ended. Here the thread that it may strike does nothing but wait for a queue and for locks,
    which are never left halfway.
    """
    n_threads = min(at_once, len(calls))
    if n_threads == 1:
        return [call() for call in calls]
    todo = iter(list(enumerate(calls)))
    ended: SimpleQueue[tuple[int, T | None, BaseException | None]] = SimpleQueue()
    running: list[threading.Lock] = []

    def work() -> None:
        own = threading.Lock()
        with own:
            running.append(own)
            for number, call in todo:
                if board.stopped:
                    return
                try:
                    ended.put((number, call(), None))
                except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                    ended.put((number, None, error))

    def begin() -> None:
        try:
            for _ in range(n_threads):
                threading.Thread(target=work, daemon=True).start()
        except RuntimeError as error:  # there are too many
            ended.put((0, None, error))

    results: dict[int, Any] = {}
    try:
        start_new_thread(begin, ())
        while len(results) < len(calls):
            number, results[number], error = ended.get()
            if error is not None:
                try:
                    raise error
                finally:
                    del error  # which holds this frame, and with it the data
    finally:
        board.stopped = True
        for own in running:  # none may outlive the interpreter
            own.acquire()
    return [results[number] for number in range(len(calls))]


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
