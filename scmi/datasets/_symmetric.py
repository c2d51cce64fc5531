"""Dependences that no prediction of the mean can see."""

from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np

from scmi._docs import with_shared_docs
from scmi.datasets._sample import Array, JointSample, check_sizes
from scmi.estimators.inputs.checks import as_generator, check_number
from scmi.typing import Rng

NOISE = 0.25
"""Half width of the uniform noise about the circle."""
CORRELATION = 0.9
"""Of the one component of the mixture; the other's is the negative."""


@with_shared_docs
def symmetric(
    shape: Literal["circle", "gaussian_mixture"] = "circle",
    n_samples: int = 2000,
    *,
    n_exclusive: int = 0,
    rng: Rng = 0,
) -> JointSample:
    r"""Two variables of which neither predicts the other's mean: E[y | x] = E[x | y] = 0.

    ``"circle"`` has a uniform angle and uniform noise on :math:`(-0.25, 0.25)`:
    :math:`x = \cos \theta + \epsilon, y = \sin \theta + \epsilon'`. ``"gaussian_mixture"`` has standard normal margins,
    correlated by 0.9 in half of the samples and by -0.9 in the others.

    Networks that are trained to predict one variable from the other learn nothing here. They get along while a latent
    space is as wide as the data, and fail once there are exclusive dimensions, which are as good to reconstruct.

    Parameters
    ----------
    shape
        ``"circle"`` or ``"gaussian_mixture"``.
    {n_samples}
    n_exclusive
        How many independent standard normal columns to append to x and, others, to y.
    {rng}
        The first columns don't depend on ``n_exclusive``.

    Returns
    -------
    The samples, their mutual information (integrated numerically, to 1e-4 bits for the circle and 1e-9 for the
    mixture), and the closed-form pMI of every row, in bits.

    References
    ----------
    The published results are those of the symmetry experiment in the code supplement of :cite:t:`Gowri2024`.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.symmetric("gaussian_mixture", 1000, n_exclusive=3)
    >>> sample.x.shape, round(sample.truth, 3)
    ((1000, 4), 0.589)
    """
    if shape not in SHAPES:
        raise ValueError(f"`shape` is {shape!r}; give one of {', '.join(map(repr, SHAPES))}.")
    check_sizes(n_samples, 1)
    check_number("n_exclusive", n_exclusive)
    if n_exclusive < 0 or n_exclusive != int(n_exclusive):
        raise ValueError(f"`n_exclusive` is {n_exclusive}; give a whole number, 0 or more.")
    draw, pmi, information = SHAPES[shape]
    for_pairs, for_columns = as_generator(rng).spawn(2)
    x, y = draw(n_samples, for_pairs)
    exclusive = for_columns.standard_normal((2, n_samples, n_exclusive))
    return JointSample(
        x=np.column_stack([x, exclusive[0]]),
        y=np.column_stack([y, exclusive[1]]),
        truth=information(),
        pmi=pmi(x, y),
    )


def draw_circle(n_samples: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points near the unit circle."""
    angle = rng.uniform(0, 2 * np.pi, size=n_samples)
    noise = rng.uniform(-NOISE, NOISE, size=(2, n_samples))
    return np.cos(angle) + noise[0], np.sin(angle) + noise[1]


def draw_mixture(n_samples: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points of a cross of two Gaussians."""
    correlation = CORRELATION * rng.choice([-1.0, 1.0], size=n_samples)
    x, rest = rng.standard_normal((2, n_samples))
    return x, correlation * x + np.sqrt(1 - CORRELATION**2) * rest


def circle_pmi(x: Array, y: Array) -> Array:
    """Bits at each point of the noisy circle (-inf where it never comes); x and y broadcast against each other.

    The density of a coordinate is proportional to the length of the arcs where the circle is within ``NOISE`` of it,
    the joint density to the length of those arcs where it is near in both. By symmetry the quadrant of |x| and |y|
    serves.
    """
    a, b = _arc(np.abs(x))
    c, d = _arc(np.abs(y))
    # Near in x: from a to b and from -b to -a. Near in y: from c to d on either side of a quarter turn. Arcs reach
    # over the axes by less than 15 degrees, so that one of the four overlaps is always empty.
    both = _overlap(a, b, np.pi / 2 - d, np.pi / 2 - c)
    both = both + _overlap(a, b, np.pi / 2 + c, np.pi / 2 + d)
    both = both + _overlap(-b, -a, np.pi / 2 - d, np.pi / 2 - c)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log2(np.pi / 2 * both / ((b - a) * (d - c))))


def _arc(coordinate: Array) -> tuple[Array, Array]:
    """The angles, from 0 to pi, whose cosine is within ``NOISE`` of a coordinate: from, to."""
    return np.arccos(np.minimum(coordinate + NOISE, 1.0)), np.arccos(np.minimum(coordinate - NOISE, 1.0))


def _overlap(a: Array, b: Array, c: Array, d: Array) -> Array:
    """The length that the intervals (a, b) and (c, d) have in common."""
    return np.asarray(np.maximum(0.0, np.minimum(b, d) - np.maximum(a, c)))


def mixture_pmi(x: Array, y: Array) -> Array:
    """Bits at each point of the mixture, whose margins are standard normal."""
    rest = 1 - CORRELATION**2
    same = (2 * CORRELATION * x * y - CORRELATION**2 * (x**2 + y**2)) / (2 * rest)
    opposite = same - 2 * CORRELATION * x * y / rest
    return np.asarray((np.logaddexp(same, opposite) - np.log(2) - np.log(rest) / 2) / np.log(2))


@cache
def circle_information(n_points: int = 1500) -> float:
    """Mutual information of the noisy circle, in bits, by the midpoint rule over one quadrant."""
    at = (np.arange(n_points) + 0.5) * (1 + NOISE) / n_points
    low, high = _arc(at)
    margin = (high - low) / (2 * np.pi * NOISE)
    pmi = circle_pmi(at[:, None], at[None, :])
    inside = np.isfinite(pmi)
    density = np.where(inside, margin[:, None] * margin[None, :] * np.exp2(pmi), 0.0)
    return float(np.sum(density * np.where(inside, pmi, 0.0)) / density.sum())


@cache
def mixture_information(n_points: int = 600) -> float:
    """Mutual information of the mixture, in bits, by the trapezoidal rule along its axes."""
    # The density is smooth and gone by the ends, where this rule converges faster than any power of the step.
    along = np.linspace(-12.0, 12.0, n_points)
    x = (along[:, None] + along[None, :]) / np.sqrt(2)
    y = (along[:, None] - along[None, :]) / np.sqrt(2)
    pmi = mixture_pmi(x, y)
    density = np.exp(-(x**2 + y**2) / 2) * np.exp2(pmi)
    return float(np.sum(density * pmi) / density.sum())


SHAPES: dict[
    str,
    tuple[
        Callable[[int, np.random.Generator], tuple[Array, Array]],
        Callable[[Array, Array], Array],
        Callable[[], float],
    ],
] = {
    "circle": (draw_circle, circle_pmi, circle_information),
    "gaussian_mixture": (draw_mixture, mixture_pmi, mixture_information),
}
