"""What the simulated lineage of :func:`scmi.datasets.lineage` is told to share, in bits.

A clone's fate has ``FATE_DIMENSIONS`` coordinates, each standard normal in every sample, independent of each other. Two
cells of a clone are therefore described by one number, the correlation of a coordinate between them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FATE_DIMENSIONS = 2
BREAKPOINT = 0.35
"""The maturity before which a day-2 cell says nothing about its clone's fate."""
MAX_INFORMATION = 2.3
"""The bits a day-2 cell of maturity 1 shares with a day-6 cell of its clone."""
HIDDEN_CORRELATION = {4: 0.8, 6: 0.9}
"""Correlation of a cell's fate on day 4 or 6 with the hidden bias of its clone, where there is one."""


class LineageTruth(NamedTuple):
    """Mutual information between the states (fate and maturity) of two cells of one clone, in bits.

    ``day2_day6`` is between a cell of day 2 and one of day 6, ``sisters`` between two cells of day 6 from different
    wells; ``breakpoint`` is the day-2 maturity before which there is none, ``day2_day6_max`` what there is at maturity
    1.
    """

    day2_day6: float
    sisters: float
    breakpoint: float
    day2_day6_max: float


def gaussian_information(correlation: npt.ArrayLike) -> Array:
    """Bits that two fates share whose coordinates are correlated by ``correlation``: -(q / 2) log2(1 - rho^2)."""
    return np.asarray(-0.5 * FATE_DIMENSIONS * np.log2(1 - np.square(np.asarray(correlation, dtype=np.float64))))


def gaussian_correlation(bits: npt.ArrayLike) -> Array:
    """The non-negative correlation per coordinate at which two fates share ``bits``."""
    return np.asarray(np.sqrt(1 - 2 ** (-2 * np.asarray(bits, dtype=np.float64) / FATE_DIMENSIONS)))


def day2_information(maturity: npt.ArrayLike) -> Array:
    """Bits between a day-2 cell of this maturity (0 to 1) and a day-6 cell of its clone: a hinge at ``BREAKPOINT``."""
    past = np.maximum(0.0, np.asarray(maturity, dtype=np.float64) - BREAKPOINT)
    return np.asarray(MAX_INFORMATION * past / (1 - BREAKPOINT))


def anchor_correlation(maturity: npt.ArrayLike, day: int, *, memory: bool) -> Array:
    """Correlation of a clone's cells on ``day`` with the vector that its cells have in common, by day-2 maturity.

    With memory, that vector is a hidden bias, on which day 2 depends as much as days 4 and 6 do. Without, it is the
    state of the clone on day 2 itself. Either way a day-2 and a day-6 cell come out correlated by the same amount.
    """
    rho = gaussian_correlation(day2_information(maturity))
    if memory:
        return rho / HIDDEN_CORRELATION[6] if day == 2 else np.full_like(rho, HIDDEN_CORRELATION[day])
    return rho ** {2: 0.0, 4: 0.5, 6: 1.0}[day]


def markov_sister_information(n_nodes: int = 64) -> float:
    """Bits between two day-6 cells of a clone whose only link is the state of the clone on day 2.

    Given the maturity, two sisters u, v are Gaussian with correlation r = rho(maturity)^2 per coordinate. Their
    maturity is not seen, so their joint density is a mixture, and its ratio R to that of independent cells depends on
    two numbers alone, a = |u + v|^2 / 4 and b = |u - v|^2 / 4, each standard exponential under independence:

        L_r = exp(a r / (1 + r) - b r / (1 - r)) / (1 - r^2),  R = E over maturity of L_r,  I = E_independent[R log2 R]

    Past the breakpoint the information is uniform on (0, MAX_INFORMATION) and 1 - r = 2^-information. Gauss-Legendre
    nodes are set in sqrt(a) and sqrt(b), which resolves the ridge at small b however near r is to 1.

    Parameters
    ----------
    n_nodes
        Nodes along each of the three integrals.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    nodes, weights = (nodes + 1) / 2, weights / 2
    r = 1 - 2 ** (-MAX_INFORMATION * nodes)

    # R exp(-a-b) falls off no faster than exp(-a / 2) and exp(-b): what lies past these ends is below 1e-15.
    root_a, root_b = 9.0 * nodes, 6.5 * nodes
    a, b = root_a**2, root_b**2
    weight_a = 9.0 * weights * 2 * root_a * np.exp(-a)
    weight_b = 6.5 * weights * 2 * root_b * np.exp(-b)

    along_a = np.exp(np.outer(a, r / (1 + r))) * (weights / (1 - r**2))
    along_b = np.exp(-np.outer(b, r / (1 - r)))
    ratio = BREAKPOINT + (1 - BREAKPOINT) * along_a @ along_b.T
    return float(weight_a @ (ratio * np.log2(ratio)) @ weight_b)


def lineage_truth(*, memory: bool) -> LineageTruth:
    """The true information of the simulated experiment, in bits."""
    return LineageTruth(
        # Maturity is uniform and says nothing on its own, so the day-2 cells share the mean of the hinge with day 6.
        day2_day6=MAX_INFORMATION * (1 - BREAKPOINT) / 2,
        sisters=float(gaussian_information(HIDDEN_CORRELATION[6] ** 2)) if memory else markov_sister_information(),
        breakpoint=BREAKPOINT,
        day2_day6_max=MAX_INFORMATION,
    )
