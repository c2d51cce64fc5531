"""What these tests hold of the simulators with known truth.

- The true pMI is a log density ratio of what was in fact drawn: its mean is the truth, within four standard errors.
- Truths agree with a second way to get them: closed forms by hand, direct quadrature, and KSG on the informative columns.
- Nothing shared is 0. The information wanted is the information had.
- Columns are arranged as Algorithm 4 says; copies are exact and nuisance is independent.
- Same seed, same arrays; more columns or another number of exclusive ones leave the informative ones as they are.
- Real rows are drawn once, with the label they stand for; where they don't suffice, the error says how many would.
- Arguments that can't be met are refused by name.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

import scmi as sm
from scmi.datasets import JointSample
from scmi.datasets._labels import agreement_information, agreement_of
from scmi.datasets._numeric_truth import (
    bin_probabilities,
    count_information,
    log_size_density,
    programs_grid,
    scale_information,
    scale_pmi,
    scale_slope,
)
from scmi.datasets.hard import embed
from scmi.datasets.heavy_tailed import student_pmi, tail_information
from scmi.datasets.symmetric import NOISE, circle_information, circle_pmi, mixture_information, mixture_pmi

simulators = sm.datasets

N = 20_000
FAMILIES = {
    "gaussian": lambda **kw: simulators.gaussian(n_features=7, n_informative=3, bits=1.5, **kw),
    "heavy_tailed": lambda **kw: simulators.heavy_tailed(n_features=5, bits=0.7, **kw),
    "circle": lambda **kw: simulators.symmetric("circle", n_exclusive=2, **kw),
    "gaussian_mixture": lambda **kw: simulators.symmetric("gaussian_mixture", n_exclusive=2, **kw),
    "curved": lambda **kw: simulators.curved(n_features=12, n_informative=2, bits=1.5, **kw),
    "clusters": lambda **kw: simulators.clusters(n_features=5, n_clusters=3, agreement=0.7, **kw),
    "scale_only": lambda **kw: simulators.scale_only(n_features=5, bits=0.6, **kw),
    "overdispersed_counts": lambda **kw: simulators.overdispersed_counts(n_features=30, n_informative=20, **kw),
}
family = pytest.mark.parametrize("draw", FAMILIES.values(), ids=FAMILIES)


def assert_mean(values, expected):
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 4 * error, (np.mean(values), expected, error)


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
        "gaussian": lambda seed: simulators.gaussian(2000, 1, bits=1.0, rng=seed),
        "heavy_tailed": lambda seed: simulators.heavy_tailed(2000, 1, bits=0.7, rng=seed),
        "circle": lambda seed: simulators.symmetric("circle", 2000, rng=seed),
        "gaussian_mixture": lambda seed: simulators.symmetric("gaussian_mixture", 2000, rng=seed),
        "scale_only": lambda seed: simulators.scale_only(2000, 1, bits=0.5, rng=seed),
    }[name]
    errors = []
    for seed in range(3):
        sample = draw(seed)
        # Uniform margins bring columns to one scale; the mean of the pMI of these very samples removes most of the spread.
        uniform = simulators.transform(sample, "uniform")
        errors.append(sm.ksg(uniform.x, uniform.y, k=3).mean() - sample.pmi.mean())
    # Over 12 seeds the differences are .01 to .04 on average, with a standard deviation of .02 to .03.
    assert np.mean(errors) == pytest.approx(0.02, abs=0.06)


# Gaussians


def test_gaussian_columns_are_those_of_algorithm_4():
    sample = simulators.gaussian(N, 10, 3, 1.5)
    x, y = sample.x, sample.y
    r = np.sqrt(6 * 3.5 * (1 - 2 ** (-2 * 1.5 / 3)))
    for pair in range(3):
        # Standard error of a covariance: sqrt((6 * 3.5 + r^2) / N) = .04.
        np.testing.assert_allclose(np.cov(x[:, pair], y[:, pair]), [[6, r], [r, 3.5]], atol=0.25)
    # Ten less three are seven: four copies and three nuisance columns.
    for side in (x, y):
        assert all((side[:, [column]] == side[:, :3]).all(axis=0).sum() == 1 for column in range(3, 7))
        np.testing.assert_allclose(side[:, 7:].var(axis=0), 1, atol=0.05)
    everything = np.corrcoef(np.hstack([x[:, 7:], y[:, 7:], x[:, :3]]).T) - np.eye(9)
    assert np.abs(everything).max() < 5 / np.sqrt(N)
    with pytest.raises(AttributeError):
        sample.truth = 0.0


def test_redundant_columns_are_drawn_for_each_side_by_itself():
    sample = simulators.gaussian(50, 100, 5)
    copied = [
        np.argmax((side[:, :5, None] == side[:, None, 5:53]).all(axis=0), axis=0) for side in (sample.x, sample.y)
    ]
    assert set(copied[0]) == set(copied[1]) == set(range(5))
    assert (copied[0] != copied[1]).any()


@given(st.floats(0, 4), st.integers(1, 4))
def test_gaussian_pmi_is_the_log_density_ratio(bits, k):
    sample = simulators.gaussian(5, k, k, bits)
    r = np.sqrt(6 * 3.5 * (1 - 2 ** (-2 * bits / k)))
    together = stats.multivariate_normal([0, 0], [[6, r], [r, 3.5]])
    expected = sum(
        together.logpdf(np.column_stack([sample.x[:, i], sample.y[:, i]]))
        - stats.norm.logpdf(sample.x[:, i], scale=np.sqrt(6))
        - stats.norm.logpdf(sample.y[:, i], scale=np.sqrt(3.5))
        for i in range(k)
    )
    np.testing.assert_allclose(sample.pmi, expected / np.log(2), atol=1e-6)


def test_independence_is_zero():
    for sample in (
        simulators.gaussian(500, 4, bits=0.0),
        simulators.curved(500, 4, bits=0.0),
        simulators.scale_only(500, 4, bits=0.0),
        simulators.overdispersed_counts(500, 40, 20, bits=0.0),
        simulators.clusters(500, 4, 2, agreement=0.5),
    ):
        assert sample.truth == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(sample.pmi, 0, atol=1e-8)


def test_more_columns_leave_the_informative_ones():
    for draw in (simulators.gaussian, simulators.heavy_tailed, simulators.scale_only):
        few, many = draw(50, 3), draw(50, 9)
        np.testing.assert_array_equal(few.x[:, 0], many.x[:, 0])
        np.testing.assert_array_equal(few.pmi, many.pmi)
    none, some = (simulators.symmetric(n_samples=50, n_exclusive=n) for n in (0, 3))
    np.testing.assert_array_equal(none.x[:, 0], some.x[:, 0])
    assert some.x.shape == (50, 4)
    assert np.abs(np.corrcoef(np.hstack([some.x, some.y]).T)[4:, 1:4]).max() < 5 / np.sqrt(50)


# Student t


def test_student_information_without_correlation():
    # Student t pairs approach Gaussian ones: what the tails share vanishes as 1 / (2 nu^2) nats.
    assert tail_information(1000.0) == pytest.approx(0.5e-6 / np.log(2), rel=0.01)
    sample = simulators.heavy_tailed(N, 1, bits=tail_information(2.0), degrees_of_freedom=2.0)
    assert sample.truth == tail_information(2.0) > 0.1
    assert_mean(sample.pmi, sample.truth)


def test_student_pmi_is_the_log_density_ratio():
    u, v = np.random.default_rng(0).standard_t(3, size=(2, 20))
    expected = (
        stats.multivariate_t([0, 0], [[1, 0.6], [0.6, 1]], df=3).logpdf(np.column_stack([u, v]))
        - stats.t.logpdf(u, 3)
        - stats.t.logpdf(v, 3)
    )
    np.testing.assert_allclose(student_pmi(u, v, 0.6, 3.0), expected / np.log(2), atol=1e-10)


def test_student_columns_have_student_margins():
    sample = simulators.heavy_tailed(N, 4, bits=0.7)
    for column in range(4):
        assert stats.kstest(sample.x[:, column], stats.t(3).cdf).pvalue > 1e-4


# Symmetric shapes


def test_circle_density_is_that_of_its_definition():
    x, y = np.array([0.9, -0.2, 0.6, 0.05]), np.array([0.1, 1.1, -0.7, -1.0])
    angles = (np.arange(1_000_000) + 0.5) / 1_000_000 * 2 * np.pi
    near_x = np.abs(np.cos(angles) - x[:, None]) < NOISE
    near_y = np.abs(np.sin(angles) - y[:, None]) < NOISE
    ratio = (near_x & near_y).mean(axis=1) / (near_x.mean(axis=1) * near_y.mean(axis=1))
    np.testing.assert_allclose(circle_pmi(x, y), np.log2(ratio), atol=1e-4)
    assert circle_pmi(np.array([0.0]), np.array([0.0])) == -np.inf


def test_mixture_density_is_that_of_its_definition():
    x, y = np.random.default_rng(0).standard_normal((2, 20))
    density = sum(
        stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).pdf(np.column_stack([x, y])) / 2 for r in (-0.9, 0.9)
    )
    np.testing.assert_allclose(
        mixture_pmi(x, y), np.log2(density / (stats.norm.pdf(x) * stats.norm.pdf(y))), atol=1e-10
    )


def test_symmetric_truths_have_converged():
    assert circle_information(700) == pytest.approx(circle_information(), abs=5e-5)
    assert mixture_information(300) == pytest.approx(mixture_information(), abs=1e-10)
    # Published KSG estimates on 1 + 1 dimensions: .734 +- .034 and .610 +- .036.
    assert circle_information() == pytest.approx(0.7343, abs=0.034)
    assert mixture_information() == pytest.approx(0.6096, abs=0.036)


@pytest.mark.parametrize("shape", ["circle", "gaussian_mixture"])
def test_symmetric_means_are_constant(shape):
    sample = simulators.symmetric(shape, N)
    fifths = pd.qcut(sample.x[:, 0], 5, labels=False)
    for fifth in range(5):
        assert_mean(sample.y[fifths == fifth, 0], 0)


# Transforms


@pytest.mark.parametrize("name", ["asinh", "half_cube", "uniform"])
def test_transforms_keep_order_and_truth(name):
    sample = simulators.gaussian(200, 6)
    before = sample.x.copy()
    changed = simulators.transform(sample, name)
    assert changed.truth == sample.truth
    np.testing.assert_array_equal(changed.pmi, sample.pmi)
    np.testing.assert_array_equal(np.argsort(changed.x, axis=0), np.argsort(sample.x, axis=0))
    np.testing.assert_array_equal(sample.x, before)
    assert not np.allclose(changed.y, sample.y)


def test_transforms_by_hand():
    sample = JointSample(x=np.array([[-4.0], [0.0], [9.0], [9.0]]), y=np.zeros((4, 1)), truth=0.0, pmi=np.zeros(4))
    assert simulators.transform(sample, "half_cube").x.ravel().tolist() == [-8.0, 0.0, 27.0, 27.0]
    assert simulators.transform(sample, "uniform").x.ravel().tolist() == [0.125, 0.375, 0.75, 0.75]
    np.testing.assert_allclose(np.sinh(simulators.transform(sample, "asinh").x), sample.x)


# Labels


def test_agreement_by_hand():
    # A binary symmetric channel of error 0.11 carries half a bit; four labels that always agree, two bits.
    assert agreement_information(0.89, 2) == pytest.approx(0.5, abs=1e-3)
    assert agreement_information(1.0, 4) == 2.0
    assert agreement_information(0.25, 4) == pytest.approx(0, abs=1e-12)
    # Three labels that never agree: log2 3 - log2 2.
    assert agreement_information(0.0, 3) == pytest.approx(np.log2(1.5))


@given(st.integers(2, 12), st.floats(0, 1))
def test_agreement_solves_for_the_information(n_labels, share):
    bits = share * np.log2(n_labels)
    assert agreement_information(agreement_of(bits, n_labels), n_labels) == pytest.approx(bits, abs=1e-9)


def labelled(sizes, n_features=3, form=np.asarray):
    """Rows that tell their number in column 0 and their label in column 1."""
    labels = np.repeat([f"type {i}" for i in range(len(sizes))], sizes)
    rows = np.column_stack([np.arange(len(labels)), np.repeat(np.arange(len(sizes)), sizes), np.ones(len(labels))])
    return form(rows[:, :n_features]), labels


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_array])
def test_resampled_rows_are_drawn_once_and_have_their_label(form):
    data, labels = labelled([400, 300, 350], form=form)
    sample = simulators.resampled_labels(data, labels, 400, bits=1.0)
    x, y = (side if isinstance(side, np.ndarray) else side.toarray() for side in (sample.x, sample.y))
    assert x.shape == y.shape == (400, 3)
    drawn = np.concatenate([x[:, 0], y[:, 0]]).astype(int)
    assert len(set(drawn)) == 800
    np.testing.assert_array_equal(labels[drawn[:400]], sample.labels_x)
    np.testing.assert_array_equal(labels[drawn[400:]], sample.labels_y)


def test_resampled_truth_is_the_plug_in_information_of_the_labels():
    data, labels = labelled([5000, 5000])
    sample = simulators.resampled_labels(data, labels, 4000, bits=0.3)
    joint = pd.crosstab(sample.labels_x, sample.labels_y, normalize=True).to_numpy()
    expected = stats.entropy(joint.sum(0)) + stats.entropy(joint.sum(1)) - stats.entropy(joint.ravel())
    assert sample.truth == pytest.approx(expected / np.log(2), abs=1e-12)
    assert sample.pmi.mean() == pytest.approx(sample.truth)
    # Standard deviation over 200 seeds: .013 bits; the largest of 200 values at independence: .0015.
    assert sample.truth == pytest.approx(0.3, abs=0.05)
    assert simulators.resampled_labels(data, labels, 4000, bits=0.0).truth < 0.003
    assert simulators.resampled_labels(data, labels, 4000, bits=1.0).truth == pytest.approx(1.0, abs=0.003)


def test_resampled_from_anndata():
    data, labels = labelled([60, 60])
    adata = ad.AnnData(
        sp.csr_matrix(data), obs=pd.DataFrame({"cell_type": pd.Categorical(labels)}, index=map(str, range(120)))
    )
    sample = simulators.resampled_labels(adata.X, adata.obs["cell_type"], 40, rng=1)
    np.testing.assert_array_equal(sample.x.toarray(), simulators.resampled_labels(data, labels, 40, rng=1).x)


def test_too_few_rows_name_the_label_and_how_many_it_needs():
    data, labels = labelled([500, 90])
    with pytest.raises(ValueError, match=r"label 'type 1' has 90 and needs 211; lower `n_samples`"):
        simulators.resampled_labels(data, labels, 200)


# Curved, clusters, scale, counts


def test_curved_embedding_is_injective_and_curved():
    latent = np.random.default_rng(0).standard_normal((3000, 2))
    image = embed(latent, 30, np.random.default_rng(1))
    gap, near = (np.linalg.norm(a[:1500] - a[1500:], axis=1) for a in (latent, image))
    # Nothing that is apart comes together (over 8 seeds the least ratio is 1.4 to 1.8), and nothing tears.
    assert (near / gap).min() > 1
    step = np.linalg.norm(embed(latent + 1e-6, 30, np.random.default_rng(1)) - image, axis=1)
    assert step.max() < 1e-4
    forward = np.linalg.lstsq(np.column_stack([latent, np.ones(3000)]), image, rcond=None)[0]
    residual = image - np.column_stack([latent, np.ones(3000)]) @ forward
    assert 0.5 < residual.var() / image.var() < 0.8


def test_curved_noise_makes_the_truth_a_bound():
    clean, noisy = (simulators.curved(300, 20, noise=noise) for noise in (0.0, 0.1))
    assert noisy.truth_is_bound
    assert (noisy.x - clean.x).std() == pytest.approx(0.1, rel=0.05)
    np.testing.assert_array_equal(noisy.pmi, clean.pmi)


@pytest.mark.parametrize("n_features", [1, 3, 200])
def test_clusters_can_be_told_apart(n_features):
    sample = simulators.clusters(2000, n_features, 3)
    for side, labels in ((sample.x, sample.labels_x), (sample.y, sample.labels_y)):
        centres = np.stack([side[labels == label].mean(axis=0) for label in range(3)])
        nearest = np.argmin(np.linalg.norm(side[:, None] - centres, axis=2), axis=1)
        np.testing.assert_array_equal(nearest, labels)
    # Standard error .009.
    assert np.mean(sample.labels_x == sample.labels_y) == pytest.approx(0.8, abs=0.036)


def test_scale_truth_agrees_with_adaptive_quadrature():
    slope = 0.8

    def density(y):
        return integrate.quad(lambda x: stats.norm.pdf(x) * stats.norm.pdf(y, scale=np.exp(slope * x)), -9, 9)[0]

    at = np.array([-2.0, 0.0, 1.0])
    # Of log|y|: twice the density of y, times |y|.
    np.testing.assert_allclose(
        np.exp(log_size_density(at, slope)), [2 * np.exp(w) * density(np.exp(w)) for w in at], rtol=1e-7
    )
    assert scale_information(scale_slope(0.5)) == pytest.approx(0.5, abs=1e-9)
    assert scale_information(0.0) == pytest.approx(0, abs=1e-9)


def test_scale_shows_in_no_mean():
    sample = simulators.scale_only(N, 1, bits=0.5)
    x, y = sample.x[:, 0], sample.y[:, 0]
    for low in (-3.0, -1.0, 0.0, 1.0):
        assert_mean(y[(x > low) & (x < low + 1)], 0)
    assert y[x > 1].std() > 2 * y[x < -1].std()
    x, y = x[:100], y[:100]
    slope = scale_slope(0.5)
    direct = stats.norm.logpdf(y, scale=np.exp(slope * x)) - np.log(
        [
            integrate.quad(lambda t, v=v: stats.norm.pdf(t) * stats.norm.pdf(v, scale=np.exp(slope * t)), -9, 9)[0]
            for v in y
        ]
    )
    np.testing.assert_allclose(scale_pmi(x, y, slope), direct / np.log(2), atol=1e-6)


def test_counts_are_overdispersed_and_follow_their_programs():
    sample = simulators.overdispersed_counts(5000, 60, 20, bits=2.0)
    x, y = sample.x, sample.y
    assert x.dtype.kind == "i"
    assert x.min() == 0
    # Without a program variance is twice the mean; with one it is more.
    silent = x[:, 40:]
    np.testing.assert_allclose(silent.var(axis=0) / silent.mean(axis=0), 2, rtol=0.2)
    driven = x[:, :20]
    assert (driven.var(axis=0) / driven.mean(axis=0)).min() > 2.2
    sums = [side[:, part].sum(axis=1) for part in (slice(20), slice(20, 40)) for side in (x, y)]
    correlation = np.corrcoef(sums)
    assert correlation[0, 1] > 0.5
    assert abs(correlation[2, 3]) < 5 / np.sqrt(5000)
    assert abs(correlation[0, 2]) < 5 / np.sqrt(5000)


def test_count_truth_is_below_that_of_the_programs_and_nears_it():
    truths = [count_information(size, size, np.sqrt(1 - 2**-2)) for size in (5.0, 50.0, 1000.0)]
    assert 0.05 < truths[0] < truths[1] < truths[2] < 1.0
    assert truths[2] > 0.95


def test_count_truth_by_brute_force():
    """Every single count, in place of bins, for a sum small enough."""
    correlation = 0.8
    at, weights = programs_grid(6.0, 9.0, correlation)
    success = 1 / (1 + np.exp(0.5 * at))
    given_x, given_y = (stats.nbinom.pmf(np.arange(2500)[:, None], size, success) for size in (6.0, 9.0))
    joint = given_x @ weights @ given_y.T
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 1e-300
    expected = np.sum(joint[seen] * np.log2(joint[seen] / apart[seen]))
    assert joint.sum() == pytest.approx(1, abs=1e-9)
    assert count_information(6.0, 9.0, correlation) == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(bin_probabilities(at, 6.0).sum(axis=0), 1)


# Arguments


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulators.gaussian(0), "`n_samples` must be at least 1"),
        (lambda: simulators.gaussian(10, 2, 3), "`n_informative` is 3, but `n_features` only 2"),
        (lambda: simulators.gaussian(10, bits=-0.1), "`bits` is -0.1"),
        (lambda: simulators.gaussian(10, bits=np.nan), "`bits` is nan"),
        (lambda: simulators.gaussian(10, bits=21), "`bits` is 21; give a number from 0 to 20"),
        (lambda: simulators.heavy_tailed(10, bits=0.05), "from 0.0611.* share their tails"),
        (lambda: simulators.heavy_tailed(10, degrees_of_freedom=0), "`degrees_of_freedom` is 0"),
        (lambda: simulators.symmetric("square"), "`shape` is 'square'; give one of 'circle', 'gaussian_mixture'"),
        (lambda: simulators.symmetric(n_exclusive=-1), "`n_exclusive` is -1"),
        (lambda: simulators.transform(simulators.gaussian(10, 2), "log"), "`name` is 'log'"),
        (lambda: simulators.curved(10, 2), "`n_features` is 2, but there are 3 latent coordinates"),
        (lambda: simulators.curved(10, n_nuisance=-1), "`n_nuisance` is -1"),
        (lambda: simulators.curved(10, noise=-1), "`noise` is -1"),
        (lambda: simulators.clusters(10, n_clusters=1), "`n_clusters` is 1"),
        (lambda: simulators.clusters(10, agreement=1.1), "`agreement` is 1.1"),
        (lambda: simulators.scale_only(10, bits=3), "`bits` is 3"),
        (lambda: simulators.overdispersed_counts(10, bits=6), "`bits` is 6"),
        (
            lambda: simulators.resampled_labels(np.ones((4, 2)), ["a", "b"]),
            "`labels` has shape .2,., but `data` 4 rows",
        ),
        (lambda: simulators.resampled_labels(np.ones((4, 2)), ["a"] * 4), "1 kind of label"),
        (lambda: simulators.resampled_labels(np.ones((4, 2)), ["a", "b", None, "a"]), "1 of 4 rows have no label"),
        (lambda: simulators.resampled_labels(*labelled([9, 9]), 5, bits=1.5), "2 labels can't share more"),
    ],
)
def test_arguments_that_cannot_be_met(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_public_names():
    assert set(simulators.__all__) == {
        *("JointSample", "clusters", "curved", "gaussian", "heavy_tailed", "lineage", "overdispersed_counts"),
        *("resampled_labels", "scale_only", "symmetric", "transform"),
        *("larry", "larry_state_fate", "omnipath_pairs", "uniprot_embeddings"),
    }
