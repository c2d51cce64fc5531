"""One progress bar over everything that an estimate does."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm.auto import tqdm


class Tick(Protocol):
    """Moves the bar to an absolute position and shows the loss there; NaN where nothing is trained shows none."""

    def __call__(self, done: float, loss: float) -> None: ...


def after(tick: Tick, before: float, unit: float = 1.0) -> Tick:
    """Moves the bar on from where earlier estimates left it; ``unit`` is what one step of the caller's counts there."""
    return lambda done, loss: tick(before + unit * done, loss)


def is_shown(show: bool | None) -> bool:
    """Whether to show a bar; None means where somebody watches, in a terminal or a notebook."""
    return (sys.stderr.isatty() or "ipykernel" in sys.modules) if show is None else show


@contextmanager
def progress_bar(total: float, show: bool | None, what: str) -> Iterator[Tick]:
    """A bar that counts to ``total``, shown as :func:`is_shown` tells.

    It is at its end when the work is, also where some of it turned out not to be needed.
    """
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(total=total, disable=not is_shown(show), desc=what, bar_format=layout) as bar:

        def tick(done: float, loss: float) -> None:
            if not math.isnan(loss):
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(done - bar.n)

        yield tick
        bar.update(total - bar.n)
