"""The one training loop: batches, validation on a cadence, early stopping with a copy of the best weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scmi._progress import Tick

from .networks import CrossAutoencoder, Losses
from .pairing import Draw
from .rows import Rows
from .settings import Objective, Settings

__all__ = ["History", "resolve_device", "train"]

# Of the contrastive bound, in nats, beside mean squared errors of standardised features.
CONTRAST_WEIGHT = 1.0


@dataclass(frozen=True)
class History:
    """Validation losses along one training, and where it stopped.

    Parameters
    ----------
    step
        Optimiser steps done when the losses were measured.
    train
        Mean of the deciding loss in training since the measurement before.
    validation
        Loss of the validation pairs that decides when to stop: minus the contrastive bound in nats where the objective has
        one, the cross-reconstruction error otherwise.
    best_step
        The step whose weights were kept.
    improving
        Whether the budget ended the training before early stopping did.
    """

    step: NDArray[np.int64]
    train: NDArray[np.float64]
    validation: NDArray[np.float64]
    best_step: int
    improving: bool


def resolve_device(device: str) -> torch.device:
    """``"auto"`` is cuda where there is one, then mps, then cpu; other names are torch's."""
    if device != "auto":
        try:
            return torch.device(device)
        except RuntimeError as error:
            raise ValueError(f"device={device!r} is no torch device; use 'auto', 'cpu', 'cuda' or 'mps'.") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def train(
    x: Rows,
    y: Rows,
    draw: Callable[[np.random.Generator], Draw],
    validation: Draw,
    *,
    n_latent: int,
    objective: Objective,
    lam: float,
    alpha: float,
    settings: Settings,
    rng: np.random.Generator,
    device: torch.device,
    progress: Tick,
) -> tuple[CrossAutoencoder, History]:
    """Train the two autoencoders on pairings drawn anew every epoch.

    Parameters
    ----------
    x, y
        The rows of the two sides.
    draw
        Gives the pairs of the next epoch.
    validation
        The fixed pairs whose loss decides when to stop; none of their barcodes is ever drawn.
    n_latent
        Latent dimensions of each side.
    objective
        What the latent spaces are to share.
    lam, alpha
        Weights of the shared loss and of self-reconstruction.
    settings
        Architecture and budget.
    rng
        Source of all randomness here.
    device
        Where the model lives.
    progress
        Called after every validation with the share of the training that is done and the validation loss.

    Returns
    -------
    The model with the weights of the lowest validation loss, in evaluation mode, and the course of the training.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    model = CrossAutoencoder(x.n_features, y.n_features, n_latent, settings.hidden, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, eps=1e-7, fused=device.type != "mps")
    dropout = generator if settings.dropout else None
    batches = _Batches(draw, rng, settings.batch_size)
    max_steps, check_every, patience = settings.budget(batches.per_epoch)
    valid_x, valid_y = x.batch(validation.row_x), y.batch(validation.row_y)

    best, best_loss, best_step = _copy(model), np.inf, 0
    history: list[tuple[int, float, float]] = []
    running = torch.zeros((), device=device)
    for step in range(1, max_steps + 1):
        row_x, row_y = batches.next()
        optimizer.zero_grad(set_to_none=True)
        losses = model.losses(x.batch(row_x), y.batch(row_y), objective, dropout)
        loss = lam * (losses.cross + CONTRAST_WEIGHT * losses.contrast) + alpha * losses.self
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        running += _deciding(losses, objective).detach()
        if step % check_every == 0 or step == max_steps:
            # Self-reconstruction goes on improving long after, by what is not shared.
            with torch.no_grad():
                losses = model.losses(valid_x, valid_y, objective)
                valid_loss = float(_deciding(losses, objective))
            since = step - (history[-1][0] if history else 0)
            history.append((step, float(running) / since, valid_loss))
            running.zero_()
            progress(step / max_steps, valid_loss)
            if valid_loss < best_loss:
                best, best_loss, best_step = _copy(model), valid_loss, step
            elif step - best_step >= patience:
                break
    progress(1.0, best_loss)
    model.load_state_dict(best)
    steps, train_loss, validation_loss = zip(*history, strict=True)
    improving = step - best_step < patience
    return model.requires_grad_(False), History(
        np.array(steps), np.array(train_loss), np.array(validation_loss), best_step, improving
    )


def _deciding(losses: Losses, objective: Objective) -> Tensor:
    """Cross-reconstruction gets worse by what can't be predicted long before the bound has begun to rise."""
    return losses.cross if objective == "cross" else losses.contrast


class _Batches:
    """Row indices of one batch after the other, epochs drawn as they are needed."""

    def __init__(self, draw: Callable[[np.random.Generator], Draw], rng: np.random.Generator, batch_size: int) -> None:
        self._draw, self._rng, self._size = draw, rng, batch_size
        self._queue: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._refill()
        self.per_epoch = len(self._queue)

    def _refill(self) -> None:
        pairs = self._draw(self._rng)
        order = self._rng.permutation(len(pairs.row_x))
        # Even parts: a last batch of a few pairs would take a step as large as a full one's.
        parts = np.array_split(order, -(-len(order) // self._size))
        self._queue = [(pairs.row_x[part], pairs.row_y[part]) for part in reversed(parts)]

    def next(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not self._queue:
            self._refill()
        return self._queue.pop()


def _copy(model: CrossAutoencoder) -> dict[str, Tensor]:
    # state_dict() alone hands out the live tensors, which go on training.
    return {name: value.clone() for name, value in model.state_dict().items()}
