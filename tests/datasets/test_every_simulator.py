"""The promises that all simulators with a known truth keep.

- The true pMI is a log density ratio of what was in fact drawn: its mean is the truth, within four standard errors.
- KSG on the informative columns agrees. Nothing shared is 0.
- Same seed, same arrays; more columns or another number of exclusive ones leave the informative ones as they are.
- Arguments that can't be met are refused by name.
"""

import numpy as np
import pytest

import scmi as sm
from scmi import datasets
from tests.datasets.conftest import assert_mean

N = 20_000
FAMILIES = {
    "gaussian": lambda **kw: datasets.gaussian(n_features=7, n_informative=3, bits=1.5, **kw),
    "heavy_tailed": lambda **kw: datasets.heavy_tailed(n_features=5, bits=0.7, **kw),
    "circle": lambda **kw: datasets.symmetric("circle", n_exclusive=2, **kw),
    "gaussian_mixture": lambda **kw: datasets.symmetric("gaussian_mixture", n_exclusive=2, **kw),
    "curved": lambda **kw: datasets.curved(n_features=12, n_informative=2, bits=1.5, **kw),
    "clusters": lambda **kw: datasets.clusters(n_features=5, n_clusters=3, agreement=0.7, **kw),
    "scale_only": lambda **kw: datasets.scale_only(n_features=5, bits=0.6, **kw),
    "overdispersed_counts": lambda **kw: datasets.overdispersed_counts(n_features=30, n_informative=20, **kw),
}
family = pytest.mark.parametrize("draw", FAMILIES.values(), ids=FAMILIES)


@family
def test_mean_pmi_is_the_truth(draw):
    sample = draw(n_samples=N, rng=1)
    assert sample.truth > 0.3
    assert np.isfinite(sample.pmi).all()
    assert_mean(sample.pmi, sample.truth)
    # The inverse density ratio has mean 1 (wherever x and y can be apart they can be together) or less.
    assert np.mean(np.exp2(-sample.pmi)) < 1.1


@family
def test_shapes_and_seeds(draw):
    first, again, other = (draw(n_samples=60, rng=seed) for seed in (3, 3, 4))
    assert first.x.shape == first.y.shape
    assert len(first.x) == len(first.pmi) == 60
    for name in ("x", "y", "pmi"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert isinstance(first.truth, float)
    assert not first.truth_is_bound
    generator = np.random.default_rng(3)
    np.testing.assert_array_equal(draw(n_samples=60, rng=generator).x, first.x)
    assert not np.array_equal(draw(n_samples=60, rng=generator).x, first.x)


@family
def test_global_state_is_left_alone(draw):
    before = np.random.get_state()[1].copy()
    draw(n_samples=10)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("name", ["gaussian", "heavy_tailed", "circle", "gaussian_mixture", "scale_only"], ids=str)
def test_ksg_on_the_informative_columns_agrees(name):
    draw = {
        "gaussian": lambda seed: datasets.gaussian(2000, 1, bits=1.0, rng=seed),
        "heavy_tailed": lambda seed: datasets.heavy_tailed(2000, 1, bits=0.7, rng=seed),
        "circle": lambda seed: datasets.symmetric("circle", 2000, rng=seed),
        "gaussian_mixture": lambda seed: datasets.symmetric("gaussian_mixture", 2000, rng=seed),
        "scale_only": lambda seed: datasets.scale_only(2000, 1, bits=0.5, rng=seed),
    }[name]
    errors = []
    for seed in range(3):
        sample = draw(seed)
        # Uniform margins bring columns to one scale; the mean pMI of these very samples removes most of the spread.
        uniform = datasets.transform(sample, "uniform")
        errors.append(sm.ksg(uniform.x, uniform.y, k=3).mean() - sample.pmi.mean())
    # Over 12 seeds the differences are .01 to .04 on average, with a standard deviation of .02 to .03.
    assert np.mean(errors) == pytest.approx(0.02, abs=0.06)


def test_independence_is_zero():
    for sample in (
        datasets.gaussian(500, 4, bits=0.0),
        datasets.curved(500, 4, bits=0.0),
        datasets.scale_only(500, 4, bits=0.0),
        datasets.overdispersed_counts(500, 40, 20, bits=0.0),
        datasets.clusters(500, 4, 2, agreement=0.5),
    ):
        assert sample.truth == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(sample.pmi, 0, atol=1e-8)


def test_more_columns_leave_the_informative_ones():
    for draw in (datasets.gaussian, datasets.heavy_tailed, datasets.scale_only):
        few, many = draw(50, 3), draw(50, 9)
        np.testing.assert_array_equal(few.x[:, 0], many.x[:, 0])
        np.testing.assert_array_equal(few.pmi, many.pmi)
    none, some = (datasets.symmetric(n_samples=50, n_exclusive=n) for n in (0, 3))
    np.testing.assert_array_equal(none.x[:, 0], some.x[:, 0])
    assert some.x.shape == (50, 4)
    assert np.abs(np.corrcoef(np.hstack([some.x, some.y]).T)[4:, 1:4]).max() < 5 / np.sqrt(50)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.gaussian(0), "`n_samples` must be at least 1"),
        (lambda: datasets.gaussian(10, 2, 3), "`n_informative` is 3, but `n_features` is only 2"),
        (lambda: datasets.gaussian(10, bits=-0.1), "`bits` is -0.1"),
        (lambda: datasets.gaussian(10, bits=np.nan), "`bits` is nan"),
        (lambda: datasets.gaussian(10, bits=21), "`bits` is 21; give a number from 0 to 20: at most 20 per"),
        (lambda: datasets.heavy_tailed(10, bits=0.05), "from 0.0611.* share their tails"),
        (lambda: datasets.heavy_tailed(10, degrees_of_freedom=0), "`degrees_of_freedom` is 0"),
        (lambda: datasets.symmetric("square"), "`shape` is 'square'; give one of 'circle', 'gaussian_mixture'"),
        (lambda: datasets.symmetric(n_exclusive=-1), "`n_exclusive` is -1"),
        (lambda: datasets.transform(datasets.gaussian(10, 2), "log"), "`name` is 'log'"),
        (lambda: datasets.curved(10, 2), "`n_features` is 2, but there are 3 latent coordinates"),
        (lambda: datasets.curved(10, n_nuisance=-1), "`n_nuisance` is -1"),
        (lambda: datasets.curved(10, noise=-1), "`noise` is -1"),
        (lambda: datasets.clusters(10, n_clusters=1), "`n_clusters` is 1"),
        (lambda: datasets.clusters(10, agreement=1.1), "`agreement` is 1.1"),
        (lambda: datasets.scale_only(10, bits=3), "`bits` is 3"),
        (lambda: datasets.overdispersed_counts(10, bits=6), "`bits` is 6"),
    ],
)
def test_arguments_that_cannot_be_met(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_public_names():
    assert set(datasets.__all__) == {
        *("JointSample", "clusters", "curved", "gaussian", "heavy_tailed", "lineage", "overdispersed_counts"),
        *("resampled_labels", "scale_only", "symmetric", "transform"),
        *("larry", "larry_state_fate", "omnipath_pairs", "uniprot_embeddings"),
    }
