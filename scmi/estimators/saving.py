"""A fitted estimator in one file without code: an ``.npz`` of its arrays, and JSON for the rest."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

import scmi

from .attribution import FeatureInformation
from .folds import FoldModel
from .kernel import RadialBasis
from .networks import MLP
from .pairing import Draw
from .result import LMIResult
from .rows import Scale
from .settings import Settings
from .subsampling import DRIFT
from .training import History, resolve_device

if TYPE_CHECKING:
    from .lmi import LMI

__all__ = ["SavedModel", "load", "save"]

FORMAT = "scmi.LMI"
# To be raised with every change that readers of before would misread.
VERSION = 1
META = "meta"

MAPS = ("encoder_x", "encoder_y", "decoder_xy", "decoder_yx")
SCALES = ("scale_x", "scale_y")
PARAMS = ("mi", "mi_corrected", "corrected", "correction", "se", "se_parts", "p", "missing", "settled", "params")
ARRAYS = ("pmi", "fold", "z_x", "z_y", "null")
CURVES = ("step", "train", "validation")
INFORMATION = ("information_x_", "information_y_")
NAMES = ("feature_names_in_", "feature_names_y_")

Arrays = dict[str, NDArray[Any]]
Estimator = TypeVar("Estimator", bound="LMI")


class SavedModel(nn.Module):
    """What is left of a latent model of any kind: the layers of its encoders and cross-decoders."""

    def __init__(
        self, encoder_x: nn.Sequential, encoder_y: nn.Sequential, decoder_xy: nn.Sequential, decoder_yx: nn.Sequential
    ) -> None:
        super().__init__()
        self.encoder_x, self.encoder_y = encoder_x, encoder_y
        self.decoder_xy, self.decoder_yx = decoder_xy, decoder_yx


def save(estimator: "LMI", models: Sequence[FoldModel], path: str | PathLike[str]) -> None:
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
        "scmi": scmi.__version__,
        "params": params,
        "n_features": [estimator.n_features_in_, estimator.n_features_y_],
        "feature_names": {name: list(getattr(estimator, name)) for name in NAMES if hasattr(estimator, name)},
        "result": {name: getattr(result, name) for name in PARAMS},
        "models": [_take_apart(model, f"models/{i}", arrays) for i, model in enumerate(models)],
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
    estimator = cls(**params)
    estimator.n_features_in_, estimator.n_features_y_ = meta["n_features"]
    for name, names in meta["feature_names"].items():
        setattr(estimator, name, np.asarray(names, dtype=object))
    device = resolve_device(estimator.device)
    models = [_put_together(parts, f"models/{i}", arrays, device) for i, parts in enumerate(meta["models"])]
    estimator.models_ = models
    for side in INFORMATION:
        fields = {field.name: arrays[f"{side}/{field.name}"] for field in dataclasses.fields(FeatureInformation)}
        setattr(estimator, side, FeatureInformation(**fields))
    stored: dict[str, Any] = {name: arrays[f"result/{name}"] for name in ARRAYS}
    estimator.result_ = LMIResult(
        **meta["result"],
        ci=tuple(arrays["result/ci"].tolist()),
        **stored,
        drift=pd.DataFrame({name: arrays[f"result/drift/{name}"] for name in DRIFT}),
        pairs=Draw(*(arrays[f"result/pairs/{name}"] for name in Draw._fields)),
        history=tuple(model.history for model in models),
    )
    return estimator


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
        if meta["version"] > VERSION:
            raise ValueError(
                f"{path} is of version {meta['version']}, written by scmi {meta['scmi']}; this is scmi "
                f"{scmi.__version__}, which reads versions up to {VERSION}. Update scmi."
            )
        return meta, {name: stored[name] for name in stored.files if name != META}


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't be written as JSON.")


def _take_apart(fold: FoldModel, at: str, arrays: Arrays) -> dict[str, Any]:
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
    arrays |= {f"{at}/reference_x": fold.reference_x, f"{at}/reference_y": fold.reference_y}
    return {"layers": layers, "best_step": fold.history.best_step, "improving": fold.history.improving}


def _put_together(parts: dict[str, Any], at: str, arrays: Arrays, device: torch.device) -> FoldModel:
    maps = [
        nn.Sequential(
            *(_layer(layer, f"{at}/{name}/{i}", arrays, device) for i, layer in enumerate(parts["layers"][name]))
        )
        for name in MAPS
    ]
    scale_x, scale_y = (Scale(arrays[f"{at}/{name}/mean"], arrays[f"{at}/{name}/factor"]) for name in SCALES)
    curves = {name: arrays[f"{at}/history/{name}"] for name in CURVES}
    return FoldModel(
        SavedModel(*maps),
        scale_x,
        scale_y,
        History(**curves, best_step=parts["best_step"], improving=parts["improving"]),
        arrays[f"{at}/reference_x"],
        arrays[f"{at}/reference_y"],
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
