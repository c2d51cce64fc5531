"""The estimate itself, from top to bottom: split by barcode, fit, encode the other half, KSG, correct, and how sure."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scmi._progress import Tick, after
from scmi._version import __version__
from scmi._warnings import warn
from scmi.estimators.inference.cautions import cautions, is_saturated
from scmi.estimators.inference.correction import correct
from scmi.estimators.inference.heldout import HeldOut
from scmi.estimators.inference.interval import combined, interval, uncertainty
from scmi.estimators.inference.learning import OfHalf, growth_of
from scmi.estimators.inference.retraining import retrained_null, retraining_error
from scmi.estimators.inputs.checks import TooFew, as_plain
from scmi.estimators.inputs.matrices import as_points
from scmi.estimators.inputs.pairing import Draw, Pairing, check_enough, halves
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Bits, Index, Matrix, Values

from ._fold import Fold, Trained, encode, fit_fold
from ._jobs import run_folds
from .configuration import Configuration
from .result import LMIResult, mi_by_pairing

if TYPE_CHECKING:
    from scmi.estimators.latent.model import LatentModel
    from scmi.estimators.latent.sides import Sides

__all__ = ["cross_fit", "measure"]

# Exact KSG takes a time that grows with the square of the pairs. More than this are estimated in random batches, as the
# paper does from 1,000 on.
KSG_PAIRS = 50_000
# Pairings whose latents the bias correction looks at: they hold the same barcodes, so more of them add little, and
# where there are many barcodes one is enough.
CORRECTED_PAIRINGS = 4
MANY_CORRECTED = 3000
# Where the bar is when all models are trained, and when all pairs are counted, lest it stand at its end while there is
# more to do. Of 24 s for 1,530 barcodes, training took 17, counting 3 and the errors and permutations 4.
LEARNED, COUNTED = 0.85, 0.85


class Measured(NamedTuple):
    """The estimate without correction, errors and cautions.

    Parameters
    ----------
    mi_ksg
        The mean of the pMI, in bits.
    pmi
        Of each split and pair.
    fold
        Of each pair, in the first split.
    mi_by_split
        The mean of the pMI in each split.
    folds
        Those of all splits, split by split.
    halves
        What models of half of the training barcodes make of the first pairing, where they were asked for.
    samples
        The latents that all this is of.
    """

    mi_ksg: float
    pmi: Bits
    fold: Index
    mi_by_split: Bits
    folds: list[Fold]
    halves: list[OfHalf]
    samples: list[tuple[Values, Values]]


def cross_fit(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    configuration: Configuration,
    *,
    rng: np.random.Generator,
    progress: Tick,
    strata: Index | None = None,
    common_scale: bool = False,
    n_pairings: int | None = None,
) -> tuple[LMIResult, list[Fold]]:
    """Train one model per fold and estimate random pairings of the barcodes it never saw.

    No estimated pairing influences a gradient, a stopping time or a scale: the halves are split by whole groups of
    barcodes, and the validation pairs for early stopping come from the training half.

    Parameters
    ----------
    x, y
        The two matrices.
    pairing
        Which of their rows carry each barcode.
    configuration
        How the estimate is made; checked.
    rng
        Source of all randomness here.
    progress
        Called with the number of trainings done, ``configuration.n_trainings`` in all.
    strata
        A label for each row of x; partners are permuted within them.
    common_scale
        Whether columns keep their relative size.
    n_pairings
        Instead of that of the configuration.
    """
    settings, ksg = configuration.settings, configuration.ksg
    n_pairings = configuration.n_pairings if n_pairings is None else n_pairings
    check_enough(pairing, ksg.k)
    n_splits = configuration.splits_of(pairing.groups)
    side_rng, draw_rng, measure_rng, correction_rng, error_rng, learning_rng = rng.spawn(6)
    pairs = pairing.draw(draw_rng, n_pairings)
    sides = _prepared(x, y, pairing, configuration, common_scale, side_rng)
    estimated = partial(measure, sides, configuration=configuration, n_splits=n_splits)
    mi_ksg, pmi_by_split, fold_of_pair, mi_by_split, folds, of_halves, samples = estimated(
        pairing, pairs, strata=strata, rng=measure_rng, learning=True, progress=after(progress, 0, unit=COUNTED)
    )
    pmi = pmi_by_split.mean(axis=0)
    n_pairs = len(np.unique(pairs.barcode[fold_of_pair >= 0]))
    correction = correct(samples, mi_ksg, n_pairs=n_pairs, ksg=ksg, rng=correction_rng)
    retrains = configuration.null == "retrain" and configuration.n_permutations > 0
    found = uncertainty(
        [fold.held_out for fold in folds],
        mi_by_pairing(pairs, pmi),
        mi_by_split,
        ksg=ksg,
        n_permutations=0 if retrains else configuration.n_permutations,
        rng=error_rng,
    )
    progress(settings.n_folds, np.nan)
    parts, p, null, missing = found.se_parts, found.p, found.null, found.missing
    if correction.applied:
        parts["correction"] = correction.se

    def again(pairing: Pairing, pairs: Draw, rng: np.random.Generator, progress: Tick) -> float:
        in_folds = after(progress, 0, unit=1 / settings.n_folds)
        return estimated(pairing, pairs, strata=None, rng=rng, learning=False, progress=in_folds).mi_ksg

    if configuration.n_retrain:
        done = after(progress, settings.n_folds, unit=settings.n_folds)
        parts["retraining"] = retraining_error(again, pairing, pairs, mi_ksg, configuration.n_retrain, rng, done)
    if retrains:
        done = after(progress, settings.n_folds * (1 + configuration.n_retrain), unit=settings.n_folds)
        missing = {name: why for name, why in missing.items() if name != "p"}
        try:
            p, null = retrained_null(
                again,
                pairing,
                mi_ksg,
                ksg=ksg,
                n_permutations=configuration.n_permutations,
                n_pairings=n_pairings,
                strata=strata,
                rng=rng,
                progress=done,
            )
        except TooFew as reason:
            missing["p"] = str(reason)
    se, n_counted = combined(parts), min(KSG_PAIRS, len(samples[0][0]))
    saturated = correction.beyond or is_saturated(correction.mi, mi_ksg, n_counted)
    result = LMIResult(
        mi=correction.mi,
        mi_ksg=mi_ksg,
        corrected=correction.applied,
        correction=correction.reason,
        se=se,
        se_parts=parts,
        ci=interval(correction.mi, se, saturated=saturated),
        p=p,
        null=null,
        missing=missing,
        drift=found.drift,
        settled=found.settled,
        learning=growth_of(
            correction.mi,
            pmi_by_split,
            of_halves,
            pairing.groups[pairs.barcode],
            corrected=correction.applied,
            ksg=ksg,
            rng=learning_rng,
        ),
        pmi=pmi,
        fold=fold_of_pair,
        pairs=pairs,
        z_x=folds[0].encode_x(x),
        z_y=folds[0].encode_y(y),
        history=tuple(fold.history for fold in folds),
        mi_by_split=mi_by_split,
        params=_params(configuration, folds, n_splits, n_pairings),
    )
    constant = [side for side, scale in zip("xy", sides.scales, strict=True) if not (scale.factor > 0).any()]
    for caution in cautions(
        mi_ksg,
        se,
        null,
        n_pairs,
        n_counted,
        max(fold.n_latent for fold in folds),
        saturated=saturated,
        kept=found.kept,
        constant=constant,
        improving=any(fold.history.improving for fold in folds if fold.model.kind == "network"),
        drifting=not (found.settled or correction.applied),
        several_rows=pairing.has_choice,
    ):
        warn(*caution)
    return result, folds


def measure(
    sides: "Sides",
    pairing: Pairing,
    pairs: Draw,
    *,
    configuration: Configuration,
    n_splits: int,
    strata: Index | None,
    rng: np.random.Generator,
    learning: bool,
    progress: Tick,
) -> Measured:
    """Split, fit, encode and apply KSG, once or several times."""
    split_rng, batch_rng, fold_rng = rng.spawn(3)
    n_folds = configuration.settings.n_folds
    parts = [
        half
        for first, second in halves(pairing.groups, n_splits, split_rng)
        for half in [(first, second), (second, first)][:n_folds]
    ]
    jobs = [
        partial(
            fit_fold,
            sides=sides,
            pairing=pairing,
            configuration=configuration,
            training=training,
            rng=own,
            learning=learning,
        )
        for (training, _), own in zip(parts, fold_rng.spawn(len(parts)), strict=True)
    ]
    # A step of the bar is a fold, of which every split has as many.
    trained: list[Trained] = run_folds(jobs, configuration.n_jobs, after(progress, 0, unit=LEARNED / n_splits))

    ksg, n_pairings = configuration.ksg, int(pairs.pairing.max()) + 1
    pmi = np.full((n_splits, len(pairs.barcode)), np.nan)
    fold_of_pair = np.full(len(pairs.barcode), -1)
    folds: list[Fold] = []
    samples: list[tuple[Values, Values]] = []
    of_halves: list[OfHalf] = []
    for number, ((model, history, fewer), (_, estimated)) in enumerate(zip(trained, parts, strict=True)):
        at = np.flatnonzero(np.isin(pairs.barcode, estimated))
        own = Draw(*(part[at] for part in pairs))
        # Each cell is encoded once, however many pairings it is in.
        rows_x, at_x = np.unique(own.row_x, return_inverse=True)
        rows_y, at_y = np.unique(own.row_y, return_inverse=True)
        z_x, z_y = _encoded(model, sides, rows_x, rows_y)
        by_pairing = [np.flatnonzero(own.pairing == pairing_number) for pairing_number in range(n_pairings)]
        first_pairing = by_pairing[0]
        held_out = HeldOut(
            z_x[at_x[first_pairing]],
            z_y[at_y[first_pairing]],
            groups=pairing.groups[own.barcode[first_pairing]],
            strata=None if strata is None else strata[own.row_x[first_pairing]],
            barcodes=own.barcode[first_pairing],
        )
        own_first = Draw(*(part[first_pairing] for part in own))
        folds.append(Fold(model, *sides.scales, history, ksg, own_first, held_out))
        # Several pairings or splits average the noise that parts ties as well as several draws of it do.
        counted = ksg.steady if n_pairings * n_splits == 1 else ksg.pointwise
        for rows in by_pairing:
            for batch in _batches(rows, batch_rng):
                pmi[number // n_folds, at[batch]] = counted(z_x[at_x[batch]], z_y[at_y[batch]], model.device)
        if fewer is not None:
            seen = first_pairing[:KSG_PAIRS]
            latents = _encoded(fewer, sides, own.row_x[seen], own.row_y[seen])
            of_halves.append(OfHalf(number // n_folds, at[seen], *latents))
        if number < n_folds:
            fold_of_pair[at] = number
        n_corrected = min(n_pairings, CORRECTED_PAIRINGS) if len(first_pairing) < MANY_CORRECTED else 1
        for rows in by_pairing[: -(-n_corrected // n_splits)]:
            samples.append((z_x[at_x[rows[:KSG_PAIRS]]], z_y[at_y[rows[:KSG_PAIRS]]]))
        progress(n_folds * (LEARNED + (1 - LEARNED) * (number + 1) / len(parts)), np.nan)
    estimated_pairs = fold_of_pair >= 0
    by_split = pmi[:, estimated_pairs].mean(axis=1)
    return Measured(float(by_split.mean()), pmi, fold_of_pair, by_split, folds, of_halves, samples)


def _encoded(model: "LatentModel", sides: "Sides", rows_x: Index, rows_y: Index) -> tuple[Values, Values]:
    z_x = as_points(encode(model.encoder_x, sides.x, rows_x), "The latent representation of x")
    return z_x, as_points(encode(model.encoder_y, sides.y, rows_y), "The latent representation of y")


def _prepared(
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    configuration: Configuration,
    common_scale: bool,
    rng: np.random.Generator,
) -> "Sides":
    prepare_torch()
    from scmi.estimators.latent.devices import resolve_device
    from scmi.estimators.latent.kernel import N_COMPONENTS
    from scmi.estimators.latent.sides import prepare_sides

    return prepare_sides(
        x,
        y,
        pairing.rows_of(np.arange(len(pairing))),
        common_scale=common_scale,
        n_components=max(configuration.settings.n_components or 0, N_COMPONENTS),
        rng=rng,
        device=resolve_device(configuration.device),
    )


def _batches(rows: Index, rng: np.random.Generator) -> list[Index]:
    """All pairs of a pairing in random order, in as few parts as exact KSG can bear."""
    return np.array_split(rng.permutation(rows), -(-len(rows) // KSG_PAIRS))


def _params(configuration: Configuration, folds: Sequence[Fold], n_splits: int, n_pairings: int) -> dict[str, Any]:
    """What gave the estimate: enough to run it again."""
    names = ("k", "objective", "lam", "alpha", "n_permutations", "null", "n_retrain")
    params = {
        "n_latent": [fold.n_latent for fold in folds],
        **{name: getattr(configuration, name) for name in names},
        "n_splits": n_splits,
        "n_pairings": n_pairings,
        "latent_model": [fold.model.kind for fold in folds],
        **asdict(configuration.settings),
        "device": str(folds[0].model.device),
        "version": __version__,
    }
    return {name: as_plain(name, value) for name, value in params.items()}
