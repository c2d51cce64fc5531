"""The k smallest distances seen so far: the loop that every kernel has inside."""

from scmi.typing import Values

from .parallel import compiled

__all__ = ["insert"]


@compiled
def insert(nearest: Values, d: float) -> float:
    """Put a distance below the largest in its place; the new largest is returned. ``nearest`` is sorted."""
    p = len(nearest) - 1
    while p > 0 and nearest[p - 1] > d:
        nearest[p] = nearest[p - 1]
        p -= 1
    nearest[p] = d
    return float(nearest[-1])
