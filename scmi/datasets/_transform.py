"""Strictly monotone transforms of columns, which leave the information as it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from scmi.datasets._sample import Array, JointSample
from scmi.estimators.inputs.matrices import as_points


def half_cube(values: Array) -> Array:
    """The signed power 3/2, which makes tails heavier."""
    return values * np.sqrt(np.abs(values))


def uniform(values: Array) -> Array:
    """The share of samples below, in the middle of its step: every column uniform, equal values still equal."""
    return np.asarray((rankdata(values, axis=0) - 0.5) / len(values))


TRANSFORMS: dict[str, Callable[[Array], Array]] = {"asinh": np.arcsinh, "half_cube": half_cube, "uniform": uniform}


def transform(sample: JointSample, name: Literal["asinh", "half_cube", "uniform"]) -> JointSample:
    """The same samples with every column of x and y transformed, and the same truth.

    Strictly monotone transforms of single columns change no information: ``truth`` and ``pmi`` stay.

    Parameters
    ----------
    sample
        What a simulator returned.
    name
        ``"asinh"``, the inverse hyperbolic sine, which shortens tails; ``"half_cube"``, x sqrt(abs(x)), which lengthens
        them; ``"uniform"``, the rank of each value within its column, scaled to (0, 1).

    Returns
    -------
    A new sample, dense; the one given stays as it is.

    References
    ----------
    The transforms are those of the published experiment with transformed Gaussians (code supplement of
    :cite:t:`Gowri2024`), after Czyż et al. (2023), Beyond Normal; ranks make margins uniform whatever the distribution.

    Examples
    --------
    >>> import scmi as sm
    >>> sample = sm.datasets.transform(sm.datasets.gaussian(100, 10), "uniform")
    >>> sample.truth, bool(((sample.x > 0) & (sample.x < 1)).all())
    (1.0, True)
    """
    if not isinstance(sample, JointSample):
        raise TypeError(f"`sample` must be what a simulator returned, a JointSample, got {type(sample).__name__}.")
    if not isinstance(name, str) or name not in TRANSFORMS:
        raise ValueError(f"`name` is {name!r}; give one of {', '.join(map(repr, TRANSFORMS))}.")
    apply = TRANSFORMS[name]
    return replace(sample, x=apply(as_points(sample.x, "x")), y=apply(as_points(sample.y, "y")))
