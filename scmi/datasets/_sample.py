"""What a simulator returns, and what all of them ask of their arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scmi.estimators.inputs.checks import check_counts, check_number

Array = npt.NDArray[np.float64]

MAX_BITS_PER_PAIR = 20.0
"""Beyond this, 1 - rho^2 is too near to 0 for the pointwise values to keep six digits."""


@dataclass(frozen=True, kw_only=True)
class JointSample:
    """Joint samples of two variables whose mutual information is known.

    Parameters
    ----------
    x, y
        Samples x features; row i of both is one joint sample.
    truth
        The mutual information between x and y, in bits.
    pmi
        The true pointwise mutual information of each row, in bits: log2 of p(x, y) / (p(x) p(y)).
    labels_x, labels_y
        The label behind each row, where the two variables are coupled by labels.
    truth_is_bound
        Whether ``truth`` and ``pmi`` are those of the hidden variables, so that ``truth`` bounds from above what x and
        y share. False but where a simulator says otherwise.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.gaussian(500, 20, bits=1.0)
    >>> sample.x.shape, sample.truth
    ((500, 20), 1.0)
    """

    x: Any = field(repr=False)
    y: Any = field(repr=False)
    truth: float
    pmi: Array = field(repr=False)
    labels_x: npt.NDArray[Any] | None = field(default=None, repr=False)
    labels_y: npt.NDArray[Any] | None = field(default=None, repr=False)
    truth_is_bound: bool = False


def check_sizes(n_samples: int, n_features: int, n_informative: int = 1) -> None:
    """Raise for sizes that can't be met."""
    check_counts(n_samples=n_samples, n_features=n_features, n_informative=n_informative)
    if n_informative > n_features:
        raise ValueError(
            f"`n_informative` is {n_informative}, but `n_features` is only {n_features}; give more features."
        )


def check_bits(bits: float, lowest: float, highest: float, why: str) -> None:
    """Raise for an information outside of a closed range."""
    check_number("bits", bits)
    if not lowest <= bits <= highest:
        raise ValueError(f"`bits` is {bits}; give a number from {lowest:.6g} to {highest:.6g}: {why}.")


def gaussian_correlation(bits: float, n_pairs: int) -> float:
    """The correlation at which ``n_pairs`` independent Gaussian pairs share ``bits``."""
    check_bits(bits, 0.0, MAX_BITS_PER_PAIR * n_pairs, f"at most {MAX_BITS_PER_PAIR:.0f} per informative pair")
    return float(np.sqrt(1 - 2 ** (-2 * bits / n_pairs)))


def draw_gaussian_pairs(shape: tuple[int, ...], correlation: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Standard normal pairs of this correlation."""
    u = rng.standard_normal(shape)
    return u, correlation * u + np.sqrt(1 - correlation**2) * rng.standard_normal(shape)


def gaussian_pmi(u: Array, v: Array, correlation: float) -> Array:
    """Bits by which each row of standard normal pairs is likelier together than apart: samples x pairs to samples."""
    rest = 1 - correlation**2
    exponent = (2 * correlation * u * v - correlation**2 * (u**2 + v**2)) / (2 * rest)
    return np.asarray((exponent - np.log(rest) / 2).sum(axis=1) / np.log(2))


def widen(
    informative: Array, n_features: int, nuisance: Callable[[tuple[int, int]], Array], rng: np.random.Generator
) -> Array:
    """One side of Algorithm 4: informative columns, exact copies of columns drawn at random from them, and nuisance.

    Half of the columns that are not informative are nuisance, drawn by ``nuisance(shape)``; an odd one is a copy.
    """
    n_samples, n_informative = informative.shape
    n_nuisance = (n_features - n_informative) // 2
    copied = rng.integers(n_informative, size=n_features - n_informative - n_nuisance)
    return np.hstack([informative, informative[:, copied], nuisance((n_samples, n_nuisance))])
