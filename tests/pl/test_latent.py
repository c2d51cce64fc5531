"""The promises of the picture of two latent spaces.

- Pairs that were held out are drawn, on axes of greatest covariance of the others; correlations are those of what was
  made up.
- Mistakes are named.
"""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scmi as sm


def test_latent_draws_held_out_pairs_on_axes_of_the_others():
    """Two correlated dimensions behind a rotation and a shift, in 400 pairs: r is .95 and .8 within .05."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(400, 2))
    r = np.array([0.95, 0.8])
    other = r * shared + np.sqrt(1 - r**2) * rng.normal(size=(400, 2))
    a, b = (ad.AnnData(obs=pd.DataFrame(index=[f"{name}{i}" for i in range(400)])) for name in "ab")
    a.obsm["X_lmi"] = shared @ np.array([[1.0, 2.0], [-2.0, 1.0]]) + 5
    b.obsm["X_lmi"] = other @ np.array([[0.0, 3.0], [1.0, 0.0]])
    pairs = pd.DataFrame({"cell_a": a.obs_names, "cell_b": b.obs_names, "fold": np.arange(400) % 2})
    a.uns["lmi"] = b.uns["lmi"] = {"pairs": pairs, "params": {}}
    for axis in (1, 2):
        ax = sm.pl.latent(a, b[rng.permutation(400)], axis=axis)
        points = ax.collections[0].get_offsets()
        assert len(points) == 200
        assert np.corrcoef(points.T)[0, 1] == pytest.approx(r[axis - 1], abs=0.05)
        assert ax.get_title() == f"r = {np.corrcoef(points.T)[0, 1]:.2f}, 200 held-out pairs"
        # Standard deviations of the other fold's pairs.
        assert list(points.std(axis=0)) == pytest.approx([1, 1], abs=0.15)
    for error, message, call in (
        (ValueError, "have 2 dimensions", lambda: sm.pl.latent(a, b, axis=3)),
        (KeyError, "100 paired cells are not in `adata_b`", lambda: sm.pl.latent(a, b[:300])),
        (KeyError, "400 paired cells are not in `adata_a`", lambda: sm.pl.latent(b, a)),
        (KeyError, "other", lambda: sm.pl.latent(a, b, key="other")),
    ):
        with pytest.raises(error, match=message):
            call()


def test_latent_of_an_estimate(estimated):
    ax = sm.pl.latent(estimated)
    pairs = estimated.uns["lmi"]["pairs"]
    assert len(ax.collections[0].get_offsets()) == (pairs["fold"] == 0).sum()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("day 2, shared axis 1", "day 6, shared axis 1")
