"""A fitted estimator in one file without code: an ``.npz`` of its arrays, and JSON for the rest."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scmi._archive import write_archive
from scmi._version import __version__
from scmi.estimators.inputs.checks import as_plain
from scmi.estimators.latent.layers import MLP, NormalScores, RadialBasis

from ._fold import Fold
from .settings import Settings

__all__ = ["ARRAYS", "FORMAT", "INFORMATION", "LEARNING", "MAPS", "NAMES", "RESULT", "VERSION", "save"]

FORMAT = "scmi.LMI"
# To be raised with every change that readers of before would misread.
VERSION = 5

MAPS = ("encoder_x", "encoder_y", "decoder_xy", "decoder_yx")
SCALES = ("scale_x", "scale_y")
HELD_OUT = ("x", "y", "groups", "strata", "barcodes")
RESULT = ("mi", "mi_ksg", "corrected", "correction", "se", "se_parts", "p", "missing", "settled", "params")
LEARNING = ("growth", "se")
ARRAYS = ("pmi", "fold", "z_x", "z_y", "null", "mi_by_split")
CURVES = ("step", "train", "validation")
INFORMATION = ("information_x_", "information_y_")
NAMES = ("feature_names_in_", "feature_names_y_")
Arrays = dict[str, NDArray[Any]]


def save(estimator: Any, folds: Sequence[Fold], path: str | PathLike[str]) -> None:
    """Write a fitted estimator, whole or not at all."""
    arrays: Arrays = {}
    result = estimator.result_
    estimator.check()  # they may have been set after fit, and would be refused when they are read
    params = estimator.get_params(deep=False)
    params["rng"] = _seed(params["rng"])
    if isinstance(params["preset"], Settings):
        params["preset"] = asdict(params["preset"])
    if isinstance(params["device"], torch.device):
        params["device"] = str(params["device"])
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "scmi": __version__,
        "params": {name: as_plain(name, value) for name, value in params.items()},
        "n_features": [estimator.n_features_in_, estimator.n_features_y_],
        "feature_names": {name: list(getattr(estimator, name)) for name in NAMES if hasattr(estimator, name)},
        "result": {name: as_plain(f"result_.{name}", getattr(result, name)) for name in RESULT},
        "learning": {name: float(getattr(result.learning, name)) for name in LEARNING},
        "folds": [_take_apart(fold, f"folds/{i}", arrays) for i, fold in enumerate(folds)],
    }
    arrays |= {f"result/{name}": getattr(result, name) for name in ARRAYS}
    arrays["result/ci"] = np.array(result.ci)
    arrays |= {f"result/drift/{name}": result.drift[name].to_numpy() for name in result.drift}
    arrays |= {f"result/pairs/{name}": values for name, values in result.pairs._asdict().items()}
    for side in INFORMATION:
        arrays |= {f"{side}/{name}": values for name, values in vars(getattr(estimator, side)).items()}
    write_archive(path, meta, {name: np.asarray(values) for name, values in arrays.items()})


def _seed(rng: object) -> int | None:
    """An integer, of any kind, is kept; of generators only a new fit would know the state."""
    try:
        return operator.index(rng)  # type: ignore[arg-type]
    except TypeError:
        return None


def _take_apart(fold: Fold, at: str, arrays: Arrays) -> dict[str, Any]:
    """Put a fold's arrays under names of their own; what is left is returned."""
    layers: dict[str, list[dict[str, Any]]] = {}
    for name in MAPS:
        layers[name] = []
        for i, layer in enumerate(_layers(getattr(fold.model, name))):
            values = {key: value.detach().cpu().numpy() for key, value in layer.state_dict().items()}
            arrays |= {f"{at}/{name}/{i}/{key.replace('.', '/')}": value for key, value in values.items()}
            if isinstance(layer, MLP):
                layers[name].append({"n": len(layer.weights), "last_activation": layer.last_activation})
            elif isinstance(layer, RadialBasis):
                layers[name].append({"kernel": "radial"})
            else:
                layers[name].append({"scores": "normal"})
    for name in SCALES:
        arrays |= {f"{at}/{name}/{part}": values for part, values in vars(getattr(fold, name)).items()}
    arrays |= {f"{at}/history/{name}": getattr(fold.history, name) for name in CURVES}
    arrays |= {f"{at}/held_out/{name}": getattr(fold.held_out, name) for name in HELD_OUT}
    return {
        "kind": fold.model.kind,
        "layers": layers,
        "k": operator.index(fold.ksg.k),
        "metric": fold.ksg.metric,
        "best_step": operator.index(fold.history.best_step),
        "improving": bool(fold.history.improving),
    }


def _layers(network: nn.Module) -> Iterator[MLP | RadialBasis | NormalScores]:
    """The perceptrons, kernels and scores of a map, in the order in which they are applied."""
    return (module for module in network.modules() if isinstance(module, (MLP, RadialBasis, NormalScores)))
