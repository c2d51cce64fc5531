"""One fold: its latent model, its scales, and its held-out pairs, worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scmi._progress import Tick
from scmi.estimators.configuration import Configuration
from scmi.estimators.inference.heldout import HeldOut
from scmi.estimators.inputs.pairing import Draw, Pairing, split
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Index, Matrix, Values

if TYPE_CHECKING:  # torch is imported when a model is first trained
    from torch import nn

    from scmi.estimators.inputs.rows import Scale
    from scmi.estimators.latent.descend import History
    from scmi.estimators.latent.model import LatentModel

__all__ = ["Fold", "Latent", "Trained", "apply", "fit_fold"]

# Early stopping looks at about this many validation pairs: enough for a stable loss, few enough to cost nothing.
VALIDATION_PAIRS = 2048
# A clone offers cells_x * cells_y pairs, but they say much the same.
VALIDATION_PAIRINGS = 10
# Latent dimensions of a network, where the user names none.
N_LATENT = 8
CHUNK = 8192

Latent = NDArray[np.float32]
Trained = tuple["LatentModel", tuple["Scale", "Scale"], "History"]


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fold has learned, and the pairs that it never saw.

    Parameters
    ----------
    model
        Encoders and cross-decoders.
    scale_x, scale_y
        Of the rows of its training half.
    history
        The course of its networks' training.
    ksg
        How its neighbours are counted.
    pairs
        The first random pairing of its held-out barcodes.
    held_out
        The same as latent points, row by row, with their groups and strata: what tests and errors look at, and what new
        pairs are judged by.
    """

    model: "LatentModel"
    scale_x: "Scale"
    scale_y: "Scale"
    history: "History"
    ksg: KSG
    pairs: Draw
    held_out: HeldOut

    @property
    def n_latent(self) -> int:
        """Latent dimensions of a side."""
        return int(self.held_out.x.shape[1])

    def encode_x(self, x: Matrix) -> Latent:
        """Latent representation of rows of x."""
        return apply([self.model.encoder_x], x, self.scale_x)

    def encode_y(self, y: Matrix) -> Latent:
        """Latent representation of rows of y."""
        return apply([self.model.encoder_y], y, self.scale_y)

    def predict_y(self, x: Matrix) -> Values:
        """What the cross-decoder expects of y, in y's own units."""
        return self.scale_y.undo(apply([self.model.encoder_x, self.model.decoder_xy], x, self.scale_x))

    def predict_x(self, y: Matrix) -> Values:
        """What the cross-decoder expects of x, in x's own units."""
        return self.scale_x.undo(apply([self.model.encoder_y, self.model.decoder_yx], y, self.scale_y))


def apply(networks: Sequence["nn.Module"], matrix: Matrix, scale: "Scale", rows: Index | None = None) -> Latent:
    """What the networks make of some rows, or of all."""
    prepare_torch()
    import torch

    from scmi.estimators.inputs.rows import Rows

    device = next(networks[0].parameters()).device
    wanted = np.arange(matrix.shape[0]) if rows is None else rows
    parts = []
    with torch.no_grad():
        for values in Rows(matrix, scale, device).batches(wanted, CHUNK):
            for network in networks:
                values = network(values)
            parts.append(values.cpu().numpy())
    return np.concatenate(parts)


def fit_fold(
    *,
    x: Matrix,
    y: Matrix,
    pairing: Pairing,
    training: Index,
    configuration: Configuration,
    common_scale: bool,
    rng: np.random.Generator,
    threads: int,
    progress: Tick,
) -> Trained:
    """Learn from a training half: scales, principal components, and the latent model that measures most.

    With ``common_scale`` columns keep their relative size, as those of a representation do; otherwise each has unit
    variance.
    """
    prepare_torch(threads)
    import torch
    from torch import nn

    from scmi.estimators.inputs.rows import Rows, fit_scale
    from scmi.estimators.latent.choose import best_model
    from scmi.estimators.latent.components import principal_components
    from scmi.estimators.latent.descend import resolve_device
    from scmi.estimators.latent.half import Half
    from scmi.estimators.latent.kernel import N_COMPONENTS
    from scmi.estimators.latent.model import LatentModel
    from scmi.estimators.latent.network import fit_network

    settings, target = configuration.settings, resolve_device(configuration.device)
    rows_x, rows_y = pairing.rows_of(training)
    scale_x, scale_y = (fit_scale(side, rows, common=common_scale) for side, rows in ((x, rows_x), (y, rows_y)))
    side_x, side_y = Rows(x, scale_x, target, keep=rows_x), Rows(y, scale_y, target, keep=rows_y)
    groups = pairing.groups[training]
    if len(np.unique(groups)) == 1:  # a half that is one group can only be stopped by its own pairs
        groups = np.arange(len(training))
    to_fit, to_validate = split(groups, settings.validation, rng)
    validation = _validation_pairs(pairing, training[to_validate], rng)
    generator = torch.Generator(target).manual_seed(int(rng.integers(2**63)))
    n_components = max(settings.n_components or 0, N_COMPONENTS)
    components_x, components_y = (
        principal_components(Rows(matrix, scale, target), n_components, rng, generator)
        for matrix, scale in ((x, scale_x), (y, scale_y))
    )
    input_x, input_y = side_x, side_y
    if settings.n_components is not None:
        (to_x, from_x), (to_y, from_y) = (side.layers(settings.n_components) for side in (components_x, components_y))
        input_x, input_y = side_x.through(to_x, rows_x), side_y.through(to_y, rows_y)
    trained, history = fit_network(
        input_x,
        input_y,
        lambda rng: pairing.draw(rng, barcodes=training[to_fit]),
        validation,
        n_latent=configuration.n_latent or N_LATENT,
        objective=configuration.objective,
        lam=configuration.lam,
        alpha=configuration.alpha,
        settings=settings,
        rng=rng,
        device=target,
        progress=progress,
    )
    if settings.n_components is None:
        model = LatentModel("network", trained.encoder_x, trained.encoder_y, trained.decoder_xy, trained.decoder_yx)
    else:
        model = LatentModel(
            "network",
            nn.Sequential(to_x, trained.encoder_x),
            nn.Sequential(to_y, trained.encoder_y),
            nn.Sequential(trained.decoder_xy, from_y),
            nn.Sequential(trained.decoder_yx, from_x),
        )
    if settings.closed_form:
        half = Half(side_x, side_y, (components_x, components_y), pairing, training, training[to_fit], validation)
        model = best_model(model, half, configuration.n_latent, configuration.ksg, rng, generator)
    return model, (scale_x, scale_y), history


def _validation_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    barcodes = rng.permutation(barcodes)[:VALIDATION_PAIRS]
    # Barcodes of one cell a side give the same pair each time.
    n_pairings = min(VALIDATION_PAIRINGS, -(-VALIDATION_PAIRS // len(barcodes))) if pairing.has_choice else 1
    return pairing.draw(rng, n_pairings, barcodes)
