"""Estimators on plain arrays: numbers in, bits out. Nothing here knows AnnData.

Where to look, room by room:

- ``inputs``: what comes in. Matrices of every kind, rows and scales, who is paired with whom, checks.
- ``neighbours``: how bits are counted. KSG, its kernels, and the Gaussian that it is compared with.
- ``latent``: which latent space. A file per family, and the choice among them.
- ``inference``: how sure. Tests, errors, intervals, the bias correction, what carries the information, onsets.
- ``labels``: what features tell of a label, by calibrated probabilities of classes, and what labels tell of each other.
- ``peers``: MINE and InfoNCE on raw arrays.

Above them, ``crossfit`` is the estimate from top to bottom, ``lmi`` its one configuration and what users call,
``settings`` the architecture and training, and ``result`` what comes out.
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from .inference.attribution import FeatureInformation
    from .inference.conditional import local_permutation_test, within_strata
    from .inference.correction import Correction, correct
    from .inference.depth import DepthLaw, fit_depth_law
    from .inference.heldout import HeldOut
    from .inference.learning import Learning
    from .inference.permutation import PermutationTest, benjamini_hochberg, permutation_test
    from .inference.subsampling import DriftCheck, SubsamplingError, drift_check, subsampling_error
    from .inputs.checks import TooFew
    from .inputs.pairing import Draw
    from .labels.information import label_information
    from .labels.result import LabelResult, SharedLabelResult
    from .labels.shared import shared_label_information
    from .latent.descend import History
    from .neighbours.conditional import conditional_ksg
    from .neighbours.gaussian import gaussian_bound
    from .neighbours.ksg import KSG, log_density_ratio, ratio_neighbours
    from .peers.variational import CRITIC
    from .settings import PRESETS, Settings

# Beside LMI, lmi, ksg, mine, infonce and their results, which are the top level's. Loaded when first used, as there.
_HOME = {
    "CRITIC": "peers.variational",
    "Correction": "inference.correction",
    "DepthLaw": "inference.depth",
    "Draw": "inputs.pairing",
    "DriftCheck": "inference.subsampling",
    "FeatureInformation": "inference.attribution",
    "HeldOut": "inference.heldout",
    "History": "latent.descend",
    "KSG": "neighbours.ksg",
    "LabelResult": "labels.result",
    "Learning": "inference.learning",
    "PRESETS": "settings",
    "PermutationTest": "inference.permutation",
    "Settings": "settings",
    "SharedLabelResult": "labels.result",
    "SubsamplingError": "inference.subsampling",
    "TooFew": "inputs.checks",
    "benjamini_hochberg": "inference.permutation",
    "conditional_ksg": "neighbours.conditional",
    "correct": "inference.correction",
    "drift_check": "inference.subsampling",
    "fit_depth_law": "inference.depth",
    "gaussian_bound": "neighbours.gaussian",
    "label_information": "labels.information",
    "local_permutation_test": "inference.conditional",
    "log_density_ratio": "neighbours.ksg",
    "permutation_test": "inference.permutation",
    "ratio_neighbours": "neighbours.ksg",
    "shared_label_information": "labels.shared",
    "subsampling_error": "inference.subsampling",
    "within_strata": "inference.conditional",
}

__all__ = [
    "CRITIC",
    "KSG",
    "PRESETS",
    "Correction",
    "DepthLaw",
    "Draw",
    "DriftCheck",
    "FeatureInformation",
    "HeldOut",
    "History",
    "LabelResult",
    "Learning",
    "PermutationTest",
    "Settings",
    "SharedLabelResult",
    "SubsamplingError",
    "TooFew",
    "benjamini_hochberg",
    "conditional_ksg",
    "correct",
    "drift_check",
    "fit_depth_law",
    "gaussian_bound",
    "label_information",
    "local_permutation_test",
    "log_density_ratio",
    "permutation_test",
    "ratio_neighbours",
    "shared_label_information",
    "subsampling_error",
    "within_strata",
]


if not _typing.TYPE_CHECKING:  # or a checker would take any name for one of these

    def __getattr__(name: str) -> _typing.Any:
        if name not in _HOME:
            raise AttributeError(f"module 'scmi.estimators' has no attribute {name!r}")
        value = getattr(_importlib.import_module(f"scmi.estimators.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
