"""A Dask cluster takes the trainings through joblib's own backend, and the numbers stay the same."""

import joblib
import numpy as np
import pytest

import scmi as sm
from scmi.estimators import Settings

distributed = pytest.importorskip("dask.distributed")


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:.*nearly deterministic:UserWarning"
)
def test_same_numbers_on_a_local_cluster():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 100, 5))
    y[:, 0] = x[:, 0]
    fast = Settings(hidden=(16,), max_steps=20)
    expected = sm.lmi(x, y, preset=fast, n_splits=1, n_jobs=1)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        result = sm.lmi(x, y, preset=fast, n_splits=1)
    # To the last digit, but for what BLAS rounds otherwise on another number of threads.
    np.testing.assert_allclose(result.pmi, expected.pmi, atol=1e-12)
