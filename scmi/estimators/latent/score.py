"""What a latent model measures on pairs that it was not fitted to: how rival models are judged."""

from dataclasses import dataclass

import numpy as np

from scmi.estimators.inputs.pairing import Draw
from scmi.estimators.neighbours.gaussian import gaussian_bound
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Bits

from .half import MAX_JUDGED, Latents

__all__ = ["Score", "score", "together"]

# Random pairings of the same barcodes that a score averages over.
SCORED_PAIRINGS = 5


@dataclass(frozen=True)
class Score:
    """What a latent model measures, in bits.

    Parameters
    ----------
    bits
        The larger of KSG and the Gaussian bound; both tend to be too low, so the larger is nearer to the truth.
    pmi
        Pointwise KSG of each barcode.
    """

    bits: float
    pmi: Bits

    def beats(self, other: "Score", errors: float = 1.0) -> bool:
        """Whether it measures more than another of the same pairs, by more than so many standard errors of that."""
        error = np.std(self.pmi - other.pmi, ddof=1) / np.sqrt(len(self.pmi))
        return bool(self.bits > other.bits + errors * error)


def score(latents: Latents, pairs: Draw, ksg: KSG, seed: int) -> Score:
    """Score the latents of some pairs, one row per pair; with the same seed, rivals are judged on the same parts."""
    z_x, z_y = (z.detach().cpu().numpy().astype(np.float64) for z in latents)
    rng = np.random.default_rng(seed)
    neighbours, bounds, pmi = [], [], np.zeros(pairs.barcode.max() + 1)
    count = np.zeros(len(pmi), dtype=np.int64)
    for pairing in np.unique(pairs.pairing)[:SCORED_PAIRINGS]:
        chosen = np.flatnonzero(pairs.pairing == pairing)[:MAX_JUDGED]
        u, v = z_x[chosen], z_y[chosen]
        values = KSG(min(ksg.k, len(u) - 1), ksg.metric).pointwise(u, v)
        neighbours.append(values.mean())
        if len(u) > 4 * (u.shape[1] + v.shape[1]):
            bounds.append(gaussian_bound(u, v, rng))
        np.add.at(pmi, pairs.barcode[chosen], values)
        np.add.at(count, pairs.barcode[chosen], 1)
    seen = count > 0
    return Score(float(max(np.mean(neighbours), np.mean(bounds) if bounds else -np.inf)), pmi[seen] / count[seen])


def together(scores: list[Score]) -> Score:
    """One score of several disjoint sets of pairs, each of the same weight."""
    return Score(float(np.mean([one.bits for one in scores])), np.concatenate([one.pmi for one in scores]))
