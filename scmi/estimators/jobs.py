"""Several trainings at once, through joblib, with one progress display and a clean stop."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import joblib

__all__ = ["Progress", "run_jobs"]

Progress = Callable[[float, float], None]


class _Stopped(Exception):
    """Ends a training whose siblings have failed or were interrupted."""


class _Board:
    """Adds up how far each of several jobs is."""

    def __init__(self, n_jobs: int, progress: Progress) -> None:
        self._shares = [0.0] * n_jobs
        self._progress = progress
        self._lock = threading.Lock()
        self.stopped = False

    def reporter(self, job: int) -> Progress:
        """What job number ``job`` is to call with its share done and its loss."""

        def report(share: float, loss: float) -> None:
            if self.stopped:
                raise _Stopped
            with self._lock:
                self._shares[job] = share
                self._progress(sum(self._shares), loss)

        return report


def run_jobs(
    function: Callable[..., Any], jobs: Sequence[dict[str, Any]], n_jobs: int, progress: Progress
) -> list[Any]:
    """Call ``function(**job, progress=...)`` for every job and return the results in order.

    Jobs run in threads, since torch works outside Python's lock and the data need not be copied; in a
    :func:`joblib.parallel_config` context they run wherever its backend takes them.
    """
    board = _Board(len(jobs), progress)
    parallel = joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    shared = getattr(backend, "supports_sharedmem", False)
    # A progress bar can't travel to another process; there each job is reported when it is done.
    reporters = [board.reporter(i) for i in range(len(jobs))]
    calls = (
        joblib.delayed(function)(**job, progress=report if shared else _silent)
        for job, report in zip(jobs, reporters, strict=True)
    )
    results = []
    try:
        for report, result in zip(reporters, parallel(calls), strict=True):
            results.append(result)
            if not shared:
                report(1.0, float("nan"))
    finally:
        board.stopped = True
    return results


def _silent(share: float, loss: float) -> None:
    """Report to nobody."""
