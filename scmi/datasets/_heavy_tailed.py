"""Student t pairs, whose tails are heavy and depend on each other."""

import numpy as np
from scipy.special import digamma, gammaln

from scmi._docs import with_shared_docs
from scmi.datasets._sample import (
    MAX_BITS_PER_PAIR,
    Array,
    JointSample,
    check_bits,
    check_sizes,
    draw_gaussian_pairs,
    gaussian_correlation,
    widen,
)
from scmi.estimators.inputs.checks import as_generator, check_number
from scmi.typing import Rng


@with_shared_docs
def heavy_tailed(
    n_samples: int = 2000,
    n_features: int = 100,
    bits: float = 1.0,
    *,
    degrees_of_freedom: float = 3.0,
    rng: Rng = 0,
) -> JointSample:
    r"""A bivariate Student t pair among copies and heavy-tailed nuisance.

    The first columns of x and y are bivariate Student t with :math:`\nu` degrees of freedom and correlation parameter
    :math:`\rho`. They share

    .. math:: -\tfrac12 \log_2(1 - \rho^2) + \left[f(\nu) + f(\nu + 2) - 2 f(\nu + 1)\right] / \ln 2, \qquad
        f(a) = \ln \Gamma(a / 2) - \tfrac{a}{2} \psi(a / 2).

    The second term is there without correlation too, because both are large when either is: these variables are never
    independent. The columns are arranged as in :func:`scmi.datasets.gaussian`: half of the rest are copies of the
    first, the other half independent Student t nuisance.

    Parameters
    ----------
    {n_samples}
    {n_features}
    {bits}
        At least the second term above (0.061 bits for 3 degrees of freedom).
    degrees_of_freedom
        The fewer, the heavier the tails; the variance is infinite up to 2.
    {rng}
        The informative columns don't depend on ``n_features``.

    Returns
    -------
    The samples with their mutual information and the closed-form pMI of every row, in bits.

    References
    ----------
    Arellano-Valle, Contreras-Reyes and Genton (2013), Shannon entropy and mutual information for multivariate
    skew-elliptical distributions.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.heavy_tailed(1000, n_features=10, bits=0.5)
    >>> sample.x.shape, sample.truth
    ((1000, 10), 0.5)
    """
    check_sizes(n_samples, n_features)
    check_number("degrees_of_freedom", degrees_of_freedom)
    if not 0 < degrees_of_freedom < np.inf:
        raise ValueError(f"`degrees_of_freedom` is {degrees_of_freedom}; give a positive number such as 3.")
    floor = tail_information(degrees_of_freedom)
    check_bits(bits, floor, floor + MAX_BITS_PER_PAIR, "Student t variables share their tails even without correlation")
    correlation = gaussian_correlation(bits - floor, 1)

    for_pairs, for_columns = as_generator(rng).spawn(2)
    scale = np.sqrt(degrees_of_freedom / for_pairs.chisquare(degrees_of_freedom, size=(n_samples, 1)))
    u, v = (scale * side for side in draw_gaussian_pairs((n_samples, 1), correlation, for_pairs))

    def nuisance(shape: tuple[int, int]) -> Array:
        return for_columns.standard_t(degrees_of_freedom, size=shape)

    return JointSample(
        x=widen(u, n_features, nuisance, for_columns),
        y=widen(v, n_features, nuisance, for_columns),
        truth=float(bits),
        pmi=student_pmi(u[:, 0], v[:, 0], correlation, degrees_of_freedom),
    )


def tail_information(nu: float) -> float:
    """Bits that two Student t variables of one bivariate distribution share without correlation."""

    def f(a: float) -> float:
        return float(gammaln(a / 2) - a / 2 * digamma(a / 2))

    return float((f(nu) + f(nu + 2) - 2 * f(nu + 1)) / np.log(2))


def student_pmi(u: Array, v: Array, correlation: float, nu: float) -> Array:
    """Bits by which each Student t pair is likelier together than apart."""
    rest = 1 - correlation**2
    square = (u**2 - 2 * correlation * u * v + v**2) / rest
    constant = gammaln((nu + 2) / 2) + gammaln(nu / 2) - 2 * gammaln((nu + 1) / 2) - np.log(rest) / 2
    tails = (nu + 1) / 2 * (np.log1p(u**2 / nu) + np.log1p(v**2 / nu)) - (nu + 2) / 2 * np.log1p(square / nu)
    return np.asarray((constant + tails) / np.log(2))
