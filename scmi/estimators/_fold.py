"""One fold: its latent model, its scales, and its held-out pairs, worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scmi._progress import Tick
from scmi.estimators.configuration import MANY_BARCODES, Configuration
from scmi.estimators.inference.heldout import HeldOut
from scmi.estimators.inference.learning import FEWEST_TO_LEARN
from scmi.estimators.inputs.pairing import Draw, Pairing, split
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.neighbours.parallel import prepare_torch
from scmi.typing import Index, Matrix, Values

if TYPE_CHECKING:  # torch is imported when a model is first trained
    import torch
    from torch import nn

    from scmi.estimators.inputs.rows import Rows, Scale
    from scmi.estimators.latent.descend import History
    from scmi.estimators.latent.half import Half
    from scmi.estimators.latent.model import LatentModel
    from scmi.estimators.latent.sides import Sides

__all__ = ["Fold", "Latent", "Trained", "encode", "fit_fold"]

# Early stopping looks at about this many validation pairs: enough for a stable loss, few enough to cost nothing.
VALIDATION_PAIRS = 2048
# A clone offers cells_x * cells_y pairs, but they say much the same.
VALIDATION_PAIRINGS = 10
# Latent dimensions of a network, where the user names none.
N_LATENT = 8
CHUNK = 8192

Latent = NDArray[np.float32]


class Trained(NamedTuple):
    """What a fold learns from its training half.

    Parameters
    ----------
    model
        Encoders and cross-decoders.
    history
        The course of its networks' training.
    of_half
        The same kind of model, of the same size, from half of the training barcodes; None where they are too few, or
        nobody asks.
    """

    model: "LatentModel"
    history: "History"
    of_half: "LatentModel | None"


@dataclass(frozen=True, eq=False)
class Fold:
    """What one fold has learned, and the pairs that it never saw.

    Parameters
    ----------
    model
        Encoders and cross-decoders.
    scale_x, scale_y
        Of all rows.
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


def apply(networks: Sequence["nn.Module"], matrix: Matrix, scale: "Scale") -> Latent:
    """What the networks make of all rows."""
    prepare_torch()
    from torch import nn

    from scmi.estimators.inputs.rows import Rows

    device = next(networks[0].parameters()).device
    return encode(nn.Sequential(*networks), Rows(matrix, scale, device), np.arange(matrix.shape[0]))


def encode(network: "nn.Module", rows: "Rows", index: Index) -> Latent:
    """What a network makes of some rows."""
    import torch

    from scmi.estimators.latent.layers import precise

    encoder = precise(network)
    with torch.no_grad():
        parts = [
            encoder(rows.batch(index[start : start + CHUNK])).cpu().numpy() for start in range(0, len(index), CHUNK)
        ]
    return np.concatenate(parts)


def fit_fold(
    *,
    sides: "Sides",
    pairing: Pairing,
    training: Index,
    configuration: Configuration,
    rng: np.random.Generator,
    learning: bool,
    threads: int,
    progress: Tick,
) -> Trained:
    """Learn from a training half: the latent model that measures most.

    Networks take part where barcodes are many, or where nothing else may. Of a few hundred pairs they learn less than
    the models in closed form, which can use the pairs that networks are stopped by. With ``learning`` the winner is
    fitted to half of the barcodes as well, to be compared with.
    """
    prepare_torch(threads)
    import torch

    from scmi.estimators.latent.choose import Chosen, best_model
    from scmi.estimators.latent.descend import History
    from scmi.estimators.latent.devices import resolve_device
    from scmi.estimators.latent.half import Half

    settings, target = configuration.settings, resolve_device(configuration.device)
    groups = pairing.groups[training]
    if len(np.unique(groups)) == 1:  # a half that is one group can only be stopped by its own pairs
        groups = np.arange(len(training))
    to_fit, to_validate = split(groups, settings.validation, rng)
    validation = _validation_pairs(pairing, training[to_validate], rng)
    generator = torch.Generator(target).manual_seed(int(rng.integers(2**63)))
    half = Half(sides.x, sides.y, sides.components, pairing, training, training[to_fit], validation)
    network, history = None, History.of_none()
    if len(pairing) >= MANY_BARCODES or not settings.closed_form:
        network, history = _fit_network(half, configuration, rng, target, progress)
    if network is not None and not settings.closed_form:
        model, fit = Chosen(network, None)
    else:
        model, fit = best_model(network, half, sides.scored, configuration.n_latent, configuration.ksg, rng, generator)
        progress(1.0, float("nan"))
    of_half = None
    if learning and len(np.unique(groups)) >= 2 * FEWEST_TO_LEARN:
        fewer = training[split(groups, 0.5, rng)[0]]
        if fit is not None:
            of_half = fit(fewer, rng)
        else:
            half = half._replace(to_fit=np.intersect1d(half.to_fit, fewer))
            of_half, _ = _fit_network(half, configuration, rng, target, lambda done, loss: None)
    return Trained(model, history, of_half)


def _fit_network(
    half: "Half", configuration: Configuration, rng: np.random.Generator, device: "torch.device", progress: Tick
) -> "tuple[LatentModel, History]":
    """The two autoencoders, behind the leading principal components of each side."""
    from torch import nn

    from scmi.estimators.latent.model import LatentModel
    from scmi.estimators.latent.network import fit_network

    settings, pairing = configuration.settings, half.pairing
    rows_x, rows_y = pairing.rows_of(half.training)
    input_x, input_y = half.x, half.y
    if settings.n_components is not None:
        (to_x, from_x), (to_y, from_y) = (side.layers(settings.n_components) for side in half.components)
        input_x, input_y = half.x.through(to_x, rows_x), half.y.through(to_y, rows_y)
    trained, history = fit_network(
        input_x,
        input_y,
        lambda rng: pairing.draw(rng, barcodes=half.to_fit),
        half.validation,
        n_latent=configuration.n_latent or N_LATENT,
        objective=configuration.objective,
        lam=configuration.lam,
        alpha=configuration.alpha,
        settings=settings,
        rng=rng,
        device=device,
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
    return model, history


def _validation_pairs(pairing: Pairing, barcodes: Index, rng: np.random.Generator) -> Draw:
    barcodes = rng.permutation(barcodes)[:VALIDATION_PAIRS]
    # Barcodes of one cell a side give the same pair each time.
    n_pairings = min(VALIDATION_PAIRINGS, -(-VALIDATION_PAIRS // len(barcodes))) if pairing.has_choice else 1
    return pairing.draw(rng, n_pairings, barcodes)
