"""How native code may run: on threads or without, in which threads and processes. Decided here and nowhere else.

Numba's kernels run on the threads of one of three layers. OpenMP and TBB serve any number of callers at once. The
third, workqueue, which is all that is left where neither is installed, ends the interpreter if two threads call it at
once. No pool of threads survives a fork: numba's OpenMP ends the child, and torch waits there for ever for threads
that the child never had. So every kernel is compiled twice from one source, with threads and without, and each call
takes the one that is safe. Both give the same bits, since no kernel adds up across its threads.
"""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

__all__ = ["Kernel", "compiled", "forked", "importing", "prepare_torch", "threads_are_safe"]

P = ParamSpec("P")
R = TypeVar("R")

# `import scmi` imports this file, and nothing else that takes time: a child forked later has another number.
_IMPORTED_IN = os.getpid()
_LOCKS: dict[int, AbstractContextManager[Any]] = {}


def forked() -> bool:
    """Whether this process was forked after scmi had been imported, and so may hold pools whose threads are gone."""
    return os.getpid() != _IMPORTED_IN


def threads_are_safe() -> bool:
    """Whether a kernel may run on numba's threads if it is called here and now, and whether there are several."""
    if forked():
        return False
    layer = _layer()
    if not layer or (layer == "workqueue" and threading.current_thread() is not threading.main_thread()):
        return False
    return bool(_numba().get_num_threads() > 1)


def _numba() -> Any:
    """Numba, when it is needed: `import scmi` doesn't take the half second."""
    return import_module("numba")


@cache
def _layer() -> str:
    """Numba's threading layer, started if it wasn't; "" where the one that was asked for isn't there."""
    numba = _numba()
    try:
        numba.get_num_threads()  # only once it has started is the layer known
        return str(numba.threading_layer())
    except ValueError:
        return ""


class Kernel(Generic[P, R]):
    """A kernel whose ``numba.prange`` runs on threads where that is safe, and as a plain ``range`` elsewhere.

    To decorate functions with. None of them may add up across its threads (``total += ...`` in a ``prange``), or the
    order of the sum, and with it the last bit, would depend on how it runs. Each version is compiled when it is first
    called.

    Parameters
    ----------
    function
        What to compile.

    Attributes
    ----------
    serial, threaded
        The two versions. Callers take ``serial`` themselves where there is too little to do for a second thread.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        # Numba files what it has compiled by name and line, whatever the options: the versions need names of their own.
        self.serial = compiled(_renamed(function, f"{function.__name__}_serial"))
        self.threaded = compiled(function, parallel=True)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the version that is safe here and now."""
        run = self.threaded if threads_are_safe() else self.serial
        return run(*args, **kwargs)


def compiled(function: Callable[P, R], *, parallel: bool = False) -> Callable[P, R]:
    """Have numba compile a function when it is first called, and keep the result on disk for other processes."""
    njit = _numba().njit
    try:
        return cast(Callable[P, R], njit(function, cache=True, parallel=parallel))
    except RuntimeError:
        # Neither the package's folder nor the user's can be written to, nor NUMBA_CACHE_DIR.
        return cast(Callable[P, R], njit(function, parallel=parallel))


def _renamed(function: Callable[P, R], name: str) -> Callable[P, R]:
    original = cast(FunctionType, function)
    copy = FunctionType(original.__code__, original.__globals__, name, original.__defaults__, original.__closure__)
    copy.__qualname__, copy.__module__, copy.__doc__ = name, original.__module__, original.__doc__
    return cast(Callable[P, R], copy)


def importing() -> AbstractContextManager[Any]:
    """Lock of what imports torch or parts of it: its modules import each other, and two threads would meet halfway."""
    # One a process: a lock that another thread held when the process was forked is never released.
    return _LOCKS.setdefault(os.getpid(), threading.RLock())


def prepare_torch(threads: int | None = None) -> None:
    """Import torch, and set how many threads it takes for what this thread asks of it; one in a forked child.

    To be called by whatever is about to use torch, since it takes seconds to import and so waits until then.

    Parameters
    ----------
    threads
        None leaves the number as it is.
    """
    with importing():
        import torch
    if forked():
        threads = 1
    if threads is not None:
        torch.set_num_threads(threads)
