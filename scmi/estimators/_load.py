"""Reading a fitted estimator that was saved, with a check of all that it holds before any of it is used."""

import dataclasses
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, TypeVar, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from scmi._archive import Archive, Node, read_archive
from scmi._warnings import warn
from scmi.estimators.inference.attribution import FeatureInformation
from scmi.estimators.inference.heldout import HeldOut
from scmi.estimators.inference.interval import combined, interval
from scmi.estimators.inference.learning import Learning
from scmi.estimators.inference.subsampling import DRIFT
from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.inputs.rows import Scale
from scmi.estimators.latent.descend import History
from scmi.estimators.latent.devices import missing, resolve_device
from scmi.estimators.latent.layers import MLP, NormalScores, RadialBasis
from scmi.estimators.latent.model import Kind, LatentModel
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.windows import Metric

from ._fold import Fold
from ._save import FORMAT, INFORMATION, LEARNING, MAPS, NAMES, RESULT, VERSION
from .configuration import Configuration
from .result import LMIResult
from .settings import Settings

__all__ = ["load"]

# Parameters of the configuration that a result repeats; those of the settings come on top.
OF_RESULT = ("k", "objective", "lam", "alpha", "n_permutations", "null", "n_retrain", "n_splits", "n_pairings")

Estimator = TypeVar("Estimator")


def load(cls: type[Estimator], path: str | PathLike[str]) -> Estimator:
    """Read a fitted estimator; whatever does not fit together raises a ValueError that names the file."""
    archive = read_archive(path, FORMAT, VERSION, "`LMI.save`")
    estimator: Any = _unfitted(cls, archive)
    n_features = archive.root.integers("n_features", 1)
    if len(n_features) != 2:
        archive.refuse(f"it has {len(n_features)} numbers of features, not two")
    estimator.n_features_in_, estimator.n_features_y_ = n_features
    _name_features(estimator, archive)
    pairs, fold = _pairs(archive), archive.numbers("result/fold", "int", (None,), least=-1)
    device = _device(estimator, archive)
    estimator.folds_ = []
    for i, parts in enumerate(archive.root.nodes("folds")):
        estimator.folds_.append(_put_together(parts, f"folds/{i}", archive, pairs, n_features, device))
    for side, n in zip(INFORMATION, n_features, strict=True):
        names = [field.name for field in dataclasses.fields(FeatureInformation)]
        setattr(estimator, side, FeatureInformation(**{k: archive.take(f"{side}/{k}", "f8", (n,)) for k in names}))
    estimator.result_ = _result(archive, estimator.folds_, pairs, fold)
    archive.check_all_taken()
    fitted: Estimator = estimator
    return fitted


def _unfitted(cls: type[Estimator], archive: Archive) -> Estimator:
    """An estimator with the parameters of the one that was saved."""
    params = archive.root.node("params")
    params.check_names([field.name for field in dataclasses.fields(Configuration)])
    params.text("device")
    if params.get("rng") is not None:
        params.integer("rng", 0)
    if params.get("n_jobs") is not None:
        params.integer("n_jobs", -(2**31), 2**31)
    if params.get("progress") is not None:
        params.flag("progress")
    values = dict(params.values)
    if isinstance(values["preset"], dict):
        values["preset"] = _settings(params.node("preset"))
    return _checked(cls, values, archive)


def _checked(cls: type[Estimator], values: dict[str, Any], archive: Archive) -> Estimator:
    """An estimator, if its parameters can be."""
    try:
        estimator: Any = cls(**values)
        estimator.check()
    except (TypeError, ValueError) as error:
        archive.refuse(f"it has parameters that can't be ({error})")
    checked: Estimator = estimator
    return checked


def _settings(node: Node, more: Iterable[str] = ()) -> Settings:
    """Architecture and training; ``more`` names what else the node holds."""
    values = {name: value for name, value in node.values.items() if name not in set(more)}
    node.integers("hidden", 1)
    try:
        return Settings(**values)
    except (TypeError, ValueError) as error:
        node.refuse(f"it has settings that can't be ({error})")


def _name_features(estimator: Any, archive: Archive) -> None:
    node = archive.root.node("feature_names")
    for name, n in zip(NAMES, (estimator.n_features_in_, estimator.n_features_y_), strict=True):
        if name in node.values:
            names = node.texts(name)
            if len(names) != n:
                archive.refuse(f"it names {len(names)} features, but has {n}")
            setattr(estimator, name, np.asarray(names, dtype=object))


def _device(estimator: Any, archive: Archive) -> torch.device:
    """The device that the estimator asks for, or another where there is none such."""
    here = resolve_device("auto")
    if estimator.device == "auto":
        return here
    try:
        device = torch.device(estimator.device)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        archive.refuse(f"device={estimator.device!r} is not a torch device")
    if not missing(device):
        return device
    warn(
        "device",
        f"The model was fitted with device={estimator.device!r}, which is not to be had here: it is loaded to {here}, "
        "and its `device` is now 'auto'. Numbers may differ in their last digits.",
    )
    estimator.device = "auto"
    return here


def _pairs(archive: Archive) -> Draw:
    row = [archive.numbers(f"result/pairs/{name}", "int", (None,), least=0) for name in Draw._fields]
    pairs = Draw(*row)
    if len({len(part) for part in pairs}) > 1 or not len(pairs.barcode):
        archive.refuse("its pairs have parts of unequal length, or there are none")
    present = np.unique(pairs.pairing)
    if not np.array_equal(present, np.arange(len(present))):
        archive.refuse("its pairings are not numbered from 0")
    return pairs


def _put_together(
    parts: Node, at: str, archive: Archive, pairs: Draw, n_features: Sequence[int], device: torch.device
) -> Fold:
    held_out = _held_out(f"{at}/held_out", archive)
    rows = np.flatnonzero((pairs.pairing == 0) & np.isin(pairs.barcode, held_out.barcodes))
    own = Draw(*(part[rows] for part in pairs))
    if not np.array_equal(own.barcode, held_out.barcodes):
        archive.refuse(f"the barcodes of {at!r} are not those of its pairs")
    n_latent = held_out.x.shape[1]
    n_x, n_y = n_features
    ends = {"encoder_x": (n_x, n_latent), "encoder_y": (n_y, n_latent)}
    ends |= {"decoder_xy": (n_latent, n_y), "decoder_yx": (n_latent, n_x)}
    layers = parts.node("layers")
    maps = {name: _map(layers.nodes(name), f"{at}/{name}", archive, ends[name], device) for name in MAPS}
    curves = {"step": archive.numbers(f"{at}/history/step", "int", (None,), least=0)}
    n_steps = len(curves["step"])
    curves |= {name: archive.take(f"{at}/history/{name}", "f8", (n_steps,)) for name in ("train", "validation")}
    return Fold(
        model=LatentModel(_literal(parts, "kind", Kind), **maps),
        scale_x=_scale(f"{at}/scale_x", archive, n_x),
        scale_y=_scale(f"{at}/scale_y", archive, n_y),
        history=History(
            **curves,
            best_step=parts.integer("best_step", 0, max(curves["step"], default=0)),
            improving=parts.flag("improving"),
        ),
        # A pair's neighbours are the others.
        ksg=KSG(parts.integer("k", 1, len(held_out) - 1), _literal(parts, "metric", Metric)),
        pairs=own,
        held_out=held_out,
    )


def _literal(node: Node, name: str, choices: object) -> Any:
    return node.text(name, get_args(choices))


def _held_out(at: str, archive: Archive) -> HeldOut:
    x = archive.numbers(f"{at}/x", "f8", (None, None))
    y = archive.numbers(f"{at}/y", "f8", x.shape)
    if 0 in x.shape:
        archive.refuse(f"{at!r} is empty")
    n_pairs = len(x)
    labels = [archive.take(f"{at}/{name}", "int", (n_pairs,)) for name in ("groups", "strata")]
    barcodes = archive.numbers(f"{at}/barcodes", "int", (n_pairs,), least=0)
    if len(np.unique(barcodes)) < n_pairs:
        archive.refuse(f"barcodes of {at!r} occur twice")
    return HeldOut(x, y, labels[0], labels[1], barcodes)


def _scale(at: str, archive: Archive, n: int) -> Scale:
    mean = archive.numbers(f"{at}/mean", "f8", (n,))
    factor = archive.numbers(f"{at}/factor", "f8", (n,), least=0)
    stored = archive.arrays.get(f"{at}/limit")
    shape = () if stored is None or stored.ndim == 0 else (n,)  # of all columns, or of each
    return Scale(mean, factor, archive.numbers(f"{at}/limit", "f8", shape, least=0))


def _map(
    layers: Iterable[Node], at: str, archive: Archive, ends: tuple[int, int], device: torch.device
) -> nn.Sequential:
    """Layers that each take what the one before gives."""
    width, last = ends
    made: list[nn.Module] = []
    for i, layer in enumerate(layers):
        if "kernel" in layer.values:
            basis = _radial_basis(layer, f"{at}/{i}", archive, width, device)
            made.append(basis)
            width = len(basis.landmarks)
        elif "scores" in layer.values:
            made.append(_normal_scores(layer, f"{at}/{i}", archive, width, device))
        else:
            mlp = _mlp(layer, f"{at}/{i}", archive, width, device)
            made.append(mlp)
            width = len(mlp.biases[-1])
    if width != last:
        archive.refuse(f"the layers of {at!r} end with {width} values, not {last}")
    return nn.Sequential(*made)


def _radial_basis(layer: Node, at: str, archive: Archive, n_in: int, device: torch.device) -> RadialBasis:
    layer.text("kernel", ["radial"])
    landmarks = archive.numbers(f"{at}/landmarks", "f4", (None, n_in))
    width = archive.numbers(f"{at}/width", "f4", (), least=float(np.finfo(np.float32).tiny))
    if not len(landmarks):
        archive.refuse(f"{at!r} has no landmarks")
    return RadialBasis(torch.tensor(landmarks, device=device), torch.tensor(width, device=device))


def _normal_scores(layer: Node, at: str, archive: Archive, n_in: int, device: torch.device) -> NormalScores:
    layer.text("scores", ["normal"])
    knots = archive.numbers(f"{at}/knots", "f4", (n_in, None))
    scores = archive.numbers(f"{at}/scores", "f4", knots.shape)
    if knots.shape[1] < 2 or any((np.diff(part, axis=1) < 0).any() for part in (knots, scores)):
        archive.refuse(f"{at!r} has knots or scores that don't rise, or fewer than two")
    return NormalScores(torch.tensor(knots, device=device), torch.tensor(scores, device=device))


def _mlp(layer: Node, at: str, archive: Archive, n_in: int, device: torch.device) -> MLP:
    sizes, weights, biases = [n_in], [], []
    for j in range(layer.integer("n", 1, len(archive.arrays))):
        weights.append(archive.numbers(f"{at}/weights/{j}", "f4", (None, sizes[-1])))
        sizes.append(len(weights[-1]))
        biases.append(archive.numbers(f"{at}/biases/{j}", "f4", (sizes[-1],)))
    if 0 in sizes:
        archive.refuse(f"{at!r} has a layer of no units")
    mlp = MLP(sizes, torch.Generator(device), last_activation=layer.flag("last_activation"))
    for j, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        mlp.weights[j].data, mlp.biases[j].data = torch.tensor(weight, device=device), torch.tensor(bias, device=device)
    return mlp.requires_grad_(False)


def _result(archive: Archive, folds: Sequence[Fold], pairs: Draw, fold: NDArray[np.int64]) -> LMIResult:
    node = archive.root.node("result")
    node.check_names(RESULT)
    n, n_latent = len(pairs.barcode), folds[0].n_latent
    pmi = archive.take("result/pmi", "f8", (n,))
    estimated = ~np.isnan(pmi)
    by_split = archive.numbers("result/mi_by_split", "f8", (None,))
    first = folds[: len(folds) // max(len(by_split), 1)]
    matches = (
        len(by_split) > 0
        and len(first) * len(by_split) == len(folds)
        and len(fold) == n
        and np.array_equal(estimated, fold >= 0)
        and all(
            np.array_equal(np.unique(pairs.barcode[fold == i]), np.unique(one.held_out.barcodes))
            for i, one in enumerate(first)
        )
        and np.isclose(by_split.mean(), pmi[estimated].mean())
    )
    if not matches or np.isinf(pmi).any():
        archive.refuse("its pMI are not those of the pairs of its folds")
    z_x, z_y = (archive.numbers(f"result/{name}", "f4", (None, n_latent)) for name in ("z_x", "z_y"))
    if pairs.row_x.max() >= len(z_x) or pairs.row_y.max() >= len(z_y):
        archive.refuse("its pairs name rows that are not there")
    _check_made(node.node("params"), archive, folds, len(by_split), int(pairs.pairing.max()) + 1)
    drift = {name: archive.take(f"result/drift/{name}", "number", (None,)) for name in DRIFT}
    if len({len(column) for column in drift.values()}) > 1:
        archive.refuse("its drift has columns of unequal length")
    estimate = _estimate(node, archive, float(pmi[estimated].mean()))
    learning = archive.root.node("learning")
    grown = {name: learning.number(name, missing=True) for name in LEARNING}
    return LMIResult(
        **estimate,
        learning=Learning(mi=estimate["mi"], **grown),
        params=node.get("params"),
        null=archive.numbers("result/null", "f8", (None,)),
        drift=pd.DataFrame(drift),
        pmi=pmi,
        fold=fold,
        z_x=z_x,
        z_y=z_y,
        mi_by_split=by_split,
        pairs=pairs,
        history=tuple(one.history for one in folds),
    )


def _estimate(node: Node, archive: Archive, mean: float) -> dict[str, Any]:
    """The estimate and its error, which have to follow from each other."""
    mi, mi_ksg, corrected = node.number("mi"), node.number("mi_ksg"), node.flag("corrected")
    se, p = node.number("se", missing=True), node.number("p", missing=True)
    parts, missing = node.node("se_parts"), node.node("missing")
    se_parts = {name: parts.number(name, missing=True) for name in parts.values}
    ci = tuple(archive.take("result/ci", "f8", (2,)).tolist())
    follows = (
        np.isclose(mi_ksg, mean)
        and (mi >= mi_ksg if corrected else mi == mi_ksg)
        and np.isclose(se, combined(se_parts), equal_nan=True)
        and np.allclose(ci, interval(mi, se, saturated=ci[1] == np.inf), equal_nan=True)
        and (np.isnan(p) or 0 <= p <= 1)
    )
    if not follows:
        archive.refuse("its estimate does not follow from its pMI, or its interval not from its error")
    return {
        "mi": mi,
        "mi_ksg": mi_ksg,
        "corrected": corrected,
        "correction": node.text("correction"),
        "se": se,
        "se_parts": se_parts,
        "ci": ci,
        "p": p,
        "missing": {name: missing.text(name) for name in missing.values},
        "settled": node.flag("settled"),
    }


def _check_made(params: Node, archive: Archive, folds: Sequence[Fold], n_splits: int, n_pairings: int) -> None:
    """Raise unless what the result says of how it was made is true of the folds."""
    settings = [field.name for field in dataclasses.fields(Settings)]
    others = [name for name in params.values if name not in settings]
    made = {name: params.get(name) for name in OF_RESULT}
    _checked(Configuration, {**made, "preset": _settings(params, others)}, archive)
    params.text("device")
    params.text("version")
    if params.get("rng") is not None:
        params.integer("rng", 0)
    for name, of_folds in (
        ("n_latent", [fold.n_latent for fold in folds]),
        ("latent_model", [fold.model.kind for fold in folds]),
        ("k", folds[0].ksg.k),
        ("metric", folds[0].ksg.metric),
        ("n_splits", n_splits),
        ("n_pairings", n_pairings),
    ):
        if params.get(name) != of_folds:
            archive.refuse(f"its result says {name}={params.get(name)!r:.50}, its folds {of_folds}")
    if any(fold.ksg != folds[0].ksg for fold in folds):
        archive.refuse("its folds count neighbours in different ways")
