"""What several test files share: a small experiment, quick training, the data folder, and clean figures."""

import os
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

# Before torch is imported: networks this small gain nothing from a second thread, and OpenMP threads that wait for each
# other are slowed down many times over when another process wants the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Numba's threads, of which a test may need two, are not to spin while they wait: it took twice the time of all tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import anndata as ad
import matplotlib
import numpy as np
import pytest

import scmi as sm
from scmi.estimators.settings import Settings

matplotlib.use("Agg")

DATA = Path(os.environ.get("SCMI_TEST_DATA", Path(__file__).parent / ".." / ".." / "shared" / "data"))


def noisy_rise(rng, n_clones=150, size=4, rise=1.0, shared=0.5, sd=0.8):
    """Pseudotime, pMI and clone of cells whose mean pMI is flat up to .35.

    The `size` cells of a clone are at one pseudotime, and their noise has the share `shared` in common.
    """
    clone = np.repeat(np.arange(n_clones), size)
    t = rng.uniform(size=n_clones)[clone]
    noise = np.sqrt(shared) * rng.normal(size=n_clones)[clone] + np.sqrt(1 - shared) * rng.normal(size=len(clone))
    return t, rise * np.maximum(0, t - 0.35) / 0.65 + sd * noise, clone


@pytest.fixture(scope="session")
def FAST():
    """Training that takes a tenth of a second."""
    return Settings(hidden=(16,), max_steps=10, patience=10)


@pytest.fixture(scope="session")
def quick_lmi(FAST):
    """`sm.LMI` with that training, and the parameters wanted."""
    return partial(sm.LMI, preset=FAST, n_splits=1)


@pytest.fixture(scope="session")
def _experiment():
    adata = sm.datasets.lineage(150, n_genes=400, rng=0)
    adata = adata[adata.obs["day"] != "4"].copy()
    sm.pp.recipe_lmi(adata, n_top_genes=100)
    return adata


@pytest.fixture
def experiment(_experiment):
    """Days 2 and 6 of a small simulated lineage tracing, after the recipe."""
    return _experiment.copy()


@pytest.fixture
def days(_experiment):
    """The same cells as two objects."""
    return tuple(_experiment[_experiment.obs["day"] == day].copy() for day in ("2", "6"))


@pytest.fixture(scope="session")
def _estimated(_experiment, quick_lmi):
    adata = _experiment.copy()
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=quick_lmi())
    return adata


@pytest.fixture
def estimated(_estimated):
    """`experiment` with a stored estimate."""
    return _estimated.copy()


@pytest.fixture(scope="session")
def _of_networks(_experiment, quick_lmi, FAST):
    adata = _experiment.copy()
    model = quick_lmi(preset=replace(FAST, closed_form=False), n_permutations=0)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=model)
    return adata


@pytest.fixture
def of_networks(_of_networks):
    """`experiment` with an estimate by networks, which have a course of training."""
    return _of_networks.copy()


@pytest.fixture(scope="session")
def _larry():
    path = DATA / "larry" / "larry_781_cells.h5ad"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    with warnings.catch_warnings():
        # The published file is of anndata 0.7.
        warnings.filterwarnings("ignore", category=ad.OldFormatWarning)
        adata = ad.read_h5ad(path)
    sm.pp.recipe_lmi(adata)
    return adata


@pytest.fixture
def larry(_larry):
    """781 real cells of Weinreb et al. (2020), after the recipe."""
    return _larry.copy()


@pytest.fixture(scope="session")
def anchors():
    """The folder of published results, as tables."""
    path = DATA / ".." / "anchors"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    return path


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
