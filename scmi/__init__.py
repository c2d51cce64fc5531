"""Mutual information between populations of single cells, in bits."""

import importlib as _importlib
import typing as _typing

from ._version import __version__
from .estimators.neighbours import parallel as _parallel  # it notes which process this is

if _typing.TYPE_CHECKING:
    from . import datasets, estimators, get, pl, pp, tl
    from .estimators.lmi import LMI, lmi
    from .estimators.neighbours.ksg import ksg
    from .estimators.peers.variational import infonce, mine
    from .estimators.result import LMIResult, MIResult

__all__ = [
    "LMI",
    "LMIResult",
    "MIResult",
    "__version__",
    "datasets",
    "estimators",
    "get",
    "infonce",
    "ksg",
    "lmi",
    "mine",
    "pl",
    "pp",
    "tl",
]

# Loaded when first used: scikit-learn, numba, scanpy and torch take seconds, and `import scmi` should take none.
_HOME = {
    "LMI": "scmi.estimators.lmi",
    "LMIResult": "scmi.estimators.result",
    "MIResult": "scmi.estimators.result",
    "infonce": "scmi.estimators.peers.variational",
    "ksg": "scmi.estimators.neighbours.ksg",
    "lmi": "scmi.estimators.lmi",
    "mine": "scmi.estimators.peers.variational",
}


if not _typing.TYPE_CHECKING:  # or a checker would take any name for one of these

    def __getattr__(name: str) -> _typing.Any:
        if name not in __all__:
            raise AttributeError(f"module 'scmi' has no attribute {name!r}")
        value = (
            getattr(_importlib.import_module(_HOME[name]), name)
            if name in _HOME
            else _importlib.import_module(f"scmi.{name}")
        )
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
