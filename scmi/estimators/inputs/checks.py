"""What every estimator asks of its arguments before it works on them."""

import numbers
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pandas as pd

from scmi.typing import Index, Rng

__all__ = [
    "TooFew",
    "as_codes",
    "as_generator",
    "as_plain",
    "check_choice",
    "check_counts",
    "check_jobs",
    "check_number",
    "check_same_length",
    "seeded",
]


class TooFew(ValueError):
    """Too few pairs, groups or samples to tell what was asked.

    The only error that is ever turned into a missing value: a table or a test then says why it is NaN.
    """


def check_same_length(x: Any, y: Any, name_x: str = "x", name_y: str = "y") -> int:
    """The common number of rows of two matrices."""
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"{name_x} has {x.shape[0]} rows, but {name_y} has {y.shape[0]}; row i of both must be one joint sample."
        )
    return int(x.shape[0])


def as_codes(labels: Any, n: int, name: str, *, sort: bool = False) -> Index:
    """Labels as integers from 0, in the order in which they appear or sorted; a missing label raises."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected one label for each of {n} pairs.")
    codes, _ = pd.factorize(array, sort=sort)
    if (codes < 0).any():
        raise ValueError(
            f"{name} misses {int((codes < 0).sum())} of {n} labels, the first at pair {int(np.argmin(codes))}. Drop "
            "these pairs, or give each a label of its own."
        )
    return codes.astype(np.int64)


def check_counts(*, least: int = 1, **counts: object) -> None:
    """Raise for an argument that counts something and is not an integer, or below ``least``."""
    for name, value in counts.items():
        # To Python a boolean is an integer; where a number is wanted, it is a mistake.
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"`{name}` must be an integer, got {value!r}.")
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}, got {value}.")


def check_jobs(n_jobs: object) -> None:
    """Raise for what is no number of jobs; None leaves it to :func:`joblib.parallel_config`."""
    if n_jobs is None:
        return
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral):
        raise TypeError(f"`n_jobs` must be an integer, got {n_jobs!r}.")
    if n_jobs == 0:
        raise ValueError("`n_jobs` is 0; give how many folds train at once, or -1 for all.")


def check_choice(name: str, value: object, choices: object) -> None:
    """Raise for what is not one of a literal type's values, which are text."""
    if not isinstance(value, str) or value not in get_args(choices):
        raise ValueError(f"{name}={value!r} is not known; choose one of {list(get_args(choices))}.")


def check_number(name: str, value: object) -> None:
    """Raise for an argument that measures something and is not a number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number, got {value!r}.")


def as_generator(rng: Rng) -> np.random.Generator:
    """A generator from a seed; one that is given is used as it is."""
    wanted = f"`rng` must be an integer from 0, a numpy Generator or None, got {rng!r}."
    if isinstance(rng, bool):
        raise TypeError(wanted)
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        kind = type(error)
        raise kind(wanted) from error


def seeded(rng: Rng) -> tuple[np.random.Generator, int | None]:
    """A generator, and the seed that makes it again; None for a generator that was given."""
    if rng is None:
        rng = int(np.random.SeedSequence().generate_state(1)[0])
    generator = as_generator(rng)
    return generator, int(rng) if isinstance(rng, numbers.Integral) else None


def as_plain(name: str, value: Any) -> Any:
    """A parameter as JSON has it: NumPy's numbers become Python's, and sequences lists."""
    match value:
        case None | str():
            return value
        case bool() | np.bool_():
            return bool(value)
        case numbers.Integral():
            return int(value)
        case numbers.Real():
            return float(value)
        case Mapping():
            return {key: as_plain(f"{name}[{key!r}]", part) for key, part in value.items()}
        case list() | tuple():
            return [as_plain(name, part) for part in value]
    raise TypeError(f"`{name}` is {value!r}, which can't be saved: set it to a number, text, True, False or None.")
