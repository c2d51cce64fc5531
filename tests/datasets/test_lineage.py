"""What these tests hold of `sm.datasets.lineage`.

- The truth in `uns` is what the formulas give by hand, and what the sampler of the states in fact does: correlations
  and mean log density ratios of many drawn clones agree with it in every bin of maturity.
- The data processing inequality holds in truth without memory and is violated with it.
- The information between Markov sisters, an integral, agrees with Monte Carlo and does not depend on the number of
  nodes.
- Sisters on day 2 share their state; clone size, later maturity and barcode detection say nothing about it.
- Counts have the promised mean and spread; fate shows in the informative genes only; names and pictures follow the
  states.
- Slots, types and categories are as documented; the object survives h5ad and zarr; the seed decides everything.
- What can't be simulated is refused by name.

Statistical tolerances are four standard errors of the statistic, so that a correct sampler fails one check in 16,000,
and with the seeds fixed here never.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scmi.datasets import lineage
from scmi.datasets._lineage import (
    SAMPLES,
    Cells,
    draw_cells,
    draw_clones,
    draw_counts,
    draw_fates,
    name_barcodes,
    name_fates,
)
from scmi.datasets._lineage_truth import (
    anchor_correlation,
    day2_information,
    gaussian_correlation,
    gaussian_information,
    lineage_truth,
    markov_sister_information,
)
from tests.datasets.conftest import assert_mean

N_LATENT = 200_000
BOTH = pytest.mark.parametrize("memory", [True, False], ids=["memory", "markov"])


def draw_small(memory=True, rng=0, **kwargs):
    return lineage(400, memory=memory, n_genes=500, rng=rng, **kwargs)


def log_ratio(u, v, r):
    """Bits by which two vectors of correlation r per coordinate are likelier together than apart."""
    square, cross = (u**2 + v**2).sum(axis=1), (u * v).sum(axis=1)
    return (-np.log(1 - r**2) - (r**2 * square - 2 * r * cross) / (2 * (1 - r**2))) / np.log(2)


def markov_sister_log_ratio(u, v):
    """The same for Markov sisters of unknown maturity, by the midpoint rule over maturity."""
    maturities = (np.arange(200) + 0.5) / 200
    ratio = np.zeros(len(u))
    for r in gaussian_correlation(day2_information(maturities)) ** 2:
        ratio += 2 ** log_ratio(u, v, r)
    return np.log2(ratio / len(maturities))


def draw_states(memory, n=N_LATENT, rng=1):
    """One day-2 cell and two day-6 cells of each of n clones."""
    rng = np.random.default_rng(rng)
    clones = draw_clones(n, rng, memory=memory)
    each = np.arange(n)
    day2, first, second = (draw_fates(clones, each, day, rng, memory=memory) for day in (2, 6, 6))
    return clones.maturity, day2, first, second


@pytest.fixture(scope="module", params=[True, False], ids=["memory", "markov"])
def states(request):
    return request.param, *draw_states(request.param)


@pytest.fixture(scope="module", params=[True, False], ids=["memory", "markov"])
def adata(request):
    return draw_small(request.param)


@pytest.fixture(scope="module", params=[True, False], ids=["memory", "markov"])
def experiment(request):
    """Clones and cells without counts, many enough for the statistics of sampling."""
    rng = np.random.default_rng(2)
    clones = draw_clones(20_000, rng, memory=request.param)
    return clones, draw_cells(clones, rng, memory=request.param)


# --- the truth --------------------------------------------------------------------------------------------------------


def test_truth_by_hand():
    memory, markov = lineage_truth(memory=True), lineage_truth(memory=False)
    for truth in (memory, markov):
        assert truth.day2_day6 == pytest.approx(2.3 * 0.65 / 2)
        assert (truth.breakpoint, truth.day2_day6_max) == (0.35, 2.3)
    assert memory.sisters == pytest.approx(-np.log2(1 - 0.9**4))
    assert memory.sisters == pytest.approx(1.539939, abs=1e-6)


def test_hinge_by_hand():
    np.testing.assert_allclose(day2_information([0, 0.35, 0.675, 1.0]), [0, 0, 1.15, 2.3], atol=1e-12)
    np.testing.assert_allclose(gaussian_information([0, np.sqrt(0.5), np.sqrt(0.75)]), [0, 1, 2], atol=1e-12)
    np.testing.assert_allclose(gaussian_correlation([0, 1, 2]), [0, np.sqrt(0.5), np.sqrt(0.75)], atol=1e-12)


def test_data_processing_inequality():
    markov, memory = lineage_truth(memory=False), lineage_truth(memory=True)
    assert 0 < markov.sisters < markov.day2_day6
    assert memory.day2_day6 < memory.sisters


@BOTH
def test_both_days_depend_on_the_anchor_so_as_to_give_rho(memory):
    maturity = np.linspace(0, 1, 50)
    product = anchor_correlation(maturity, 2, memory=memory) * anchor_correlation(maturity, 6, memory=memory)
    np.testing.assert_allclose(product, gaussian_correlation(day2_information(maturity)), atol=1e-12)
    assert np.all(anchor_correlation(maturity, 2, memory=memory) <= 1)


def test_sister_integral_has_converged():
    assert markov_sister_information(40) == pytest.approx(markov_sister_information(160), abs=1e-9)


def test_sister_integral_agrees_with_monte_carlo():
    _, _, first, second = draw_states(memory=False)
    assert_mean(markov_sister_log_ratio(first, second), markov_sister_information())


@pytest.mark.benchmark
def test_sister_integral_agrees_with_a_long_monte_carlo():
    _, _, first, second = draw_states(memory=False, n=4_000_000, rng=3)
    pmi = markov_sister_log_ratio(first, second)
    assert np.std(pmi) / np.sqrt(len(pmi)) < 5e-4
    assert_mean(pmi, markov_sister_information())


# --- the states -------------------------------------------------------------------------------------------------------


def test_fates_are_standard_normal_in_every_sample(states):
    _, _, *samples = states
    for fate in samples:
        for coordinate in fate.T:
            assert_mean(coordinate, 0)
            assert_mean(coordinate**2, 1)
        assert_mean(fate[:, 0] * fate[:, 1], 0)


def test_day2_and_day6_correlate_by_rho_within_bins_of_maturity(states):
    _, maturity, day2, day6, _ = states
    for low in np.arange(0, 1, 0.1):
        of_bin = (low <= maturity) & (maturity < low + 0.1)
        rho = gaussian_correlation(day2_information(maturity[of_bin]))
        assert_mean((day2 * day6)[of_bin].mean(axis=1) - rho, 0)
        assert_mean((day2[:, ::-1] * day6)[of_bin].mean(axis=1), 0)


def test_day2_and_day6_share_the_hinge_within_bins_of_maturity(states):
    _, maturity, day2, day6, _ = states
    rho = gaussian_correlation(day2_information(maturity))
    pmi = log_ratio(day2, day6, rho)
    assert_mean(pmi, 0.7475)
    for low in np.arange(0.4, 1, 0.1):
        of_bin = (low <= maturity) & (maturity < low + 0.1)
        assert_mean(pmi[of_bin] - day2_information(maturity[of_bin]), 0)


@pytest.mark.parametrize("middle", [0.45, 0.65, 0.95])
def test_empirical_correlation_gives_the_hinge_in_a_narrow_bin(states, middle):
    _, maturity, day2, day6, _ = states
    of_bin = np.abs(maturity - middle) < 0.01
    r = np.mean([np.corrcoef(day2[of_bin, d], day6[of_bin, d])[0, 1] for d in (0, 1)])
    # The mean of two sample correlations errs by (1 - r^2) / sqrt(2 n), their information by 2 r / (1 - r^2) / ln 2
    # times that; the curvature of rho over the bin adds less than 0.002 bits.
    error = 2 * r / np.log(2) / np.sqrt(2 * of_bin.sum())
    assert -np.log2(1 - r**2) == pytest.approx(2.3 * (middle - 0.35) / 0.65, abs=4 * error + 0.002)


def test_sisters_on_day_6_share_what_the_truth_says(states):
    memory, maturity, _, first, second = states
    r = 0.81 if memory else gaussian_correlation(day2_information(maturity)) ** 2
    assert_mean((first * second).mean(axis=1) - r, 0)
    pmi = log_ratio(first, second, r) if memory else markov_sister_log_ratio(first, second)
    assert_mean(pmi, lineage_truth(memory=memory).sisters)


def test_without_memory_day2_explains_what_sisters_share(states):
    memory, maturity, day2, first, second = states
    rho = gaussian_correlation(day2_information(maturity))[:, None]
    rest = ((first - rho * day2) * (second - rho * day2)).mean(axis=1)
    if memory:  # what is left is beta^2 - rho^2 per coordinate
        assert_mean(rest - (0.81 - rho[:, 0] ** 2), 0)
        assert rest.mean() > 0.3
    else:
        assert_mean(rest, 0)


@BOTH
def test_day4_cells_lie_between(memory):
    rng = np.random.default_rng(4)
    clones = draw_clones(N_LATENT, rng, memory=memory)
    each = np.arange(N_LATENT)
    day4, day6 = (draw_fates(clones, each, day, rng, memory=memory) for day in (4, 6))
    rho = gaussian_correlation(day2_information(clones.maturity))
    expected = rho * 0.8 / 0.9 if memory else np.sqrt(rho)
    assert_mean((clones.day2_fate * day4).mean(axis=1) - expected, 0)
    assert_mean((day4 * day6).mean(axis=1) - (0.8 * 0.9 if memory else rho**1.5), 0)


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_sisters_on_day2_share_their_state(experiment):
    clones, cells = experiment
    day2 = cells.sample == 0
    np.testing.assert_array_equal(cells.maturity[day2], clones.maturity[cells.clone[day2]])
    np.testing.assert_array_equal(cells.fate[day2], clones.day2_fate[cells.clone[day2]])
    assert np.bincount(cells.clone[day2]).max() > 1
    later = cells.fate[~day2]
    assert len(np.unique(later[:, 0])) == len(later)


def test_clones_are_uneven_by_the_log_normal(experiment):
    clones, cells = experiment
    n = len(clones.maturity)
    for index, sample in enumerate(SAMPLES):
        counts = np.bincount(cells.clone[cells.sample == index], minlength=n)
        mean = sample.cells_per_clone
        assert_mean(counts, mean)
        # Poisson about a log-normal of mean 1 and sigma 0.7: far above the Poisson variance alone.
        assert_mean((counts - mean) ** 2, mean + mean**2 * np.expm1(0.49))


def test_clone_size_and_later_maturity_say_nothing(experiment):
    clones, cells = experiment
    n = len(clones.maturity)
    size = np.bincount(cells.clone, minlength=n)
    later = cells.sample > 0
    pairs = [
        (size, clones.maturity),
        (size, (clones.day2_fate**2).sum(axis=1)),
        (cells.maturity[cells.sample == 3], clones.maturity[cells.clone[cells.sample == 3]]),
        (cells.maturity[cells.sample == 3], (cells.fate[cells.sample == 3] ** 2).sum(axis=1)),
    ]
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))
    low = np.array([s.maturity[0] for s in SAMPLES])[cells.sample[later]]
    # Uniform over its day: mean 1/2, variance 1/12.
    assert_mean(cells.maturity[later] - low, 0.5)
    assert_mean((cells.maturity[later] - low - 0.5) ** 2, 1 / 12)


def test_cells_of_a_sample_are_in_random_order(experiment):
    _, cells = experiment
    for index in range(len(SAMPLES)):
        clone = cells.clone[cells.sample == index]
        assert abs(np.corrcoef(clone, np.arange(len(clone)))[0, 1]) < 4 / np.sqrt(len(clone))


def test_barcodes_are_detected_in_70_percent_of_cells_each_by_itself(adata):
    detected = adata.obs["clone"].notna().to_numpy()
    assert abs(detected.mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / adata.n_obs)
    # Were barcodes lost by clone, no pair of sisters would have one detected and one missed: 42 % have.
    day2 = (adata.obs["day"] == "2").to_numpy()
    sisters = pd.Series(detected[day2]).groupby(adata.obsm["true_fate"][day2, 0])
    found = sisters.sum()[sisters.size() == 2]
    assert abs((found == 1).mean() - 0.42) < 4 * np.sqrt(0.42 * 0.58 / len(found))


def test_barcodes_tell_clones_apart(adata):
    day2 = adata[(adata.obs["day"] == "2") & adata.obs["clone"].notna()]
    state = pd.Series(day2.obsm["true_fate"][:, 0], index=day2.obs_names)
    assert (state.groupby(day2.obs["clone"], observed=True).nunique() == 1).all()
    assert (day2.obs["clone"].astype(str).groupby(state).nunique() == 1).all()
    # Over the days too: with memory or without, a barcode's fates on days 4 and 6 agree more than chance would have it.
    late = (adata.obs["day"] != "2") & adata.obs["clone"].notna()
    fate = pd.Series(adata.obsm["true_fate"][late, 0], index=adata.obs_names[late])
    of_day2 = pd.Series(day2.obsm["true_fate"][:, 0]).groupby(day2.obs["clone"].astype(str).to_numpy()).first()
    clone = adata.obs["clone"][late].astype(str)
    both = clone.isin(of_day2.index)
    r = np.corrcoef(fate[both], of_day2[clone[both]])[0, 1]
    assert r > 4 / np.sqrt(clone[both].nunique())


@pytest.mark.benchmark
def test_default_experiment_has_the_size_of_the_real_one():
    obs = lineage().obs
    assert len(obs) < 14_500

    def barcodes(mask):
        return set(obs["clone"][mask].dropna())

    day2 = barcodes(obs["day"] == "2")
    wells = [barcodes(obs["well"] == well) for well in ("1", "2")]
    assert 1_350 < len(day2 & (wells[0] | wells[1])) < 1_650
    assert len(day2 & wells[0] & wells[1]) >= 677


# --- what is measured -------------------------------------------------------------------------------------------------


def test_counts_are_gamma_poisson():
    n_cells, n_genes = 3_000, 400
    counts = draw_counts(
        np.zeros((n_cells, 1)), np.zeros(n_genes), np.zeros((1, n_genes)), 4_000, np.random.default_rng(0)
    )
    x = counts.toarray()
    assert_mean(x.mean(axis=1), 10)
    # A mean of 10, gamma of squared variation 0.3 and log-normal library of sigma 0.35: 10 + 100 (1.3 exp(0.35^2) - 1).
    assert_mean(((x - 10) ** 2).mean(axis=1), 10 + 100 * (1.3 * np.exp(0.35**2) - 1))


def test_blocks_of_cells_keep_their_order():
    features = np.zeros((1_500, 1))
    features[700:] = 1.0
    loadings = np.zeros((1, 400))
    loadings[0, :200] = 3.0
    counts = draw_counts(features, np.zeros(400), loadings, 4_000, np.random.default_rng(0))
    share = counts[:, :200].sum(axis=1) / counts.sum(axis=1)
    # Half of the counts before, e^3 / (1 + e^3) = 95 % after; one cell's share of 4,000 counts varies by a few percent.
    assert np.all(np.asarray(share)[:700] < 0.7)
    assert np.all(np.asarray(share)[700:] > 0.8)


def test_depth_is_the_mean_of_total_counts(adata):
    assert_mean(np.asarray(adata.X.sum(axis=1)).ravel(), 3_500)
    assert_mean(np.asarray(draw_small(depth=50.0).X.sum(axis=1)).ravel(), 50)


def test_fate_shows_in_the_informative_genes():
    adata = lineage(1_000)
    day6 = adata[adata.obs["day"] == "6"]
    x = day6.X.toarray()
    x = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    fate = day6.obsm["true_fate"]
    r = np.corrcoef(x.T, fate.T)[:-2, -2:]
    # Twice the chi-square of two degrees of freedom exceeds 18.4 with probability 1e-4: the rest is informative.
    shows = len(x) * (r**2).sum(axis=1) > 18.4
    informative = adata.var["informative"].to_numpy()
    assert shows[informative].mean() > 0.9
    assert shows[~informative].mean() < 0.1


def test_maturity_and_cycle_show_in_their_genes():
    adata = lineage(1_000)
    x = adata.X.toarray()
    x = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    program = adata.var["program"].to_numpy()
    r = np.abs(np.corrcoef(x.T, adata.obs["pseudotime"])[:-1, -1])
    assert np.median(r[program == "maturity"]) > 5 * np.median(r[program == "none"])
    # Phase is not recorded: cycle genes correlate with each other, and hardly with maturity.
    assert np.median(r[program == "cycle"]) < 0.3 * np.median(r[program == "maturity"])
    pairs = {
        name: np.corrcoef(x[:, program == name].T)[np.triu_indices((program == name).sum(), 1)]
        for name in ("cycle", "none")
    }
    assert np.std(pairs["cycle"]) > 2 * np.std(pairs["none"])


@pytest.mark.benchmark
@BOTH
def test_fate_can_be_read_from_counts(memory):
    from sklearn.linear_model import Ridge

    adata = lineage(memory=memory)
    score = {}
    for day in ("2", "6"):
        of_day = adata[adata.obs["day"] == day]
        x, fate = of_day.X.toarray(), of_day.obsm["true_fate"]
        x = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
        x = x[:, np.argsort(x.var(axis=0))[-1000:]]
        x = np.clip((x - x.mean(axis=0)) / x.std(axis=0), -10, 10)
        clone = np.unique(fate[:, 0], return_inverse=True)[1]
        held_out = clone % 2 == 0
        predicted = Ridge(alpha=3_000).fit(x[~held_out], fate[~held_out]).predict(x[held_out])
        score[day] = 1 - np.mean((predicted - fate[held_out]) ** 2) / np.var(fate[held_out])
    # A linear reading of thousands of labelled cells comes close: what an estimate misses, it lacks labels for.
    assert all(0.9 < value < 0.99 for value in score.values())


def test_fates_are_named_by_direction():
    fate = np.array([[0, 1.0], [-1, -0.6], [1, -0.6], [0.3, 0.3], [0, 1.0], [0, 1.0]])
    maturity = np.array([2.5, 2.5, 2.5, 2.5, 0.34, 0.36])
    cells = Cells(np.zeros(6, dtype=int), np.zeros(6, dtype=int), maturity, fate)
    expected = ["neutrophil", "monocyte", "basophil", "progenitor", "progenitor", "neutrophil"]
    assert list(name_fates(cells)) == expected


def test_picture_has_progenitors_inside_and_three_arms(adata):
    points, obs = adata.obsm["X_spring"], adata.obs
    radius = pd.Series(np.linalg.norm(points, axis=1)).groupby(obs["day"].to_numpy()).median()
    assert radius["2"] < radius["4"] < radius["6"]
    tips = (obs["day"] == "6") & (obs["fate"] != "progenitor")
    fate = obs["fate"][tips].astype(str).to_numpy()
    centres = {name: points[tips][fate == name].mean(axis=0) for name in np.unique(fate)}
    nearest = np.argmin([np.linalg.norm(points[tips] - centre, axis=1) for centre in centres.values()], axis=0)
    assert np.mean(np.array(list(centres))[nearest] == fate) > 0.95
    assert np.linalg.norm(points[obs["fate"] == "progenitor"].mean(axis=0)) < 0.5 * radius["6"]


# --- the object -------------------------------------------------------------------------------------------------------


def test_slots(adata):
    assert sparse.isspmatrix_csr(adata.X)
    assert adata.X.dtype == np.float32
    assert adata.X.data.min() >= 1
    np.testing.assert_array_equal(adata.X.data, np.round(adata.X.data))
    assert adata.n_vars == 500
    assert adata.obs_names.is_unique
    assert adata.var_names.is_unique

    obs = adata.obs
    assert list(obs["day"].cat.categories) == ["2", "4", "6"]
    assert list(obs["well"].cat.categories) == ["0", "1", "2"]
    assert set(zip(obs["day"], obs["well"], strict=True)) == {("2", "0"), ("4", "0"), ("6", "1"), ("6", "2")}
    assert obs["clone"].cat.categories.str.fullmatch(r"clone_\d{4}").all()
    assert set(obs["fate"].cat.categories) == {"progenitor", "neutrophil", "monocyte", "basophil"}
    assert (obs["fate"][(obs["day"] == "2") & (obs["pseudotime"] < 0.35)] == "progenitor").all()
    day = obs["day"].astype(int)
    span = {2: (0, 1), 4: (1, 2), 6: (2, 3)}
    for d, (low, high) in span.items():
        assert obs["pseudotime"][day == d].between(low, high).all()

    assert adata.obsm["X_spring"].shape == adata.obsm["true_fate"].shape == (adata.n_obs, 2)
    assert adata.var["program"].value_counts().to_dict() == {"none": 160, "fate": 200, "cycle": 80, "maturity": 60}
    assert adata.var["informative"].dtype == bool
    np.testing.assert_array_equal(adata.var["informative"], adata.var["program"] == "fate")


def test_true_pmi_is_the_hinge_on_day_2_and_missing_later(adata):
    day2 = adata.obs["day"] == "2"
    assert adata.obs["true_pmi"][~day2].isna().all()
    expected = 2.3 * np.clip(adata.obs["pseudotime"][day2] - 0.35, 0, None) / 0.65
    np.testing.assert_allclose(adata.obs["true_pmi"][day2], expected, atol=1e-12)


def test_truth_is_stored_as_plain_floats(adata):
    truth = adata.uns["truth"]
    assert set(truth) == {"day2_day6", "sisters", "breakpoint", "day2_day6_max"}
    assert all(type(value) is float for value in truth.values())


@BOTH
def test_memory_decides_the_truth(memory):
    truth = lineage(10, memory=memory, n_genes=400).uns["truth"]
    assert truth == lineage_truth(memory=memory)._asdict()


def test_barcodes_widen_with_n_clones():
    few, many = (name_barcodes(np.array([3] * 50), n, np.random.default_rng(0)) for n in (10, 10_001))
    assert set(few) == {None, "clone_0003"}
    assert set(many) == {None, "clone_00003"}


@pytest.mark.filterwarnings("ignore:Writing zarr v2")
@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_round_trip(adata, tmp_path, form):
    path = tmp_path / f"lineage.{form}"
    if form == "h5ad":
        adata.write_h5ad(path)
        back = ad.read_h5ad(path)
    else:
        pytest.importorskip("zarr")
        adata.write_zarr(path)
        back = ad.read_zarr(path)
    assert_same(adata, back)
    assert set(back.uns["truth"]) == set(adata.uns["truth"])
    for name, value in adata.uns["truth"].items():
        assert float(back.uns["truth"][name]) == value


def assert_same(a, b):
    pd.testing.assert_frame_equal(a.obs, b.obs)
    pd.testing.assert_frame_equal(a.var, b.var)
    assert a.X.dtype == b.X.dtype
    assert (a.X != b.X).nnz == 0
    for key in ("X_spring", "true_fate"):
        np.testing.assert_array_equal(a.obsm[key], b.obsm[key])


def test_same_seed_same_numbers(adata):
    memory = adata.uns["truth"]["sisters"] > 1
    assert_same(adata, draw_small(memory, rng=0))
    assert_same(adata, draw_small(memory, rng=np.random.default_rng(0)))


def test_other_seed_other_numbers():
    a, b = draw_small(rng=0), draw_small(rng=1)
    assert not np.array_equal(a.obsm["true_fate"][:100], b.obsm["true_fate"][:100])
    assert not np.array_equal(a.var["program"], b.var["program"])
    assert (a.X[:100] != b.X[:100]).nnz > 0


def test_a_generator_moves_on_and_the_global_state_does_not():
    before = np.random.get_state()[1].copy()
    rng = np.random.default_rng(0)
    a, b = draw_small(rng=rng), draw_small(rng=rng)
    assert not np.array_equal(a.obsm["true_fate"][:100], b.obsm["true_fate"][:100])
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_another_depth_measures_the_same_cells(adata):
    deeper = draw_small(adata.uns["truth"]["sisters"] > 1, depth=7_000.0)
    pd.testing.assert_frame_equal(adata.obs, deeper.obs)
    np.testing.assert_array_equal(adata.obsm["true_fate"], deeper.obsm["true_fate"])
    assert deeper.X.sum() > 1.8 * adata.X.sum()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_clones": 9}, "`n_clones` is 9; give at least 10"),
        ({"n_genes": 399}, "`n_genes` is 399; give at least 400"),
        ({"depth": 0}, "`depth` is 0; give .* positive"),
        ({"depth": -1.0}, "`depth` is -1.0"),
        ({"depth": float("nan")}, "`depth` is nan"),
        ({"depth": float("inf")}, "`depth` is inf"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        lineage(**kwargs)
