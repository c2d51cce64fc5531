"""The one descent: steps, validation on a cadence, early stopping with a copy of the best weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scmi._progress import Tick
from scmi.estimators.neighbours.parallel import importing
from scmi.estimators.settings import Settings
from scmi.typing import Values

__all__ = ["History", "descend"]


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
        Loss of the validation pairs that decides when to stop: minus the contrastive bound in nats where the objective
        has one, the cross-reconstruction error otherwise.
    best_step
        The step whose weights were kept.
    improving
        Whether the budget ended the training before early stopping did.
    """

    step: NDArray[np.int64]
    train: Values
    validation: Values
    best_step: int
    improving: bool

    @classmethod
    def of_none(cls) -> Self:
        """Where no network was trained."""
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0), best_step=0, improving=False)


def descend(
    model: nn.Module,
    loss: Callable[[], tuple[Tensor, Tensor]],
    validate: Callable[[], float],
    settings: Settings,
    progress: Tick,
    *,
    steps_per_epoch: int,
    epsilon: float,
    start: float | None = None,
) -> History:
    """Train a model by Adam; it is left with the weights of the lowest validation loss, in evaluation mode.

    Parameters
    ----------
    model
        What is trained, in place.
    loss
        The loss of the next batch, and what of it is kept for the course of the training.
    validate
        The loss that decides when to stop.
    settings
        Learning rate and budget.
    progress
        Called after every validation with the share of the training that is done and the validation loss.
    steps_per_epoch
        How many batches all training pairs make.
    epsilon
        Of Adam.
    start
        Validation loss of the untrained model, which counts as step 0; None if it doesn't compete.
    """
    device = next(model.parameters()).device
    with importing():  # the first optimiser has torch import its compiler
        optimizer = torch.optim.Adam(
            model.parameters(), lr=settings.learning_rate, eps=epsilon, fused=device.type != "mps"
        )
    max_steps, check_every, patience = settings.budget(steps_per_epoch)
    best, best_loss, best_step = _copy(model), np.inf if start is None else start, 0
    course = [] if start is None else [(0, 0.0, start)]
    running = torch.zeros((), device=device)
    step = 0
    for step in range(1, max_steps + 1):
        optimizer.zero_grad(set_to_none=True)
        descended, kept = loss()
        descended.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        running += kept.detach()
        if step % check_every == 0 or step == max_steps:
            with torch.no_grad():
                measured = validate()
            since = step - (course[-1][0] if course else 0)
            course.append((step, float(running) / since, measured))
            running.zero_()
            progress(step / max_steps, measured)
            if measured < best_loss:
                best, best_loss, best_step = _copy(model), measured, step
            elif step - best_step >= patience:
                break
    progress(1.0, best_loss)
    model.load_state_dict(best)
    model.requires_grad_(False)
    steps, train, validation = zip(*course, strict=True)
    return History(np.array(steps), np.array(train), np.array(validation), best_step, step - best_step < patience)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    # state_dict() alone hands out the live tensors, which go on training.
    return {name: value.clone() for name, value in model.state_dict().items()}
