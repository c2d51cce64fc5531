"""Two labels that agree with a probability, and what they share."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import xlogy

Codes = npt.NDArray[np.intp]


def agreement_information(agreement: float, n_labels: int) -> float:
    """Bits shared by two uniform labels that agree with this probability; all disagreements are equally likely."""
    disagreement = 1 - agreement
    nats = np.log(n_labels) + xlogy(agreement, agreement) + xlogy(disagreement, disagreement / (n_labels - 1))
    return float(nats / np.log(2))


def agreement_of(bits: float, n_labels: int) -> float:
    """The probability of agreement, 1 / ``n_labels`` or more, at which two labels share these bits."""
    # At either end rounding may leave no change of sign to find.
    for end in (1 / n_labels, 1.0):
        if abs(agreement_information(end, n_labels) - bits) < 1e-12:
            return end
    return float(brentq(lambda agreement: agreement_information(agreement, n_labels) - bits, 1 / n_labels, 1.0))


def draw_labels(n_samples: int, n_labels: int, agreement: float, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Pairs of uniform labels that agree with this probability."""
    first = rng.integers(n_labels, size=n_samples)
    other = (first + rng.integers(1, n_labels, size=n_samples)) % n_labels
    return first, np.where(rng.uniform(size=n_samples) < agreement, first, other)


def plug_in(first: Codes, second: Codes, n_labels: int) -> tuple[float, npt.NDArray[np.float64]]:
    """Mutual information of the labels as they were counted, and its pointwise values, in bits."""
    joint = np.zeros((n_labels, n_labels))
    np.add.at(joint, (first, second), 1 / len(first))
    pmi = np.log2(joint[first, second] / (joint.sum(axis=1)[first] * joint.sum(axis=0)[second]))
    return float(pmi.mean()), pmi
