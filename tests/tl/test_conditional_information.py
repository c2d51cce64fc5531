"""What is left once a covariate is known: none of what only follows it, and nothing is trained for it."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from scmi.estimators.inference import conditional
from scmi.estimators.settings import Settings


@pytest.fixture
def fitted(experiment, quick_lmi):
    """An estimate and its model."""
    model = quick_lmi(n_permutations=9)
    sm.tl.lmi(experiment, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
    return experiment, model


@pytest.mark.parametrize("covariate", ["label", "score"])
def test_what_only_follows_the_covariate_is_gone(covariate):
    """Both sides follow the same score, and nothing else: given it, they share nothing."""
    rng = np.random.default_rng(0)
    n = 400
    label = rng.integers(0, 2, n)
    score = 4.0 * label if covariate == "label" else rng.normal(size=n)
    names = [f"c{i}" for i in range(n)]
    day2, day6 = (
        ad.AnnData(np.outer(score, np.ones(4)) + rng.normal(size=(n, 4)), obs=pd.DataFrame(index=names)) for _ in "ab"
    )
    day2.obs["label"], day2.obs["score"] = np.array(["x", "y"])[label], score
    model = sm.LMI(n_splits=1, n_permutations=99, n_latent=1, preset=Settings(hidden=(16,), max_steps=20))
    sm.tl.lmi(day2, day6, model=model)
    assert day2.uns["lmi"]["p"] == 0.01
    assert day2.uns["lmi"]["mi"] > 0.5
    sm.tl.conditional_information(day2, covariate, model=model)
    stored = day2.uns["lmi_conditional"]
    # One bit of label, or of a score seen four times with noise, .7 bit; what is left is 0 up to a spread of .06.
    assert stored["mi"] == pytest.approx(0, abs=0.2)
    assert stored["p"] > 0.02
    assert set(stored) == {"on", "mi", "se", "mi_same_pairs", "p", "null", "n_pairs", "missing", "params"}
    assert stored["mi_same_pairs"] > 0.5
    assert 0.02 < stored["se"] < 0.1
    assert stored["on"] == [covariate]
    assert stored["n_pairs"] == n


def test_the_order_of_cells_does_not_matter(fitted):
    adata, model = fitted
    shuffled = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    for one in (adata, shuffled):
        sm.tl.conditional_information(one, "well", model=model, rng=1)
    assert adata.uns["lmi_conditional"]["mi"] == shuffled.uns["lmi_conditional"]["mi"]


def test_wrong_covariates(fitted):
    adata, model = fitted
    adata.obs["gap"] = np.nan
    for on, error, match in (
        ("phase", KeyError, "Did not find `on='phase'`"),
        (3, TypeError, "`on` must name columns"),
        (["well", "pseudotime"], ValueError, "one column of labels or columns of numbers"),
        ("gap", ValueError, r"is missing or infinite in \d+ paired cells"),
    ):
        with pytest.raises(error, match=match):
            sm.tl.conditional_information(adata, on, model=model)
    assert "lmi_conditional" not in adata.uns


def test_wrong_models_and_objects(fitted, quick_lmi):
    adata, model = fitted
    with pytest.raises(ValueError, match="`n_permutations` of the model is 0"):
        other = quick_lmi(n_permutations=9)
        other.folds_, other.n_permutations = model.folds_, 0
        sm.tl.conditional_information(adata, "well", model=other)
    for wrong in (quick_lmi(), "default"):
        with pytest.raises(ValueError, match="`model` must be the LMI"):
            sm.tl.conditional_information(adata, "well", model=wrong)
    with pytest.raises(ValueError, match=r"\d+ cells of the estimate are not in `adata`"):
        sm.tl.conditional_information(adata[:50].copy(), "well", model=model)
    with pytest.raises(KeyError, match="Run `sm.tl.lmi` first"):
        sm.tl.conditional_information(adata, "well", model=model, key="other")
    with pytest.raises(ValueError, match="differ in their pairs"):
        adata.uns["lmi"]["pairs"] = adata.uns["lmi"]["pairs"].iloc[1:]
        sm.tl.conditional_information(adata, "well", model=model)


def test_too_few_pairs_of_a_label_are_a_note(fitted):
    adata, model = fitted
    adata.obs["own"] = adata.obs_names
    sm.tl.conditional_information(adata, "own", model=model)
    stored = adata.uns["lmi_conditional"]
    assert np.isnan(stored["mi"]) and np.isnan(stored["p"])
    assert stored["missing"].startswith("No stratum of any fold has 4 groups of pairs")
    assert stored["n_pairs"] == 0


def test_a_bug_inside_the_test_surfaces(fitted, monkeypatch):
    def planted(*args, **options):
        raise ValueError("planted")

    adata, model = fitted
    monkeypatch.setattr(conditional, "permutation_test", planted)
    with pytest.raises(ValueError, match="planted"):
        sm.tl.conditional_information(adata, "well", model=model)
    assert "lmi_conditional" not in adata.uns


def test_a_new_estimate_drops_it(fitted, quick_lmi):
    adata, model = fitted
    sm.tl.conditional_information(adata, "well", model=model)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=quick_lmi())
    assert "lmi_conditional" not in adata.uns
