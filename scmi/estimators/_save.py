"""A fitted estimator in one file without code: an ``.npz`` of its arrays, and JSON for the rest."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from scmi._version import __version__
from scmi.estimators.inference.attribution import FeatureInformation
from scmi.estimators.inference.heldout import HeldOut
from scmi.estimators.inference.subsampling import DRIFT
from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.inputs.rows import Scale
from scmi.estimators.latent.descend import History, resolve_device
from scmi.estimators.latent.layers import MLP, RadialBasis
from scmi.estimators.latent.model import LatentModel
from scmi.estimators.neighbours.ksg import KSG

from ._fold import Fold
from .result import LMIResult
from .settings import Settings

__all__ = ["load", "save"]

FORMAT = "scmi.LMI"
# To be raised with every change that readers of before would misread.
VERSION = 2
META = "meta"

MAPS = ("encoder_x", "encoder_y", "decoder_xy", "decoder_yx")
SCALES = ("scale_x", "scale_y")
HELD_OUT = ("x", "y", "groups", "strata")
PARAMS = ("mi", "mi_ksg", "corrected", "correction", "se", "se_parts", "p", "missing", "settled", "params")
ARRAYS = ("pmi", "fold", "z_x", "z_y", "null")
CURVES = ("step", "train", "validation")
INFORMATION = ("information_x_", "information_y_")
NAMES = ("feature_names_in_", "feature_names_y_")

Arrays = dict[str, NDArray[Any]]
Estimator = TypeVar("Estimator")


def save(estimator: Any, folds: Sequence[Fold], path: str | PathLike[str]) -> None:
    """Write a fitted estimator."""
    arrays: Arrays = {}
    result = estimator.result_
    params = estimator.get_params(deep=False)
    if isinstance(params["preset"], Settings):
        params["preset"] = asdict(params["preset"])
    if isinstance(params["rng"], np.random.Generator):
        params["rng"] = None
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "scmi": __version__,
        "params": params,
        "n_features": [estimator.n_features_in_, estimator.n_features_y_],
        "feature_names": {name: list(getattr(estimator, name)) for name in NAMES if hasattr(estimator, name)},
        "result": {name: getattr(result, name) for name in PARAMS},
        "folds": [_take_apart(fold, f"folds/{i}", arrays) for i, fold in enumerate(folds)],
    }
    arrays |= {f"result/{name}": getattr(result, name) for name in ARRAYS}
    arrays["result/ci"] = np.array(result.ci)
    arrays |= {f"result/drift/{name}": result.drift[name].to_numpy() for name in result.drift}
    arrays |= {f"result/pairs/{name}": values for name, values in result.pairs._asdict().items()}
    for side in INFORMATION:
        arrays |= {f"{side}/{name}": values for name, values in vars(getattr(estimator, side)).items()}
    content: dict[str, Any] = {META: np.array(json.dumps(meta, default=_plain)), **arrays}
    # Through an open file: given a path, NumPy would append its own ending.
    with open(path, "wb") as file:
        np.savez(file, **content)


def load(cls: type[Estimator], path: str | PathLike[str]) -> Estimator:
    """Read a fitted estimator."""
    meta, arrays = _read(path)
    params = meta["params"]
    if isinstance(params["preset"], dict):
        params["preset"] = Settings(**{**params["preset"], "hidden": tuple(params["preset"]["hidden"])})
    estimator: Any = cls(**params)
    estimator.n_features_in_, estimator.n_features_y_ = meta["n_features"]
    for name, names in meta["feature_names"].items():
        setattr(estimator, name, np.asarray(names, dtype=object))
    device = resolve_device(estimator.device)
    pairs = Draw(*(arrays[f"result/pairs/{name}"] for name in Draw._fields))
    of_fold = [np.flatnonzero((arrays["result/fold"] == i) & (pairs.pairing == 0)) for i in range(len(meta["folds"]))]
    folds = [
        _put_together(parts, f"folds/{i}", arrays, Draw(*(part[at] for part in pairs)), device)
        for i, (parts, at) in enumerate(zip(meta["folds"], of_fold, strict=True))
    ]
    estimator.folds_ = folds
    for side in INFORMATION:
        fields = {field.name: arrays[f"{side}/{field.name}"] for field in dataclasses.fields(FeatureInformation)}
        setattr(estimator, side, FeatureInformation(**fields))
    stored: dict[str, Any] = {name: arrays[f"result/{name}"] for name in ARRAYS}
    estimator.result_ = LMIResult(
        **meta["result"],
        ci=tuple(arrays["result/ci"].tolist()),
        **stored,
        drift=pd.DataFrame({name: arrays[f"result/drift/{name}"] for name in DRIFT}),
        pairs=pairs,
        history=tuple(fold.history for fold in folds),
    )
    fitted: Estimator = estimator
    return fitted


def _read(path: str | PathLike[str]) -> tuple[dict[str, Any], Arrays]:
    stranger = f"{path} was not written by `LMI.save`."
    with open(path, "rb") as file:  # a missing one raises by itself
        if not zipfile.is_zipfile(file):
            raise ValueError(stranger)
    with np.load(path, allow_pickle=False) as stored:
        if META not in stored.files:
            raise ValueError(stranger)
        meta = json.loads(str(stored[META]))
        if meta.get("format") != FORMAT:
            raise ValueError(stranger)
        if meta["version"] != VERSION:
            way_out = "Update scmi." if meta["version"] > VERSION else "Fit again."
            raise ValueError(
                f"{path} is of version {meta['version']}, written by scmi {meta['scmi']}; this is scmi {__version__}, "
                f"which reads version {VERSION}. {way_out}"
            )
        return meta, {name: stored[name] for name in stored.files if name != META}


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't be written as JSON.")


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
            else:
                layers[name].append({"kernel": "radial"})
    for name in SCALES:
        arrays |= {f"{at}/{name}/{part}": values for part, values in vars(getattr(fold, name)).items()}
    arrays |= {f"{at}/history/{name}": getattr(fold.history, name) for name in CURVES}
    arrays |= {f"{at}/held_out/{name}": getattr(fold.held_out, name) for name in HELD_OUT}
    return {
        "kind": fold.model.kind,
        "layers": layers,
        "k": fold.ksg.k,
        "metric": fold.ksg.metric,
        "best_step": fold.history.best_step,
        "improving": fold.history.improving,
    }


def _put_together(parts: dict[str, Any], at: str, arrays: Arrays, pairs: Draw, device: torch.device) -> Fold:
    maps = [
        nn.Sequential(
            *(_layer(layer, f"{at}/{name}/{i}", arrays, device) for i, layer in enumerate(parts["layers"][name]))
        )
        for name in MAPS
    ]
    scale_x, scale_y = (
        Scale(*(arrays[f"{at}/{name}/{part}"] for part in ("mean", "factor", "limit"))) for name in SCALES
    )
    curves = {name: arrays[f"{at}/history/{name}"] for name in CURVES}
    return Fold(
        model=LatentModel(parts["kind"], *maps),
        scale_x=scale_x,
        scale_y=scale_y,
        history=History(**curves, best_step=parts["best_step"], improving=parts["improving"]),
        ksg=KSG(parts["k"], parts["metric"]),
        pairs=pairs,
        held_out=HeldOut(**{name: arrays[f"{at}/held_out/{name}"] for name in HELD_OUT}),
    )


def _layers(network: nn.Module) -> Iterator[MLP | RadialBasis]:
    """The perceptrons and kernels of a map, in the order in which they are applied."""
    return (module for module in network.modules() if isinstance(module, (MLP, RadialBasis)))


def _layer(parts: dict[str, Any], at: str, arrays: Arrays, device: torch.device) -> MLP | RadialBasis:
    if "kernel" in parts:
        return RadialBasis(*(torch.tensor(arrays[f"{at}/{name}"], device=device) for name in ("landmarks", "width")))
    return _mlp(parts, at, arrays, device)


def _mlp(parts: dict[str, Any], at: str, arrays: Arrays, device: torch.device) -> MLP:
    weights = [arrays[f"{at}/weights/{j}"] for j in range(parts["n"])]
    sizes = [weights[0].shape[1], *map(len, weights)]
    mlp = MLP(sizes, torch.Generator(device), last_activation=parts["last_activation"])
    for j, weight in enumerate(weights):
        mlp.weights[j].data = torch.tensor(weight, device=device)
        mlp.biases[j].data = torch.tensor(arrays[f"{at}/biases/{j}"], device=device)
    return mlp.requires_grad_(False)
