"""Results are written to an object whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Slots", "write_together"]


@dataclass(eq=False, kw_only=True)
class Slots:
    """What is about to be written to one object.

    Parameters
    ----------
    target
        The object.
    matrix
        A new `.X`; None leaves it.
    obs, obsm, var, layers, uns
        Complete columns and entries, by name.
    stale_obs, stale_obsm, stale_var, stale_uns
        Names of columns and entries that are to go.
    """

    target: "AnnData"
    matrix: Any = None
    obs: dict[str, Any] = field(default_factory=dict)
    obsm: dict[str, Any] = field(default_factory=dict)
    var: dict[str, NDArray[Any]] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    uns: dict[str, Any] = field(default_factory=dict)
    stale_obs: list[str] = field(default_factory=list)
    stale_obsm: list[str] = field(default_factory=list)
    stale_var: list[str] = field(default_factory=list)
    stale_uns: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write all of it."""
        for slot, stale in (
            (self.target.obs, self.stale_obs),
            (self.target.obsm, self.stale_obsm),
            (self.target.var, self.stale_var),
            (self.target.uns, self.stale_uns),
        ):
            for name in stale:
                del slot[name]
        if self.matrix is not None:
            self.target.X = self.matrix
        for slot, written in (
            (self.target.obs, self.obs),
            (self.target.var, self.var),
            (self.target.obsm, self.obsm),
            (self.target.layers, self.layers),
            (self.target.uns, self.uns),
        ):
            for name, values in written.items():
                slot[name] = values

    def snapshot(self) -> Callable[[], None]:
        """What brings the object back to what it is now."""
        target = self.target
        # The copies share their values, and stay as they are: whole columns are written, never parts of them.
        obs, var, uns = target.obs.copy(deep=False), target.var.copy(deep=False), dict(target.uns)
        matrix = target.X if self.matrix is not None else None
        entries = [
            (slot, {name: slot[name] if name in slot else None for name in written})
            for slot, written in ((target.obsm, [*self.obsm, *self.stale_obsm]), (target.layers, self.layers))
        ]

        def restore() -> None:
            target.obs, target.var, target.uns = obs, var, uns
            if matrix is not None:
                target.X = matrix
            for slot, earlier in entries:
                for name, values in earlier.items():
                    if values is not None:
                        slot[name] = values
                    elif name in slot:
                        del slot[name]

        return restore


def write_together(*slots: Slots) -> None:
    """Write all or nothing: if something goes wrong, be it an interrupt, every object is what it was before."""
    restores = [some.snapshot() for some in slots]
    try:
        for some in slots:
            some.write()
    except BaseException:
        for restore in restores:
            restore()
        raise
