"""The cross-autoencoder: which terms its objective has, what its bounds can say, and that training is repeatable."""

import numpy as np
import pytest
import torch

from scmi.estimators.inputs.pairing import Draw, rowwise
from scmi.estimators.latent.network import CrossAutoencoder, _Batches, _blocks, fit_network
from scmi.estimators.settings import Settings


def fitted(rows, **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6))
    pairing = rowwise(120)
    options = {"objective": "cross", "lam": 1.0, "alpha": 1.0, **options}
    return fit_network(
        rows(x),
        rows(x + rng.normal(size=x.shape)),
        lambda rng: pairing.draw(rng, barcodes=np.arange(100)),
        pairing.draw(rng, barcodes=np.arange(100, 120)),
        n_latent=2,
        settings=Settings(hidden=(16,), max_steps=20),
        rng=rng,
        device=torch.device("cpu"),
        progress=lambda done, loss: None,
        **options,
    )


def test_same_seed_same_weights_whatever_the_global_state(rows):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, _ = fitted(rows)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, _ = fitted(rows)
    for name, values in first.state_dict().items():
        assert torch.equal(values, second.state_dict()[name]), name


def test_what_has_no_weight_is_not_learned(rows):
    weights = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0))
    untrained, own, cross = (fitted(rows, lam=lam, alpha=alpha)[0] for lam, alpha in weights)
    for decoder, learns, stays in (("decoder_xx", own, cross), ("decoder_xy", cross, own)):
        before, learned, stayed = (getattr(model, decoder).weights[0] for model in (untrained, learns, stays))
        assert torch.equal(stayed, before)
        assert not torch.equal(learned, before)


def test_each_epoch_takes_every_pair_once_in_even_batches():
    pairing = rowwise(100)
    draws = []

    def draw(rng):
        draws.append(pairing.draw(rng))
        return draws[-1]

    batches = _Batches(draw, np.random.default_rng(0), 30)
    assert batches.per_epoch == 4
    epochs = [[batches.next()[0] for _ in range(4)] for _ in range(2)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [25] * 4
        assert sorted(np.concatenate(epoch)) == list(range(100))
    assert (np.concatenate(epochs[0]) != np.concatenate(epochs[1])).any()
    assert len(draws) == 2


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


def test_shapes_mirror_each_other():
    model = CrossAutoencoder(100, 60, 8, (32, 16), torch.Generator().manual_seed(0))
    assert [tuple(w.shape) for w in model.encoder_x.weights] == [(32, 100), (16, 32), (8, 16)]
    assert [tuple(w.shape) for w in model.decoder_xy.weights] == [(16, 8), (32, 16), (60, 32)]


def test_validation_contrasts_pairs_of_one_pairing_no_more_than_a_step_does():
    n = 70
    validation = Draw(np.repeat([0, 1], n), np.tile(np.arange(n), 2), *np.zeros((2, 2 * n), int))
    blocks = _blocks(validation, Settings(batch_size=30))
    assert [len(rows) for rows in blocks] == [24, 23, 23] * 2
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(2 * n))
    for rows in blocks:
        assert len(np.unique(validation.barcode[rows])) == len(rows)
    alone = Draw(np.arange(4), np.zeros(4, int), *np.zeros((2, 4), int))
    assert [list(rows) for rows in _blocks(alone, Settings())] == [[0, 1, 2, 3]]


@pytest.mark.parametrize("objective", ["mine", "smile", "infonce"])
def test_no_pair_is_contrasted_with_nothing(rows, objective):
    # 99 pairs to fit to and 21 to stop by, in steps of two.
    rng = np.random.default_rng(0)
    x, pairing = rng.normal(size=(120, 3)), rowwise(120)
    _, history = fit_network(
        rows(x),
        rows(x + rng.normal(size=x.shape)),
        lambda rng: pairing.draw(rng, barcodes=np.arange(99)),
        pairing.draw(rng, barcodes=np.arange(99, 120)),
        n_latent=1,
        objective=objective,
        lam=1.0,
        alpha=1.0,
        settings=Settings(hidden=(4,), max_steps=60, check_every=60, batch_size=2),
        rng=rng,
        device=torch.device("cpu"),
        progress=lambda done, loss: None,
    )
    assert np.isfinite(history.train).all() and np.isfinite(history.validation).all()
