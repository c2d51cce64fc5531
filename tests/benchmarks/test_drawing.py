"""Pictures of 130,887 cells of Weinreb et al. (2020): ``pytest -m benchmark tests/benchmarks/test_drawing.py -s``."""

import time

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scmi as sm
from tests.conftest import DATA

pytestmark = pytest.mark.benchmark

SECONDS, BYTES = 3, 2e6


@pytest.mark.parametrize("share", [0.02, 1.0], ids=["background", "all coloured"])
@pytest.mark.parametrize("width", [3.4, 7.0])
def test_drawn_in_seconds_saved_in_megabytes(share, width, tmp_path):
    path = DATA / "larry" / "larry_all_cells_130887.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}; set SCMI_TEST_DATA")
    obs = pd.read_csv(path, dtype={"cell": str}).set_index("cell")
    # Values don't change the work.
    rng = np.random.default_rng(0)
    obs["lmi_pmi"] = np.where(rng.uniform(size=len(obs)) < share, rng.normal(size=len(obs)), np.nan)
    adata = ad.AnnData(obs=obs)

    start = time.perf_counter()
    _, ax = plt.subplots(figsize=(width, 0.8 * width), layout="constrained")
    sm.pl.pmi_embedding(adata, basis=("SPRING1", "SPRING2"), ax=ax).figure.canvas.draw()
    drawn = time.perf_counter()
    ax.figure.savefig(tmp_path / "x.pdf", dpi=300)
    saved = time.perf_counter()
    size = (tmp_path / "x.pdf").stat().st_size
    print(
        f"{width} in, {share:.0%} coloured: drawn in {drawn - start:.2f} s, PDF in {saved - drawn:.2f} s, "
        f"{size / 1e3:.0f} kB"
    )
    assert drawn - start < SECONDS
    assert saved - drawn < SECONDS
    assert size < BYTES
