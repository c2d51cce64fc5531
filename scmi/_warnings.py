"""Warnings that point at the user's line, however deep they were raised, and one of a kind per call."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

__all__ = ["about", "one_of_a_kind", "user_stacklevel", "warn"]

_PACKAGE = str(Path(__file__).parent) + os.sep
_given: ContextVar[set[str] | None] = ContextVar("given", default=None)
_about: ContextVar[str] = ContextVar("about", default="")


def user_stacklevel() -> int:
    """`stacklevel` at which a warning raised by the caller of this function points outside the package.

    The same check serves tools of different depth, so that no constant would do.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


@contextmanager
def one_of_a_kind() -> Iterator[None]:
    """Within, each kind of warning is given once, however many estimates are made."""
    if _given.get() is not None:  # of a call further out
        yield
        return
    token = _given.set(set())
    try:
        yield
    finally:
        _given.reset(token)


@contextmanager
def about(name: str) -> Iterator[None]:
    """Within, warnings end with the name of the estimate that they are about, and each estimate gives its own."""
    token = _about.set(name)
    try:
        yield
    finally:
        _about.reset(token)


def warn(kind: str, message: str) -> None:
    """Warn the user of something, by the name of its kind."""
    given, name = _given.get(), _about.get()
    if name:
        # At the end: filters match how a message begins.
        kind, message = f"{name}: {kind}", f"{message} (This is about {name}.)"
    if given is not None:
        if kind in given:
            return
        given.add(kind)
    warnings.warn(message, UserWarning, stacklevel=user_stacklevel())
