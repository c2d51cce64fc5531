"""Mutual information between populations of single cells, in bits."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import datasets, get, pl, pp, tl
    from .estimators.ksg import ksg
    from .estimators.lmi import LMI, lmi
    from .estimators.result import LMIResult, MIResult
    from .estimators.variational import infonce, mine

__all__ = ["LMI", "LMIResult", "MIResult", "datasets", "get", "infonce", "ksg", "lmi", "mine", "pl", "pp", "tl"]
__version__ = "0.1.0"

# Loaded when first used: scikit-learn, numba, scanpy and torch take seconds, and `import scmi` should take none.
_HOME = {
    "LMI": "scmi.estimators.lmi",
    "LMIResult": "scmi.estimators.result",
    "MIResult": "scmi.estimators.result",
    "infonce": "scmi.estimators.variational",
    "ksg": "scmi.estimators.ksg",
    "lmi": "scmi.estimators.lmi",
    "mine": "scmi.estimators.variational",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'scmi' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name) if name in _HOME else import_module(f"scmi.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
