"""Families that are hard in ways cells are: curved, clustered, dependent in scale only, counted."""

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from scmi._docs import with_shared_docs
from scmi.datasets._labels import agreement_information, draw_labels
from scmi.datasets._numeric_truth import count_information, count_pmi, scale_pmi, scale_slope, success
from scmi.datasets._sample import (
    Array,
    JointSample,
    check_bits,
    check_sizes,
    draw_gaussian_pairs,
    gaussian_correlation,
    gaussian_pmi,
    widen,
)
from scmi.estimators.inputs.checks import as_generator, check_counts, check_number
from scmi.typing import Rng

LAYERS = 3
"""How often a latent space is rotated and bent before it is embedded."""
WAVES_PER_LATENT = 8
CLUSTER_DISTANCE = 20.0
"""Between the nearest centres, in standard deviations of the noise along a feature: 1e-23 of the samples lie nearer to
another centre than to their own."""
MAX_SCALE_BITS = 2.5
MEDIAN_SIZE, SIZE_SIGMA = 2.0, 0.5
"""Of a gene's negative binomial: its median size, which is its mean at program 0, and the spread of its log."""
MAX_PROGRAM_BITS = 5.0


@with_shared_docs
def curved(
    n_samples: int = 2000,
    n_features: int = 100,
    n_informative: int = 1,
    *,
    bits: float = 1.0,
    n_nuisance: int = 2,
    noise: float = 0.0,
    rng: Rng = 0,
) -> JointSample:
    r"""A low-dimensional dependence on curved manifolds.

    Each side has ``n_informative`` latent coordinates, correlated with the other side's as independent Gaussian pairs,
    and ``n_nuisance`` independent ones of its own. A random map embeds them all in ``n_features`` columns: the latent
    space is rotated and bent three times (each coordinate by a strictly increasing function), joined by sine waves of
    itself, and mixed linearly. The map is smooth and injective, so the information stays that of the Gaussian pairs.

    Parameters
    ----------
    {n_samples}
    {n_features}
        They are scaled to unit variance. At least one per latent coordinate.
    {n_informative}
        They are pairs of latent coordinates.
    {bits}
    n_nuisance
        Latent coordinates of each side that have nothing to do with the other.
    noise
        Standard deviation of independent Gaussian noise on every column. With noise, ``truth`` and ``pmi`` are those of
        the latent coordinates, and ``truth`` is an upper bound.
    {rng}
        The maps are drawn with it too.

    Returns
    -------
    The samples with their mutual information and the closed-form pMI of every row, in bits.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.curved(500, n_features=30, bits=1.0)
    >>> sample.x.shape, sample.truth, sample.truth_is_bound
    ((500, 30), 1.0, False)
    """
    check_sizes(n_samples, n_features, n_informative)
    check_number("n_nuisance", n_nuisance)
    if n_nuisance < 0 or n_nuisance != int(n_nuisance):
        raise ValueError(f"`n_nuisance` is {n_nuisance}; give a whole number, 0 or more.")
    if n_features < n_informative + n_nuisance:
        raise ValueError(
            f"`n_features` is {n_features}, but there are {n_informative + n_nuisance} latent coordinates; give at "
            "least as many features."
        )
    check_number("noise", noise)
    if not 0 <= noise < np.inf:
        raise ValueError(f"`noise` is {noise}; give a standard deviation, 0 or more.")
    correlation = gaussian_correlation(bits, n_informative)
    for_pairs, *for_sides, for_noise = as_generator(rng).spawn(4)
    pairs = draw_gaussian_pairs((n_samples, n_informative), correlation, for_pairs)
    x, y = (
        embed(np.hstack([side, own.standard_normal((n_samples, n_nuisance))]), n_features, own)
        for side, own in zip(pairs, for_sides, strict=True)
    )
    return JointSample(
        x=x + noise * for_noise.standard_normal(x.shape),
        y=y + noise * for_noise.standard_normal(y.shape),
        truth=float(bits),
        pmi=gaussian_pmi(*pairs, correlation),
        truth_is_bound=noise > 0,
    )


def embed(latent: Array, n_features: int, rng: np.random.Generator) -> Array:
    """Standard normal latent coordinates under a random smooth injective map, with columns of unit variance."""
    n_latent = latent.shape[1]
    bent = latent
    for _ in range(LAYERS):
        rotation = np.linalg.qr(rng.standard_normal((n_latent, n_latent))).Q
        offset = rng.normal(size=n_latent)
        # Increasing, with slopes from 0.15 to 2: what is bent stays within a few units.
        bent = np.tanh(1.5 * (bent @ rotation + offset)) + 0.5 * (bent @ rotation)
    # A matrix with no more rows than columns is injective, almost surely, and the bent coordinates are among its rows.
    n_waves = min(WAVES_PER_LATENT * n_latent, n_features - n_latent)
    directions = rng.standard_normal((n_latent, n_waves)) / np.sqrt(n_latent)
    waves = np.sin(2 * latent @ directions + rng.uniform(0, 2 * np.pi, size=n_waves))
    image = np.hstack([bent, waves]) @ rng.standard_normal((n_latent + n_waves, n_features))
    return np.asarray((image - image.mean(axis=0)) / image.std(axis=0))


@with_shared_docs
def clusters(
    n_samples: int = 2000,
    n_features: int = 100,
    n_clusters: int = 4,
    *,
    agreement: float = 0.8,
    rng: Rng = 0,
) -> JointSample:
    r"""Clusters on either side that agree with a probability, and nothing else.

    A row's cluster in x is uniform over :math:`L`; its cluster in y is the same with probability :math:`p`, else one of
    the others. Samples are Gaussian about their cluster's centre, which is random on each side. Centres are so far
    apart (20 standard deviations) that a sample tells its cluster, and x and y share

    .. math:: \log_2 L + p \log_2 p + (1 - p) \log_2 \frac{1 - p}{L - 1} .

    The more features, the less of that distance shows in any one of them.

    Parameters
    ----------
    {n_samples}
    {n_features}
        Their noise has standard deviation 1.
    n_clusters
        Clusters on either side, two or more.
    agreement
        Probability that both sides are in the same cluster: ``1 / n_clusters`` for independence.
    {rng}
        The labels don't depend on ``n_features``.

    Returns
    -------
    The samples, their labels, mutual information, and the pMI of every row, in bits.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.clusters(500, n_features=50, n_clusters=2, agreement=0.89)
    >>> sample.x.shape, round(sample.truth, 3)
    ((500, 50), 0.5)
    """
    check_sizes(n_samples, n_features)
    check_counts(n_clusters=n_clusters)
    if n_clusters < 2:
        raise ValueError(f"`n_clusters` is {n_clusters}; give at least 2.")
    check_number("agreement", agreement)
    if not 0 <= agreement <= 1:
        raise ValueError(f"`agreement` is {agreement}; give a probability.")
    for_labels, for_x, for_y = as_generator(rng).spawn(3)
    first, second = draw_labels(n_samples, n_clusters, agreement, for_labels)
    agree, disagree = agreement * n_clusters, (1 - agreement) * n_clusters / (n_clusters - 1)
    return JointSample(
        x=scatter(first, n_clusters, n_features, for_x),
        y=scatter(second, n_clusters, n_features, for_y),
        truth=agreement_information(agreement, n_clusters),
        pmi=np.log2(np.where(first == second, agree, disagree)),
        labels_x=first,
        labels_y=second,
    )


def scatter(labels: npt.NDArray[np.intp], n_clusters: int, n_features: int, rng: np.random.Generator) -> Array:
    """Samples about the centres of their clusters, the nearest two of which are ``CLUSTER_DISTANCE`` apart."""
    centres = rng.standard_normal((n_clusters, n_features))
    centres *= CLUSTER_DISTANCE / pdist(centres).min()
    return np.asarray(centres[labels] + rng.standard_normal((len(labels), n_features)))


@with_shared_docs
def scale_only(
    n_samples: int = 2000,
    n_features: int = 100,
    bits: float = 0.5,
    *,
    rng: Rng = 0,
) -> JointSample:
    r"""The spread of y, not its mean, depends on x.

    The first columns are :math:`x \sim N(0, 1)` and :math:`y = e^{s x} \epsilon` with :math:`\epsilon \sim N(0, 1)`: x
    says nothing about the mean of y (nor y about that of x beyond its own size). The columns are arranged as in
    :func:`scmi.datasets.gaussian`: half of the rest are copies of the first, the other half standard normal nuisance.

    As the sign of y is independent of all else, the information is that between :math:`x` and :math:`\log |y| = s x +
    \log |\epsilon|`; the entropy of that sum is integrated numerically, and :math:`s` solved for.

    Parameters
    ----------
    {n_samples}
    {n_features}
    {bits}
        At most 2.5, where the sd of y already spans 6 orders of magnitude.
    {rng}
        The informative columns don't depend on ``n_features``.

    Returns
    -------
    The samples with their mutual information and the pMI of every row (integrated numerically), in bits.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.scale_only(500, n_features=20, bits=0.5)
    >>> sample.x.shape, sample.truth
    ((500, 20), 0.5)
    """
    check_sizes(n_samples, n_features)
    check_bits(bits, 0.0, MAX_SCALE_BITS, "with more the scales of y get out of hand")
    slope = scale_slope(float(bits))
    for_pairs, for_columns = as_generator(rng).spawn(2)
    x, noise = for_pairs.standard_normal((2, n_samples))
    y = np.exp(slope * x) * noise
    return JointSample(
        x=widen(x[:, None], n_features, for_columns.standard_normal, for_columns),
        y=widen(y[:, None], n_features, for_columns.standard_normal, for_columns),
        truth=float(bits),
        pmi=scale_pmi(x, y, slope),
    )


@with_shared_docs
def overdispersed_counts(
    n_samples: int = 2000,
    n_features: int = 200,
    n_informative: int = 50,
    *,
    bits: float = 1.0,
    rng: Rng = 0,
) -> JointSample:
    r"""Negative binomial counts of genes, driven by latent programs, with a truth that is that of the counts.

    Each side has an informative program :math:`z`, standard normal and correlated with that of the other side. Each of
    its genes is negative binomial with size :math:`r_g` (log-normal) and mean :math:`r_g e^{z / 2}`, so that its
    log-mean is linear in :math:`z` and its variance :math:`e^{z / 2} + 1` times its mean. Half of the other genes
    follow a program of their own side in the same way, the rest follow none.

    The counts share less than the programs do, by what counting loses. It is known here because the genes of a program
    differ in size alone: their sum :math:`S` is negative binomial with the sum of their sizes and is all they say about
    :math:`z`. So ``truth`` is the information between the two sums, integrated numerically.

    Parameters
    ----------
    {n_samples}
    n_features
        Genes of each side.
    n_informative
        Genes in the informative program.
    bits
        Mutual information between the two programs; ``truth`` is below, the nearer the more informative genes there
        are.
    {rng}
        The programs don't depend on the number of genes.

    Returns
    -------
    Counts (int64) with their mutual information and the pMI of every row (both integrated numerically, to 1e-3 bits),
    in bits.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.overdispersed_counts(500, bits=1.0)
    >>> sample.x.shape, 0.7 < sample.truth < 0.8
    ((500, 200), True)
    """
    check_sizes(n_samples, n_features, n_informative)
    check_bits(bits, 0.0, MAX_PROGRAM_BITS, "counts don't keep more")
    correlation = gaussian_correlation(bits, 1)
    for_pairs, for_x, for_y = as_generator(rng).spawn(3)
    program_x, program_y = draw_gaussian_pairs((n_samples,), correlation, for_pairs)
    x, size_x = draw_counts(program_x, n_features, n_informative, for_x)
    y, size_y = draw_counts(program_y, n_features, n_informative, for_y)
    total_x, total_y = (side[:, :n_informative].sum(axis=1) for side in (x, y))
    return JointSample(
        x=x,
        y=y,
        truth=count_information(size_x, size_y, correlation),
        pmi=count_pmi(total_x, total_y, size_x, size_y, correlation),
    )


def draw_counts(
    program: Array, n_features: int, n_informative: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], float]:
    """Counts of one side's genes, those of the informative program first, and the sum of the sizes of these."""
    size = MEDIAN_SIZE * rng.lognormal(0, SIZE_SIGMA, size=n_features)
    n_silent = (n_features - n_informative) // 2
    columns = np.repeat([0, 1, 2], [n_informative, n_features - n_informative - n_silent, n_silent])
    programs = np.column_stack([program, rng.standard_normal(len(program)), np.zeros(len(program))])
    return rng.negative_binomial(size, success(programs)[:, columns]), float(size[:n_informative].sum())
