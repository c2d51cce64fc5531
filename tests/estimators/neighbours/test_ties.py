"""Ties are parted by noise that nobody sees: none where there are none, and no dependence where there is none."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import digamma

import scmi as sm
from scmi.estimators.neighbours.ksg import KSG, N_DRAWS, count_copies_of, log_density_ratio, parted
from scmi.estimators.neighbours.permuted import permuted_sums
from scmi.estimators.neighbours.ties import find_ties, part_new

METRICS = ["chebyshev", "euclidean"]


def formula(x, y, metric, k=3):
    """Algorithm 5 with strict counts, from all distances at once."""
    in_x, in_y = cdist(x, x, metric), cdist(y, y, metric)
    radius = np.sort(np.maximum(in_x, in_y), axis=1)[:, [k]]
    psi = digamma(np.arange(1, len(x) + 1, dtype=float))
    # The point itself is nearer than the radius, and counted once too often, as the table is indexed from 0.
    n_x, n_y = ((distance < radius).sum(axis=1) - 1 for distance in (in_x, in_y))
    return (psi[k - 1] + psi[-1] - (psi[n_x] + psi[n_y])) / np.log(2)


def one_hot(labels, n_labels):
    return np.eye(n_labels)[labels]


def untied(kind, rng):
    x, y = rng.normal(size=(2, 300, 2))
    y += x
    return {
        "normal": (x, y),
        "as latents": (x.astype(np.float32), y.astype(np.float32)),
        "far from 0": (x + 1e6, 1e-3 * y - 5),
        "two copies": (np.vstack([x, x[:2]]), np.vstack([y, y[2:4]])),
        "beside a constant column": (np.column_stack([x, np.ones(300)]), y),
    }[kind]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["normal", "as latents", "far from 0", "two copies", "beside a constant column"])
def test_without_ties_nothing_is_changed(kind, metric):
    x, y = untied(kind, np.random.default_rng(0))
    u, v = parted(x, y, metric)
    assert u is x and v is y
    np.testing.assert_array_equal(sm.ksg(x, y, metric=metric), formula(x.astype(float), y.astype(float), metric))


def counts(rng):
    return rng.poisson(1.5, (2, 300, 3)).astype(float)


def labels(rng):
    return tuple(one_hot(side, 5) for side in rng.integers(0, 5, (2, 300)))


def one_side_of_labels(rng):
    return one_hot(rng.integers(0, 5, 300), 5), rng.normal(size=(300, 2))


def kinds(kind, rng, n=300):
    """Two sides, and the bits that they share."""
    x, noise = rng.normal(size=(2, n, 1))
    label = rng.integers(0, 5, n)
    return {
        "counts": lambda: (*rng.poisson(1.5, (2, n, 3)), 0),
        "counts of many genes": lambda: (*rng.poisson(0.05, (2, n, 30)), 0),
        "on/off": lambda: (*(rng.random((2, n, 8)) < 0.3), 0),
        "labels": lambda: (*(one_hot(rng.integers(0, 10, n), 10) for _ in range(2)), 0),
        "the same labels": lambda: (one_hot(label, 5), one_hot(label, 5), np.log2(5)),
        # This and the next by integration (tests/benchmarks/_discrete.py).
        "a label and a number": lambda: (one_hot(label, 5), 2 * label[:, None] + noise, 1.4880),
        "rounded": lambda: (x.round(1), (x + noise).round(1), 0.4988),
        "ranks": lambda: (*(rng.permutation(n).astype(float) for _ in range(2)), 0),
        "rows that recur": lambda: (*(side[rng.integers(0, 60, n)] for side in rng.normal(size=(2, 60, 4))), 0),
    }[kind]()


# Ten labels with ten labels, and eight on/off columns by their largest difference, which are 256 labels.
@pytest.mark.filterwarnings("ignore:.*too rarely to tell by")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "kind",
    [
        "counts",
        "counts of many genes",
        "on/off",
        "labels",
        "the same labels",
        "a label and a number",
        "rounded",
        "ranks",
        "rows that recur",
    ],
)
def test_tied_points_give_the_truth(kind, metric):
    errors = []
    for seed in range(6):
        x, y, bits = kinds(kind, np.random.default_rng(seed))
        errors.append(sm.ksg(x, y, metric=metric).mean() - bits)
    # Over 24 data sets the mean error is at most .04 bit and the standard deviation .07, so .03 for the mean of six.
    assert np.mean(errors) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("draw", [counts, one_side_of_labels])
def test_how_a_side_is_parted_does_not_depend_on_who_is_paired_with_whom(draw):
    rng = np.random.default_rng(0)
    x, y = draw(rng)
    u, v = parted(x, y, "euclidean")
    order = rng.permutation(len(x))
    u_again, _ = parted(x, y[order], "euclidean")
    _, v_again = parted(x[order], y, "euclidean")
    np.testing.assert_array_equal(u_again, u)
    np.testing.assert_array_equal(v_again, v)


def test_two_sides_and_new_points_have_noise_of_their_own():
    x = counts(np.random.default_rng(0))[0]
    center = np.median(x, axis=0)
    of_sides = [(side - (x - center)).ravel() for side in parted(x, x, "chebyshev")]
    of_new = [(side - (x - center)).ravel() for side in part_new(x, x, x, x, np.random.default_rng(0), "chebyshev")]
    for noise in (of_sides, of_new):
        # Shared noise would be dependence. 900 numbers tell a correlation to .03.
        assert np.abs(np.corrcoef(noise) - np.eye(len(noise))).max() < 0.15


def test_what_differs_keeps_its_order():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.poisson(2, 300), rng.poisson(3e5, 300), (rng.random(300) < 0.3) / 1e3, np.ones(300)])
    u, _ = parted(x, rng.normal(size=(300, 1)), "chebyshev")
    for column, apart in zip(x.T[:3], u.T[:3], strict=True):
        assert (np.diff(column[np.argsort(apart)]) >= 0).all()
        assert len(np.unique(apart)) == 300
    assert np.ptp(u[:, 3]) == 0
    # A billionth of the extent, at most.
    np.testing.assert_allclose(u + np.median(x, axis=0), x, atol=2e-9 * x.max(axis=0).max())


@pytest.mark.parametrize("metric", METRICS)
def test_units_change_no_digit(metric):
    x, y = counts(np.random.default_rng(0))
    values = sm.ksg(x, y, metric=metric)
    for power in (-40, 3, 40):
        np.testing.assert_array_equal(sm.ksg(x * 2.0**power, y * 2.0**power, metric=metric), values)


@pytest.mark.parametrize("metric", METRICS)
def test_an_offset_changes_no_bits(metric):
    shifts = []
    for seed in range(6):
        x, y = counts(np.random.default_rng(seed))
        shifts.append(sm.ksg(x + 2e7, y + 2e7, metric=metric).mean() - sm.ksg(x, y, metric=metric).mean())
        # On one side alone, its noise is larger than that of the other and decides which ties come first.
        shifts.append(sm.ksg(x + 2e7, y, metric=metric).mean() - sm.ksg(x, y, metric=metric).mean())
    # The order of ties is another one: over 20 data sets the two differ by .005 on average, .05 at most.
    assert np.abs(shifts).max() < 0.08
    assert abs(np.mean(shifts)) < 0.02


def test_copies_are_parted_and_counted():
    x, y = np.random.default_rng(0).poisson(0.5, (2, 300, 2)).astype(float)
    u, v = parted(x, y, "chebyshev")
    assert count_copies_of(u).max() == count_copies_of(v).max() == 1
    # A joint sample that occurs more than k times is an atom: psi(n_xy) + psi(N) - psi(n_x) - psi(n_y).
    copies = count_copies_of(np.hstack([x, y]))
    at = int(np.argmax(copies))
    n_x, n_y = (count_copies_of(side)[at] for side in (x, y))
    assert n_x > copies[at] > 10
    expected = digamma(copies[at]) + digamma(300) - digamma(n_x) - digamma(n_y)
    assert sm.ksg(x, y)[at] == pytest.approx(expected / np.log(2), abs=1e-12)


def test_the_mean_over_draws_of_the_noise_is_returned_the_same_at_each_call():
    x, y = counts(np.random.default_rng(0))
    ksg = KSG()
    draws = [ksg.of_parted(x, y, *parted(x, y, "chebyshev", seed)) for seed in range(N_DRAWS)]
    np.testing.assert_array_equal(ksg.pointwise(x, y), draws[0])
    np.testing.assert_allclose(sm.ksg(x, y), np.mean(draws, axis=0), atol=1e-12)
    np.testing.assert_array_equal(sm.ksg(x, y), sm.ksg(x, y))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("draw", [counts, labels, one_side_of_labels])
def test_permuted_rows_keep_their_noise(draw, metric):
    rng = np.random.default_rng(0)
    x, y = draw(rng)
    permutations = np.array([rng.permutation(len(x)) for _ in range(5)], dtype=np.int32)
    ksg = KSG(3, metric)
    u, v = parted(x, y, metric)
    np.testing.assert_allclose(
        permuted_sums(x, y, permutations, ksg),
        [ksg.of_parted(x, y[p], u, v[p]).sum() for p in permutations],
        rtol=1e-12,
        atol=1e-9,
    )


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((60, 200), (60, 200), "pairs of labels that occur 3 times or less"),
        ((100, 200), None, "labels that occur 3 times or less"),
        (None, (100, 200), "labels that occur 3 times or less"),
    ],
)
def test_it_is_told_where_labels_are_too_rare(x, y, message):
    rng = np.random.default_rng(0)
    x, y = (
        rng.normal(size=(200, 1)) if side is None else one_hot(rng.integers(0, side[0], side[1]), side[0])
        for side in (x, y)
    )
    with pytest.warns(UserWarning, match=message):
        sm.ksg(x, y)


def test_enough_labels_and_numbers_pass_in_silence():
    rng = np.random.default_rng(0)
    few, many = (one_hot(rng.integers(0, n, 500), n) for n in (5, 30))
    # Warnings are errors here.
    for x, y in ((few, few), (many, rng.normal(size=500)), (rng.poisson(20.0, (500, 2)), rng.poisson(20.0, (500, 2)))):
        assert np.isfinite(sm.ksg(x, y)).all()


def test_codes_of_labels_are_told_of():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 40, 400)
    with pytest.warns(UserWarning, match="y is one column of whole numbers with 40 different values"):
        sm.ksg(rng.normal(size=400), codes)
    assert np.isfinite(sm.ksg(rng.normal(size=400), codes.astype(float))).all()  # said to be numbers


@pytest.mark.parametrize("kind", ["normal", "evenly spaced", "copies", "labels", "rounded to six digits"])
def test_which_sides_are_tied(kind):
    rng = np.random.default_rng(0)
    points, tied, spacing = {
        "normal": (rng.normal(size=(300, 2)), False, None),
        "evenly spaced": (np.arange(300.0)[:, None], True, None),
        "copies": (rng.normal(size=(300, 2))[rng.integers(0, 20, 300)], True, None),
        "labels": (one_hot(rng.integers(0, 6, 300), 6), True, np.sqrt(2)),
        "rounded to six digits": (rng.normal(size=(300, 1)).round(6), False, None),
    }[kind]
    ties = find_ties(points, "euclidean")
    assert (ties is not None) == tied
    if tied:
        assert ties.spacing == (None if spacing is None else pytest.approx(spacing))


def test_new_pairs_are_judged_by_tied_references_as_by_untied_ones():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 1500, 1))
    y = x + 0.75 * noise
    new, reference = slice(0, 500), slice(500, None)
    exact, tied = (
        log_density_ratio(u[new], v[new], u[reference], v[reference], k=10)
        for u, v in ((x, y), (x.round(1), y.round(1)))
    )
    # Over ten data sets the correlation is .947 to .963, and the means differ by .024 at most.
    assert np.corrcoef(exact, tied)[0, 1] > 0.92
    assert tied.mean() == pytest.approx(exact.mean(), abs=0.05)


def test_all_pairs_of_tied_sides_are_scored_as_untied_ones(quick_lmi):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 400, 3))
    y = x + 0.75 * noise
    exact, tied = (
        quick_lmi(n_permutations=0, n_jobs=1, rng=0).fit(u, v).score_pairs(u[:100], v[:100])
        for u, v in ((x, y), (x.round(1), y.round(1)))
    )
    # Over ten data sets the correlation is .990 to .993; partners differ by .03 of 2 bits at most, all pairs by .003.
    assert np.corrcoef(exact.ravel(), tied.ravel())[0, 1] > 0.98
    assert tied.mean() == pytest.approx(exact.mean(), abs=0.02)
    assert np.diag(tied).mean() == pytest.approx(np.diag(exact).mean(), abs=0.06)
