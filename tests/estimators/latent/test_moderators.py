"""What says how much the others tell is found, appended, and predicts nothing."""

import numpy as np
import pytest
import torch

import scmi as sm
from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent.choose import best_size
from scmi.estimators.latent.components import principal_components
from scmi.estimators.latent.half import Half, cross_validation_parts
from scmi.estimators.latent.linear import LinearFamily
from scmi.estimators.latent.moderators import Moderated, find_moderators
from scmi.estimators.neighbours.ksg import KSG

KSG_3 = KSG(3, "euclidean")


def moderated(n, seed, strength=0.9):
    """30 columns hold a fate and a maturity; y tells of the fate, the more so the more mature x is."""
    rng = np.random.default_rng(seed)
    fate, maturity, noise = rng.normal(size=(3, n))
    rho = np.clip(0.5 + strength * 0.5 * maturity, 0, 0.95)
    other = rho * fate + np.sqrt(1 - rho**2) * noise
    mix_x, mix_y = rng.normal(size=(2, 30)), rng.normal(size=(1, 30))
    x = np.column_stack([fate, maturity]) @ mix_x + 0.3 * rng.normal(size=(n, 30))
    y = other[:, None] @ mix_y + 0.3 * rng.normal(size=(n, 30))
    return x, y, maturity


def found(x, y, rows, generator):
    everything = np.arange(len(x))
    rng = np.random.default_rng(0)
    sides = rows(x), rows(y)
    components = tuple(principal_components(side, 10, rng, generator) for side in sides)
    half = Half(*sides, components, rowwise(len(x)), everything, everything, None)
    parts = cross_validation_parts(half, 3, rng)
    base = best_size(LinearFamily(half, None, None, generator), parts, KSG_3, rng)
    return half, parts, base, find_moderators(half, base.latents, base.size, parts)


def test_the_moderator_is_found_and_nothing_else_is(rows, generator):
    x, y, maturity = moderated(600, 0)
    half, _, _, (of_x, of_y) = found(x, y, rows, generator)
    along = (half.x.batch(np.arange(600)) @ of_x).numpy()[:, 0]
    assert np.corrcoef(along, maturity)[0, 1] > 0.8
    assert of_y is None


def test_without_one_chance_finds_few(rows, generator):
    n_found = 0
    for seed in range(20):
        x, y, _ = moderated(200, seed, strength=0)
        n_found += sum(axis is not None for axis in found(x, y, rows, generator)[3])
    # 40 sides, of which chance gives 3 to 8 % a t above 2: six were found, ten would be too many.
    assert n_found < 10


def test_a_moderator_is_one_more_dimension_that_predicts_nothing(rows, generator):
    x, y, _ = moderated(600, 0)
    half, _, base, (of_x, _) = found(x, y, rows, generator)
    family = Moderated(base.family, half, (of_x, None), base.latents, base.size)
    assert family.sizes == (base.size + 1,)
    everything = np.arange(600)
    model = family.fit(everything, base.size + 1, np.random.default_rng(0))
    z_x, z_y = model.encoder_x(half.x.batch(everything)), model.encoder_y(half.y.batch(everything))
    assert z_x.shape == z_y.shape == (600, base.size + 1)
    assert float(z_x[:, 0].std()) == pytest.approx(1, abs=1e-3)
    assert float(z_y[:, 0].abs().max()) == 0  # a side without one has a constant there
    moved = z_x.clone()
    moved[:, 0] += 5
    assert torch.equal(model.decoder_xy(moved), model.decoder_xy(z_x))


@pytest.mark.slow
def test_maturity_moderates_fate_in_lineages():
    """Cells before the breakpoint tell nothing, and with the moderator their pMI says so."""
    adata = sm.datasets.lineage(1500, n_genes=500, rng=3)
    sm.pp.recipe_lmi(adata)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=sm.LMI(n_permutations=0, n_splits=1))
    early = adata.obs[(adata.obs["day"] == "2") & adata.obs["lmi_pmi"].notna()]
    before = early.loc[early["pseudotime"] < 0.35, "lmi_pmi"].mean()
    after = early.loc[early["pseudotime"] > 0.8, "lmi_pmi"].mean()
    assert abs(before) < 0.15
    assert after > before + 0.5
