"""What KSG falls short by when latents are Gaussian, and whether they are Gaussian enough to say so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scmi.estimators.neighbours.gaussian import N_FOLDS, gaussian_bound, gaussian_shortfall
from scmi.estimators.neighbours.ksg import KSG
from scmi.typing import Values

__all__ = ["Correction", "correct"]

# Every fit needs more pairs than this times the dimensions of both sides.
PAIRS_PER_DIMENSION = 5
# A bound of pairs told apart from others ends at about the log of their number; so much below it, it is still right.
NEAR_LIMIT = 2.0


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A bias-corrected estimate, or why there is none.

    Parameters
    ----------
    mi
        The corrected estimate in bits; the mean of the pMI where no correction is applied.
    applied
        Whether it was corrected.
    plain
        KSG of the pairs that were looked at, in bits.
    bound
        The held-out Gaussian bound that decided, in bits: the correction needs it to be above ``plain``.
    reason
        Why it was corrected or not.
    se
        What the correction adds to the standard error, in bits; 0 where none is.
    beyond
        Whether the bound is near the most that it can show, so that there may be any number of bits above ``mi``.
    """

    mi: float
    applied: bool
    plain: float
    bound: float
    reason: str
    se: float = 0.0
    beyond: bool = False


def correct(
    samples: Sequence[tuple[Values, Values]], mi_ksg: float, *, n_pairs: int, ksg: KSG, rng: np.random.Generator
) -> Correction:
    r"""Add what KSG misses of the information, where the latents are shown to be Gaussian enough.

    KSG underestimates as dependence spreads over many dimensions. For a Gaussian with the latents' own covariance and
    number of samples, what it misses can be measured: closed-form mutual information minus KSG on such surrogates. It
    is added only where a held-out lower bound from the same Gaussian
    (:func:`~scmi.estimators.gaussian_bound`) lies above KSG: then KSG
    falls short for certain, and the Gaussian holds information that KSG does not see. Clusters, curves and heavy tails,
    where a Gaussian would mislead, have a bound below KSG. The estimate is never lowered.

    Parameters
    ----------
    samples
        Held-out latents, samples x dimensions of x and of y, for every fold and pairing.
    mi_ksg
        The mean of the pMI, in bits.
    n_pairs
        How many pairs of different barcodes the samples are of.
    ksg
        As the estimate was made with.
    rng
        For the surrogates and the folds of the bound.

    References
    ----------
    Appendix A.1.1 of :cite:t:`Gowri2024` for the test case; Donsker and Varadhan (1983) for the bound.
    """
    weights = np.array([len(x) for x, _ in samples], dtype=float)
    weights /= weights.sum()
    plain = float(weights @ [ksg.pointwise(x, y).mean() for x, y in samples])
    if any(len(x) * (1 - 1 / N_FOLDS) < PAIRS_PER_DIMENSION * (x.shape[1] + y.shape[1]) for x, y in samples):
        return _withheld(mi_ksg, plain, np.nan, "too few pairs to tell whether counting misses any information")
    bound = float(weights @ [gaussian_bound(x, y, rng) for x, y in samples])
    if bound <= plain:
        return _withheld(mi_ksg, plain, bound, "no sign that counting misses any information")
    if bound > min(np.log2(len(x)) for x, _ in samples) - NEAR_LIMIT:
        why = "so much is shared that these pairs can't tell how much is missed"
        return replace(_withheld(mi_ksg, plain, bound, why), beyond=True)
    shift, variance = (float(part) for part in weights @ [gaussian_shortfall(x, y, ksg, rng) for x, y in samples])
    if shift <= 0:
        return _withheld(mi_ksg, plain, bound, "of data of this shape no information is missed")
    reason = (
        f"applied: {shift:.2f} bits added, which counting misses where information is spread thin over many programs"
    )
    se = float(np.sqrt(variance / n_pairs))
    return Correction(mi=mi_ksg + shift, applied=True, plain=plain, bound=bound, reason=reason, se=se)


def _withheld(mi_ksg: float, plain: float, bound: float, why: str) -> Correction:
    return Correction(mi=mi_ksg, applied=False, plain=plain, bound=bound, reason=f"not applied: {why}")
