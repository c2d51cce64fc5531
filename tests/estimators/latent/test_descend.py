"""Training keeps the best weights, not the last; draws from its own generator; and respects its budget."""

import numpy as np
import pytest
import torch

from scmi.estimators.networks import CrossAutoencoder, _half_mask
from scmi.estimators.pairing import rowwise
from scmi.estimators.rows import Rows, fit_scale
from scmi.estimators.settings import PRESETS, Settings, resolve_settings
from scmi.estimators.training import resolve_device, train

CPU = torch.device("cpu")


def run(settings, seed=0, lam=1.0, n=120):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    y = x + rng.normal(size=(n, 6))
    pairing = rowwise(n)
    rows_x, rows_y = (Rows(side, fit_scale(side, np.arange(n)), CPU, keep=np.arange(n)) for side in (x, y))
    validation = pairing.draw(rng, barcodes=np.arange(n - 20, n))
    seen = []
    model, history = train(
        rows_x,
        rows_y,
        lambda rng: pairing.draw(rng, barcodes=np.arange(n - 20)),
        validation,
        n_latent=2,
        objective="cross",
        lam=lam,
        alpha=1.0,
        settings=settings,
        rng=rng,
        device=CPU,
        progress=lambda share, loss: seen.append((share, loss)),
    )
    with torch.no_grad():
        losses = model.losses(rows_x.batch(validation.row_x), rows_y.batch(validation.row_y), "cross")
    return history, seen, float(losses.cross), model


OVERFIT = Settings(hidden=(64, 32), learning_rate=1e-2, max_steps=400, check_every=5, patience=60, dropout=False)


def test_the_weights_kept_are_the_best_not_the_last():
    history, _, kept, _ = run(OVERFIT)
    assert history.best_step < history.step[-1]
    assert history.validation[-1] > history.validation.min()
    assert kept == pytest.approx(history.validation.min(), rel=1e-5)


def test_stops_when_patience_is_out():
    history, seen, _, _ = run(OVERFIT)
    assert history.step[-1] == history.best_step + 60
    assert not history.improving
    assert seen[-1][0] == 1.0
    assert np.all(np.diff([share for share, _ in seen]) > 0)


def test_budget_ends_a_training_that_still_improves():
    history, _, _, _ = run(Settings(hidden=(16,), max_steps=12, check_every=5, patience=60))
    assert history.step.tolist() == [5, 10, 12]
    assert history.improving


def test_budget_in_epochs_counts_passes_over_the_pairs():
    # 100 training pairs in batches of at most 30: 4 steps an epoch.
    history, _, _, _ = run(
        Settings(hidden=(16,), batch_size=30, max_steps=3, check_every=1, patience=3, in_epochs=True)
    )
    assert history.step.tolist() == [4, 8, 12]


def test_same_seed_same_weights_whatever_the_global_state():
    torch.manual_seed(1)
    _, _, first, _ = run(PRESETS["default"].__class__(hidden=(16,), max_steps=20))
    before = torch.get_rng_state()
    torch.manual_seed(2)
    _, _, second, _ = run(PRESETS["default"].__class__(hidden=(16,), max_steps=20))
    assert first == second
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_is_for_the_cross_decoders_in_training_only():
    generator = torch.Generator().manual_seed(0)
    model = CrossAutoencoder(5, 4, 2, (32, 16), generator)
    x, y = torch.randn(50, 5, generator=generator), torch.randn(50, 4, generator=generator)
    self_loss, cross_loss, _ = model.losses(x, y, "cross")
    self_dropped, cross_dropped, _ = model.losses(x, y, "cross", generator)
    assert torch.equal(self_loss, self_dropped)
    assert not torch.equal(cross_loss, cross_dropped)


@pytest.mark.parametrize("objective", ["infonce", "mine", "smile"])
def test_contrastive_bounds_of_perfect_and_of_no_agreement(objective):
    model = CrossAutoencoder(3, 3, 2, (8,), torch.Generator().manual_seed(0))
    far_apart = 10.0 * torch.arange(6.0)[:, None].repeat(1, 2)
    nowhere = torch.zeros(6, 2)
    # Six pairs that agree and lie apart: InfoNCE can say log 6, MINE without bound, SMILE what its clip allows.
    most = {"infonce": np.log(6), "mine": 200.0, "smile": 5.0}[objective]
    assert model._bound(far_apart, far_apart, objective).item() == pytest.approx(most, rel=0.05)
    assert model._bound(nowhere, nowhere, objective).item() == pytest.approx(0, abs=1e-6)


def test_the_objective_decides_which_terms_there_are():
    model = CrossAutoencoder(3, 3, 2, (8,), torch.Generator().manual_seed(0))
    x, y = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(1))
    terms = {objective: model.losses(x, y, objective) for objective in ("cross", "infonce", "cross+infonce")}
    assert terms["cross"].contrast.item() == 0 < terms["cross"].cross.item()
    assert terms["infonce"].cross.item() == 0 != terms["infonce"].contrast.item()
    assert terms["cross+infonce"].cross.item() == terms["cross"].cross.item()
    assert terms["cross+infonce"].contrast.item() == terms["infonce"].contrast.item()


def test_dropout_masks_are_fair_coins():
    mask = _half_mask(torch.empty(1000, 1003), torch.Generator().manual_seed(0))
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    # A million coins: the mean of {0, 2} has a standard deviation of .001; rows and columns about .03.
    assert float(mask.mean()) == pytest.approx(1, abs=0.005)
    assert float(mask.mean(0).std()) == pytest.approx(1 / np.sqrt(1000), rel=0.1)
    assert float(mask.mean(1).std()) == pytest.approx(1 / np.sqrt(1003), rel=0.1)


def test_network_shapes_and_initial_weights():
    model = CrossAutoencoder(100, 60, 8, (32, 16), torch.Generator().manual_seed(0))
    assert [tuple(w.shape) for w in model.encoder_x.weights] == [(32, 100), (16, 32), (8, 16)]
    assert [tuple(w.shape) for w in model.decoder_xy.weights] == [(16, 8), (32, 16), (60, 32)]
    bound = np.sqrt(6 / 132)  # Xavier uniform
    first = model.encoder_x.weights[0]
    assert float(first.detach().abs().max()) <= bound
    assert float(first.detach().std()) == pytest.approx(bound / np.sqrt(3), rel=0.05)


def test_presets():
    paper = resolve_settings("paper")
    assert (paper.hidden, paper.learning_rate, paper.batch_size) == ((1024, 512, 256), 1e-4, 512)
    assert (paper.max_steps, paper.patience, paper.in_epochs, paper.cross_fit) == (300, 30, True, False)
    assert resolve_settings(OVERFIT) is OVERFIT
    with pytest.raises(ValueError, match=r"preset='best' is not known; choose one of \['default', 'paper'\]"):
        resolve_settings("best")


def test_auto_device_prefers_cuda():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    assert resolve_device("cpu") == CPU
