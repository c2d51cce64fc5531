"""The estimate itself: split by barcode, train on one half, encode the other, and KSG in the latent spaces."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scmi._progress import Tick
from scmi._warnings import user_stacklevel

from ._sources import Matrix
from .cautions import cautions
from .correction import correct
from .jobs import run_jobs
from .ksg import ksg_on
from .pairing import Draw, Pairing, split
from .plan import Plan
from .result import LMIResult, mi_by_pairing
from .settings import Settings
from .uncertainty import held_out_pairs, uncertainty

if TYPE_CHECKING:  # torch is imported when a model is first trained
    import torch
    from torch import nn

    from .choice import LatentModel
    from .rows import Scale
    from .training import History

__all__ = ["MIN_PAIRS", "FoldModel", "check_enough", "estimate", "measure", "run_folds"]

# Halves of 10: 8 pairs to train on, 2 to stop by, and enough on the other side for a third neighbour.
MIN_PAIRS = 20
# Early stopping looks at about this many validation pairs: enough for a stable loss, few enough to cost nothing.
VALIDATION_PAIRS = 2048
# A clone offers cells_x * cells_y pairs, but they say much the same.
VALIDATION_PAIRINGS = 10
CHUNK = 8192
# Exact KSG takes a time that grows with the square of the pairs. More than this are estimated in random batches, as the
# paper does from 1,000 on.
KSG_PAIRS = 50_000

# Latent dimensions of a network, where the user names none.
N_LATENT = 8
# Pairings whose latents the bias correction looks at: they hold the same barcodes, so more of them add little, and where
# there are many barcodes one is enough.
CORRECTED_PAIRINGS = 4
MANY_BARCODES = 3000

Index = NDArray[np.int64]
Latent = NDArray[np.float32]
Trained = tuple["LatentModel", tuple["Scale", "Scale"], "History"]


@dataclass(frozen=True)
class FoldModel:
    """One fold's latent model and scales, its course of training, and the held-out pairs that new pairs are judged by."""

    model: "LatentModel"
    scale_x: "Scale"
    scale_y: "Scale"
    history: "History"
    reference_x: Latent
    reference_y: Latent

    def encode_x(self, x: Matrix) -> Latent:
        """Latent representation of rows of x."""
        return _apply([self.model.encoder_x], x, self.scale_x)

    def encode_y(self, y: Matrix) -> Latent:
        """Latent representation of rows of y."""
        return _apply([self.model.encoder_y], y, self.scale_y)

    def predict_y(self, x: Matrix) -> NDArray[np.float64]:
        """What the cross-decoder expects of y, in y's own units."""
        return self.scale_y.undo(_apply([self.model.encoder_x, self.model.decoder_xy], x, self.scale_x))

    def predict_x(self, y: Matrix) -> NDArray[np.float64]:
        """What the cross-decoder expects of x, in x's own units."""
        return self.scale_x.undo(_apply([self.model.encoder_y, self.model.decoder_yx], y, self.scale_y))


class Measured(NamedTuple):
    """The plain estimate in bits, its pairs' pMI and fold, the models, and the latents that it was made from."""

    mi: float
    pmi: NDArray[np.float64]
    fold: Index
    models: list[FoldModel]
    samples: list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def estimate(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    plan: Plan,
    *,
    rng: np.random.Generator,
    progress: Tick,
    strata: Index | None = None,
) -> tuple[LMIResult, list[FoldModel]]:
    """Train one model per fold and estimate random pairings of the barcodes it never saw.

    No estimated pairing influences a gradient, a stopping time or a scale: the halves are split by whole groups of
    barcodes, and the validation pairs for early stopping come from the training half. ``strata`` labels the rows of x.
    What the plan says of retraining is left to :func:`scmi.estimators.retraining.estimate_and_retrain`.
    """
    settings = plan.settings
    check_enough(pairing, plan.k)
    split_rng, draw_rng, batch_rng, correction_rng, *fold_rngs, error_rng = rng.spawn(7)
    pairs = pairing.draw(draw_rng, plan.n_pairings)
    mi, pmi, fold_of_pair, models, samples = measure(
        x, y, pairing, pairs, plan, rngs=(split_rng, batch_rng, *fold_rngs), progress=progress
    )
    correction = correct(samples, mi, k=plan.k, metric=settings.metric, rng=correction_rng)
    error = uncertainty(
        held_out_pairs(models, pairs, fold_of_pair, pairing.groups, strata),
        mi,
        mi_by_pairing(pairs, pmi),
        k=plan.k,
        metric=settings.metric,
        n_permutations=plan.n_permutations,
        rng=error_rng,
    )
    result = LMIResult(
        mi=mi,
        mi_corrected=correction.mi,
        corrected=correction.applied,
        correction=correction.reason,
        se=error.se,
        se_parts=error.se_parts,
        ci=error.ci,
        p=error.p,
        null=error.null,
        missing=error.missing,
        drift=error.drift,
        settled=error.settled,
        pmi=pmi,
        fold=fold_of_pair,
        pairs=pairs,
        z_x=models[0].encode_x(x),
        z_y=models[0].encode_y(y),
        history=tuple(model.history for model in models),
        params={
            "n_latent": [model.reference_x.shape[1] for model in models],
            **{
                name: getattr(plan, name) for name in ("k", "objective", "lam", "alpha", "n_pairings", "n_permutations")
            },
            "latent_model": [_kind(model.model) for model in models],
            **{name: list(v) if isinstance(v, tuple) else v for name, v in asdict(settings).items()},
        },
    )
    for caution in cautions(
        mi,
        min(KSG_PAIRS, len(samples[0][0])),
        max(model.reference_x.shape[1] for model in models),
        improving=any(model.history.improving for model in models if _kind(model.model) == "network"),
        drifting=not (error.settled or correction.applied),
    ):
        warnings.warn(caution, UserWarning, stacklevel=user_stacklevel())
    return result, models


def measure(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    pairs: Draw,
    plan: Plan,
    *,
    rngs: Sequence[np.random.Generator],
    progress: Tick,
) -> Measured:
    """Split, train, encode and apply KSG: the estimate without correction, errors and cautions.

    ``rngs`` are those of the split, of KSG's batches and of each fold.
    """
    split_rng, batch_rng, *fold_rngs = rngs
    first, second = split(pairing.groups, 0.5, split_rng)
    folds = [(first, second), (second, first)][: plan.settings.n_folds]

    n_pairings = int(pairs.pairing.max()) + 1
    pmi = np.full(len(pairs.barcode), np.nan)
    fold_of_pair = np.full(len(pairs.barcode), -1)
    shared = {"x": x, "y": y, "pairing": pairing, "plan": plan}
    jobs = [{**shared, "training": training, "rng": rng} for (training, _), rng in zip(folds, fold_rngs, strict=False)]
    models: list[FoldModel] = []
    samples: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    trained: list[Trained] = run_folds(_train_fold, jobs, plan.n_jobs, progress)
    for fold, (model, scales, history) in enumerate(trained):
        held_out = folds[fold][1]
        is_held_out = np.isin(pairs.barcode, held_out)
        pairing_of = pairs.pairing[is_held_out]
        # Each cell is encoded once, however many pairings it is in.
        rows_x, at_x = np.unique(pairs.row_x[is_held_out], return_inverse=True)
        rows_y, at_y = np.unique(pairs.row_y[is_held_out], return_inverse=True)
        z_x = _apply([model.encoder_x], x, scales[0], rows_x)
        z_y = _apply([model.encoder_y], y, scales[1], rows_y)
        in_first = pairing_of == 0
        models.append(
            FoldModel(model, *scales, history, reference_x=z_x[at_x[in_first]], reference_y=z_y[at_y[in_first]])
        )
        where = next(model.parameters()).device
        pmi[is_held_out] = _pmi_by_pairing(where, z_x, at_x, z_y, at_y, pairing_of, plan, batch_rng)
        fold_of_pair[is_held_out] = fold
        for pairing_number in range(min(n_pairings, CORRECTED_PAIRINGS) if in_first.sum() < MANY_BARCODES else 1):
            chosen = np.flatnonzero(pairing_of == pairing_number)[:KSG_PAIRS]
            samples.append((z_x[at_x[chosen]].astype(np.float64), z_y[at_y[chosen]].astype(np.float64)))
    return Measured(float(pmi[fold_of_pair >= 0].mean()), pmi, fold_of_pair, models, samples)


def _kind(model: "LatentModel") -> str:
    from .kernel import KernelModel
    from .linear import LinearModel

    if isinstance(model, LinearModel):
        return "linear"
    return "kernel" if isinstance(model, KernelModel) else "network"


def run_folds(function: Callable[..., Any], jobs: list[dict[str, Any]], n_jobs: int, progress: Tick) -> list[Any]:
    """Call ``function(**job, threads=..., progress=...)`` for the job of every fold; the results in order."""
    import torch

    # Each fold gets its share of the threads however many folds run at once: with another number of threads the same
    # seed could give other last digits.
    before = torch.get_num_threads()
    threads = max(1, before // len(jobs))
    try:
        return run_jobs(function, [{**job, "threads": threads} for job in jobs], n_jobs, progress)
    finally:
        torch.set_num_threads(before)


def check_enough(pairing: Pairing, k: int) -> None:
    """Raise if the barcodes are too few, or too tied together, to be split in halves."""
    n = len(pairing)
    needed = max(MIN_PAIRS, 2 * (k + 1))
    if n < needed:
        raise ValueError(
            f"Only {n} pairs to estimate from; at least {needed} are needed, since half of them train the networks and "
            "the other half is estimated. Use more cells, fewer filters, or another pair_key."
        )
    sizes = np.unique(pairing.groups, return_counts=True)[1]
    if sizes.max() > 0.6 * n:
        raise ValueError(
            f"{sizes.max()} of {n} pairs belong to one group and may not part, so there are no two halves to split into. "
            "Pass finer groups, or give each cell one barcode (cells that carry several tie their barcodes together)."
        )


def _train_fold(
    *,
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    training: Index,
    plan: Plan,
    rng: np.random.Generator,
    threads: int,
    progress: Tick,
) -> Trained:
    # torch takes seconds to import, so it waits until a model is trained.
    import torch

    from .choice import Half, best_model
    from .components import ReducedModel, principal_components
    from .kernel import N_COMPONENTS
    from .rows import Rows, fit_scale
    from .training import resolve_device, train

    torch.set_num_threads(threads)
    settings, target = plan.settings, resolve_device(plan.device)
    rows_x, rows_y = pairing.rows_of(training)
    scale_x, scale_y = (fit_scale(side, rows, common=plan.common_scale) for side, rows in ((x, rows_x), (y, rows_y)))
    side_x, side_y = Rows(x, scale_x, target, keep=rows_x), Rows(y, scale_y, target, keep=rows_y)
    groups = pairing.groups[training]
    if len(np.unique(groups)) == 1:  # a half that is one group can only be stopped by its own pairs
        groups = np.arange(len(training))
    to_fit, to_validate = split(groups, settings.validation, rng)
    validation = _validation_pairs(pairing, training[to_validate], rng)
    generator = torch.Generator(target).manual_seed(int(rng.integers(2**63)))
    sides = ((x, scale_x), (y, scale_y))
    n_components = max(settings.n_components or 0, N_COMPONENTS)
    components = [
        principal_components(Rows(matrix, scale, target), n_components, rng, generator) for matrix, scale in sides
    ]
    input_x, input_y = side_x, side_y
    if settings.n_components is not None:
        layers_x, layers_y = (side.layers(settings.n_components) for side in components)
        input_x, input_y = side_x.through(layers_x[0], rows_x), side_y.through(layers_y[0], rows_y)
    trained, history = train(
        input_x,
        input_y,
        lambda rng: pairing.draw(rng, barcodes=training[to_fit]),
        validation,
        n_latent=plan.n_latent or N_LATENT,
        objective=plan.objective,
        lam=plan.lam,
        alpha=plan.alpha,
        settings=settings,
        rng=rng,
        device=target,
        progress=progress,
    )
    model: LatentModel = trained if settings.n_components is None else ReducedModel(trained, layers_x, layers_y)
    if settings.closed_form:
        half = Half(side_x, side_y, (components[0], components[1]), pairing, training, training[to_fit], validation)
        model = best_model(model, half, plan.n_latent, plan.k, settings.metric, rng, generator)
    return model, (scale_x, scale_y), history


def _validation_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    barcodes = rng.permutation(barcodes)[:VALIDATION_PAIRS]
    # Barcodes of one cell a side give the same pair each time.
    n_pairings = min(VALIDATION_PAIRINGS, -(-VALIDATION_PAIRS // len(barcodes))) if pairing.has_choice else 1
    return pairing.draw(rng, n_pairings, barcodes)


def _pmi_by_pairing(
    device: "torch.device",
    z_x: Latent,
    at_x: Index,
    z_y: Latent,
    at_y: Index,
    pairing_of: Index,
    plan: Plan,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    pmi = np.empty(len(at_x))
    for pairing in np.unique(pairing_of):
        chosen = rng.permutation(np.flatnonzero(pairing_of == pairing))
        for batch in np.array_split(chosen, -(-len(chosen) // KSG_PAIRS)):
            pmi[batch] = ksg_on(device, z_x[at_x[batch]], z_y[at_y[batch]], plan.k, metric=plan.settings.metric)
    return pmi


def _apply(networks: Sequence["nn.Module"], matrix: Matrix, scale: "Scale", rows: Index | None = None) -> Latent:
    """What the networks make of some rows, or of all."""
    import torch

    from .rows import Rows

    device = next(networks[0].parameters()).device
    wanted = np.arange(matrix.shape[0]) if rows is None else rows
    parts = []
    with torch.no_grad():
        for values in Rows(matrix, scale, device).batches(wanted, CHUNK):
            for network in networks:
                values = network(values)
            parts.append(values.cpu().numpy())
    return np.concatenate(parts)
