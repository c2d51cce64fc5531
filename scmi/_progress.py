"""One progress bar over everything that an estimate does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm.auto import tqdm


class Tick(Protocol):
    """Moves the bar to an absolute position and shows the loss there."""

    def __call__(self, done: float, loss: float) -> None: ...


def after(tick: Tick, before: float) -> Tick:
    """Moves the bar on from where earlier estimates left it."""
    return lambda done, loss: tick(before + done, loss)


@contextmanager
def progress_bar(total: float, show: bool | None, what: str) -> Iterator[Tick]:
    """A bar that counts to ``total``; ``show=None`` shows it where somebody watches, in a terminal or a notebook."""
    if show is None:
        show = sys.stderr.isatty() or "ipykernel" in sys.modules
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(total=total, disable=not show, desc=what, bar_format=layout) as bar:

        def tick(done: float, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(done - bar.n)

        yield tick
