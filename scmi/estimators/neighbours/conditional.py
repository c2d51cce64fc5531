"""Mutual information given a covariate, by nearest neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from scmi._docs import with_shared_docs
from scmi.estimators.inputs.checks import TooFew, check_same_length
from scmi.estimators.inputs.feature_names import check_aligned
from scmi.estimators.inputs.matrices import as_points
from scmi.typing import Bits, MatrixLike, Values

from ._conditional_counts import count_psi, local_permutation
from .ksg import KSG, of_common_size
from .ties import find_ties, part_ties
from .windows import Metric

__all__ = ["conditional_bits", "conditional_ksg", "local_permutation", "scaled_points"]


@with_shared_docs
def conditional_ksg(x: MatrixLike, y: MatrixLike, z: MatrixLike, k: int = 3, *, metric: Metric = "chebyshev") -> Bits:
    r"""Pointwise mutual information between x and y given z, by nearest neighbours.

    For each of the N joint samples, finds the distance to its k-th nearest neighbour in all three spaces (the largest
    of the distances in x, y and z), counts the other points that lie strictly nearer in (x, z), in (y, z) and
    in z, and returns

    .. math:: \left[\psi(k) - \psi(n_{xz} + 1) - \psi(n_{yz} + 1) + \psi(n_z + 1)\right] / \ln 2 .

    The mean estimates I(X; Y | Z). Each column of z is standardised; x and y are divided by one number each, the root
    mean square of their columns' standard deviations, so that the three spaces are of comparable size and the geometry
    of the latent spaces stays. For a discrete z see
    :func:`~scmi.estimators.within_strata`.

    Parameters
    ----------
    x, y, z
        Samples x features, or vectors; row i of all is one joint sample.
    {k}
    metric
        Distance within each of the three spaces.

    Returns
    -------
    Conditional pMI of each sample, in bits.

    Raises
    ------
    ValueError
        If the rows don't match, a value is missing or infinite, or there are fewer than ``k + 1`` samples.

    References
    ----------
    Frenzel and Pompe (2007), Phys. Rev. Lett. 99, 204101.
    """
    ksg = KSG(k, metric)
    points = scaled_points(x, y, z, ksg)
    bits: Bits = conditional_bits(*points, np.arange(len(points[0]), dtype=np.int32)[None], ksg)[0]
    return bits


def scaled_points(x: MatrixLike, y: MatrixLike, z: MatrixLike, ksg: KSG) -> tuple[Values, Values, Values]:
    """Three spaces of comparable size, ties parted: x and y divided by one number each, columns of z standardised."""
    check_aligned(x=x, y=y, z=z)
    (x,), (y,), (z,) = (of_common_size(as_points(v, name)) for v, name in ((x, "x"), (y, "y"), (z, "z")))
    n = check_same_length(x, y)
    check_same_length(x, z, "x", "z")
    if ksg.k >= n:
        raise TooFew(f"k={ksg.k} needs at least {ksg.k + 1} samples, got {n}.")
    spread = z.std(axis=0)
    sides = _unit(x), _unit(y), (z - z.mean(axis=0)) / np.where(spread > 0, spread, 1)
    generators = np.random.default_rng(0).spawn(3)
    u, v, w = (part_ties(side, find_ties(side, ksg.metric), rng) for side, rng in zip(sides, generators, strict=True))
    return u, v, w


def conditional_bits(x: Values, y: Values, z: Values, permutations: NDArray[np.int32], ksg: KSG) -> Bits:
    """Conditional pMI of each point, permutations of x by points."""
    bits: Bits = (digamma(ksg.k) - count_psi(x, y, z, permutations, ksg)) / np.log(2)
    return bits


def _unit(points: Values) -> Values:
    spread = np.sqrt(points.var(axis=0).mean())
    return points / spread if spread > 0 else points
