"""Critics that tell joint pairs from others, the bounds on mutual information that they give, and their training."""

import math
from dataclasses import replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmi._progress import Tick
from scmi.estimators.inputs.rows import Rows
from scmi.estimators.latent.descend import History, descend
from scmi.estimators.latent.layers import LEAK, MLP
from scmi.estimators.settings import Settings
from scmi.typing import Bits, Index

__all__ = ["BOUNDS", "Bound", "Critic", "Kind", "evaluate", "fit_critic"]

Kind = Literal["mine", "infonce"]

# Each pair is contrasted with the others of its batch: a thousand pairs make a million couples.
EVALUATED_PAIRS = 1024
# Couples that go through the critic at once: 16 MB of its first hidden layer.
CHUNK = 2**18
# Of Adam: its default, as in the benchmark whose settings these are.
EPSILON = 1e-8
# Weight of the past in the running mean of MINE's denominator.
MEMORY = 0.9


class Critic(nn.Module):
    """A multilayer perceptron of x and y together that gives one number per couple.

    The first layer is kept as one part for x and one for y, so that every x with every y of a batch costs a sum and
    not a row of all their features. The last layer starts at 0: an untrained critic says that nothing is shared.

    Parameters
    ----------
    n_x, n_y
        Features of the two sides.
    hidden
        Hidden layer sizes.
    generator
        Source of the initial weights; its device is where the critic lives.
    """

    def __init__(self, n_x: int, n_y: int, hidden: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.part_x = MLP((n_x, hidden[0]), generator, last_activation=False)
        self.part_y = MLP((n_y, hidden[0]), generator, last_activation=False)
        self.head = MLP((*hidden, 1), generator, last_activation=False)
        nn.init.zeros_(self.head.weights[-1])

    def paired(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of row i of x with row i of y."""
        return self._score(self.part_x(x) + self.part_y(y))

    def crossed(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores of every row of x with every row of y."""
        return self._score(self.part_x(x)[:, None] + self.part_y(y)[None])

    def _score(self, first: Tensor) -> Tensor:
        score: Tensor = self.head(F.leaky_relu(first, LEAK))[..., 0]
        return score


class Bound(Protocol):
    """A lower bound on mutual information, in nats: what to descend in training, and the value of each pair."""

    def loss(self, critic: Critic, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """What to descend on a batch of pairs, and the bound there."""

    def pmi(self, own: Tensor, others: list[Tensor]) -> Tensor:
        """Pointwise values whose mean is the bound.

        ``own`` holds the score of each pair; ``others``, one tensor per batch of pairs, the log of the sum over the
        batch's other y of exp(score).
        """


class Mine:
    """The Donsker-Varadhan bound, with a running mean as the denominator of its gradient."""

    def __init__(self) -> None:
        self._denominator: Tensor | None = None

    def loss(self, critic: Critic, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Bound`."""
        own = critic.paired(x, y).mean()
        # Pairs come in random order: the next one's y is a random other y.
        other = torch.logsumexp(critic.paired(x, y.roll(1, 0)), 0) - math.log(len(x))
        batch = other.detach()
        before = batch if self._denominator is None else self._denominator
        self._denominator = torch.logaddexp(before + math.log(MEMORY), batch + math.log(1 - MEMORY))
        return (batch - self._denominator).exp() * other - own, (own - other).detach()

    def pmi(self, own: Tensor, others: list[Tensor]) -> Tensor:
        """See :class:`Bound`."""
        couples = sum(len(batch) * (len(batch) - 1) for batch in others)
        partition = torch.logsumexp(torch.cat(others), 0) - math.log(couples)
        return own - partition


class InfoNCE:
    """The contrastive bound: each x is to find its y among those of the batch."""

    def loss(self, critic: Critic, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Bound`."""
        scores = critic.crossed(x, y)
        bound = (scores.diagonal() - torch.logsumexp(scores, 1)).mean() + math.log(len(x))
        return -bound, bound.detach()

    def pmi(self, own: Tensor, others: list[Tensor]) -> Tensor:
        """See :class:`Bound`."""
        size = torch.cat([torch.full_like(batch, len(batch)) for batch in others])
        return own - torch.logaddexp(own, torch.cat(others)) + size.log()


BOUNDS: dict[Kind, type[Mine] | type[InfoNCE]] = {"mine": Mine, "infonce": InfoNCE}


def fit_critic(
    x: Rows,
    y: Rows,
    training: Index,
    validation: Index,
    *,
    bound: Bound,
    settings: Settings,
    rng: np.random.Generator,
    device: torch.device,
    progress: Tick,
) -> tuple[Critic, History]:
    """Train a critic on pairs; keep the weights of the best bound on the validation pairs.

    Parameters
    ----------
    x, y
        The rows of the two sides; row i of both is one pair.
    training, validation
        The pairs to train on and those to stop by.
    bound
        What is maximised.
    settings
        Architecture and budget.
    rng
        Source of all randomness here.
    device
        Where the critic lives.
    progress
        Called after every validation with the share of the training that is done and the validation loss.

    Returns
    -------
    The critic, and the course of its training; losses are minus the bound, in bits. It starts with step 0, the critic
    that knows nothing, whose bound is 0.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    critic = Critic(x.n_features, y.n_features, settings.hidden, generator)
    size = min(settings.batch_size, len(training))
    validation = rng.permutation(validation)[:EVALUATED_PAIRS]

    def loss() -> tuple[Tensor, Tensor]:
        batch = rng.choice(training, size, replace=False)
        descended, value = bound.loss(critic, x.batch(batch), y.batch(batch))
        return descended, -value

    def validate() -> float:
        return -float(evaluate(critic, x, y, validation, bound).mean())

    history = descend(
        critic,
        loss,
        validate,
        settings,
        progress,
        steps_per_epoch=-(-len(training) // size),
        epsilon=EPSILON,
        start=0.0,
    )
    return critic, replace(history, train=history.train / math.log(2))


@torch.no_grad()
def evaluate(critic: Critic, x: Rows, y: Rows, pairs: Index, bound: Bound) -> Bits:
    """The bound's pointwise value of each pair in bits, contrasted with batches of the pairs in the order given."""
    own, others = [], []
    for batch in np.array_split(pairs, -(-len(pairs) // EVALUATED_PAIRS)):
        batch_x, batch_y = x.batch(batch), y.batch(batch)
        own.append(critic.paired(batch_x, batch_y).double())
        rows = torch.arange(len(batch), device=batch_x.device)
        sums = []
        for chunk in torch.split(rows, max(1, CHUNK // len(batch))):
            scores = critic.crossed(batch_x[chunk], batch_y).double()
            scores[chunk - chunk[0], chunk] = -torch.inf
            sums.append(torch.logsumexp(scores, 1))
        others.append(torch.cat(sums))
    pmi: Bits = bound.pmi(torch.cat(own), others).cpu().numpy() / math.log(2)
    return pmi
