"""Several trainings at once, through joblib, with one progress display and a clean stop."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import joblib

from scmi._progress import Tick

__all__ = ["run_jobs"]


class _Stopped(Exception):
    """Ends a training whose siblings have failed or were interrupted."""


class _Board:
    """Adds up how far each of several jobs is."""

    def __init__(self, n_jobs: int, progress: Tick) -> None:
        self._shares = [0.0] * n_jobs
        self._progress = progress
        self._changed = threading.Condition()
        self._running = 0
        self._stopped = False

    def reporter(self, job: int) -> Tick:
        """What job number ``job`` is to call with its share done and its loss."""

        def report(done: float, loss: float) -> None:
            with self._changed:
                if self._stopped:
                    raise _Stopped
                self._shares[job] = done
                self._progress(sum(self._shares), loss)

        return report

    def run(self, function: Callable[..., Any], job: int, arguments: dict[str, Any]) -> Any:
        """Call the function in this thread, reporting as it goes."""
        with self._changed:
            self._running += 1
        try:
            return function(**arguments, progress=self.reporter(job))
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Have every running job end at its next report, and wait for it: none may outlive the interpreter."""
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: self._running == 0)


def run_jobs(function: Callable[..., Any], jobs: Sequence[dict[str, Any]], n_jobs: int, progress: Tick) -> list[Any]:
    """Call ``function(**job, progress=...)`` for every job and return the results in order.

    Jobs run in threads, since torch works outside Python's lock and the data need not be copied; in a
    :func:`joblib.parallel_config` context they run wherever its backend takes them.
    """
    board = _Board(len(jobs), progress)
    parallel = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    shared = getattr(backend, "supports_sharedmem", False)
    # A progress bar can't travel to another process; there each job is reported when it is done.
    calls = (
        joblib.delayed(board.run)(function, i, job) if shared else joblib.delayed(function)(**job, progress=_silent)
        for i, job in enumerate(jobs)
    )
    results = []
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
