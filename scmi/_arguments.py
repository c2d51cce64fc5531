"""What to say where a call doesn't fit a signature: where the argument belongs, the nearest name, what is missing."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from scmi._words import did_you_mean

__all__ = ["explaining_arguments"]

Explained = TypeVar("Explained", bound=Callable[..., Any])

# Values that are longer are not repeated.
LONGEST = 40
_ROLE = re.compile(r":\w+:`~?([^`<]+)`")


class _Part(NamedTuple):
    """An argument that has parameters of its own: how it is written, and what it is made with."""

    written: str
    made_with: Callable[..., Any]


def explaining_arguments(
    written: str = "", made_with: Callable[..., Any] | None = None
) -> Callable[[Explained], Explained]:
    """Say more than Python where a function, or a class, is called with arguments that it hasn't, or without its own.

    Signature, type and documentation stay as they are, and a call that fits costs nothing.

    Parameters
    ----------
    written
        An argument that has parameters of its own, as it is given: ``"model=sm.LMI"``.
    made_with
        What makes it, which has these parameters.

    Examples
    --------
    >>> from scmi._arguments import explaining_arguments
    >>> class Pen:
    ...     def __init__(self, *, width=1.0): ...
    >>> @explaining_arguments("pen=Pen", Pen)
    ... def draw(n, *, pen=None, color="black"): ...
    >>> draw(3, width=2.0)
    Traceback (most recent call last):
        ...
    TypeError: draw has no parameter 'width'. It belongs to what `pen` takes: `pen=Pen(width=2.0)`.
    >>> draw(3, colour="red")
    Traceback (most recent call last):
        ...
    TypeError: draw has no parameter 'colour'. Did you mean 'color'?
    """
    part = None if made_with is None else _Part(written, made_with)

    def decorate(explained: Explained) -> Explained:
        if inspect.isclass(explained):
            setattr(explained, "__init__", _wrapped(explained.__init__, explained, part))  # noqa: B010  a checker's view stays
            return explained
        wrapped: Explained = _wrapped(explained, explained, part)
        return wrapped

    return decorate


def _wrapped(called: Callable[..., Any], explained: Callable[..., Any], part: _Part | None) -> Any:
    @functools.wraps(called)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return called(*args, **kwargs)
        except TypeError:
            try:
                inspect.signature(called).bind(*args, **kwargs)
            except TypeError:
                message = _explanation(explained, kwargs, part)
                if message is not None:
                    raise TypeError(message) from None
            raise

    return call


def _explanation(explained: Callable[..., Any], given: Mapping[str, Any], part: _Part | None) -> str | None:
    """What doesn't fit; None where Python has said it as well as can be."""
    name_of, own = explained.__name__, inspect.signature(explained).parameters
    for name in given:
        if name not in own:
            return f"{name_of} has no parameter {name!r}.{_way_out(name, given[name], list(own), part)}"
    for name, one in own.items():
        if one.kind is one.KEYWORD_ONLY and one.default is one.empty and name not in given:
            return f"{name_of} needs `{name}`{_said_of(explained, name)}"
    return None


def _way_out(name: str, value: Any, own: list[str], part: _Part | None) -> str:
    near = did_you_mean(name, own, 1)
    if part is not None:
        of_part = inspect.signature(part.made_with).parameters
        if name in of_part:
            shown = repr(value) if len(repr(value)) <= LONGEST else "..."
            what = part.written.partition("=")[0]
            return f" It belongs to what `{what}` takes: `{part.written}({name}={shown})`."
        near_in_part = did_you_mean(name, of_part, 1)
        if near_in_part and not near:
            return f"{near_in_part[:-1]} of `{part.written}(...)`?"
    return near or f" There are {', '.join(own)}."


def _said_of(explained: Callable[..., Any], name: str) -> str:
    """What the docstring says of a parameter, in one line."""
    found = re.search(rf"^{name}\n((?:    .*\n)+)", inspect.getdoc(explained) or "", re.MULTILINE)
    return "." if found is None else ": " + _ROLE.sub(r"`\1`", " ".join(found[1].split())).replace("``", "`")
