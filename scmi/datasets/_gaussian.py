"""Gaussians of many dimensions whose dependence has few (the paper's Algorithm 4)."""

import numpy as np

from scmi._docs import with_shared_docs
from scmi.datasets._sample import (
    JointSample,
    check_sizes,
    draw_gaussian_pairs,
    gaussian_correlation,
    gaussian_pmi,
    widen,
)
from scmi.estimators.inputs.checks import as_generator
from scmi.typing import Rng

VARIANCE_X, VARIANCE_Y = 6.0, 3.5


@with_shared_docs
def gaussian(
    n_samples: int = 2000,
    n_features: int = 100,
    n_informative: int = 1,
    bits: float = 1.0,
    *,
    rng: Rng = 0,
) -> JointSample:
    r"""Gaussians with a low-dimensional dependence: the paper's Algorithm 4.

    The first ``n_informative`` columns of x and y are independent pairs with covariance

    .. math:: \begin{pmatrix} 6 & r \\ r & 3.5 \end{pmatrix}, \qquad r = \sqrt{6 \cdot 3.5 \, (1 - 2^{-2 b / k})}

    for :math:`b` bits and :math:`k` informative columns. Half of the other columns are exact copies of informative
    ones, drawn at random and for each side by itself; the last ones are independent standard normal nuisance. Neither
    changes the information.

    Parameters
    ----------
    {n_samples}
    {n_features}
    {n_informative}
    {bits}
    {rng}
        The informative columns don't depend on ``n_features``.

    Returns
    -------
    The samples with their mutual information and the closed-form pMI of every row, in bits.

    References
    ----------
    Algorithm 4 of :cite:t:`Gowri2024`, where 3/5 is a misprint for 3.5. The published data sets with fewer than 50
    features were tiled; these are not.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.gaussian(1000, n_features=50, n_informative=2, bits=1.0)
    >>> sample.x.shape, sample.truth, round(float(sample.pmi.mean()), 1)
    ((1000, 50), 1.0, 1.0)
    """
    check_sizes(n_samples, n_features, n_informative)
    correlation = gaussian_correlation(bits, n_informative)
    for_pairs, for_columns = as_generator(rng).spawn(2)
    u, v = draw_gaussian_pairs((n_samples, n_informative), correlation, for_pairs)
    return JointSample(
        x=widen(np.sqrt(VARIANCE_X) * u, n_features, for_columns.standard_normal, for_columns),
        y=widen(np.sqrt(VARIANCE_Y) * v, n_features, for_columns.standard_normal, for_columns),
        truth=float(bits),
        pmi=gaussian_pmi(u, v, correlation),
    )
