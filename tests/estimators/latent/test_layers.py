"""Layers have the weights and the dropout that their generator gives, and do what their formulas say."""

import numpy as np
import pytest
import torch

from scmi.estimators.latent.layers import MLP, RadialBasis, _half_mask, linear_layer, precise


def test_shapes_and_initial_weights():
    mlp = MLP((100, 32, 16, 8), torch.Generator().manual_seed(0), last_activation=True)
    assert [tuple(w.shape) for w in mlp.weights] == [(32, 100), (16, 32), (8, 16)]
    bound = np.sqrt(6 / 132)  # Xavier uniform
    first = mlp.weights[0].detach()
    assert float(first.abs().max()) <= bound
    assert float(first.std()) == pytest.approx(bound / np.sqrt(3), rel=0.05)
    assert not any(bias.detach().any() for bias in mlp.biases)


def test_a_leak_of_a_fifth_after_hidden_layers_and_where_asked_after_the_last():
    for last_activation, expected in ((False, -0.2), (True, -0.04)):
        mlp = MLP((1, 1, 1), torch.Generator().manual_seed(0), last_activation=last_activation)
        for weight in mlp.weights:
            torch.nn.init.ones_(weight)
        assert mlp(torch.tensor([[-1.0]])).item() == pytest.approx(expected)


def test_dropout_masks_are_fair_coins():
    mask = _half_mask(torch.empty(1000, 1003), torch.Generator().manual_seed(0))
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    # A million coins: the mean of {0, 2} has a standard deviation of .001; rows and columns about .03.
    assert float(mask.mean()) == pytest.approx(1, abs=0.005)
    assert float(mask.mean(0).std()) == pytest.approx(1 / np.sqrt(1000), rel=0.1)
    assert float(mask.mean(1).std()) == pytest.approx(1 / np.sqrt(1003), rel=0.1)


def test_a_kernel_by_hand():
    kernel = RadialBasis(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor(5.0))
    # At distances 0 and one width.
    np.testing.assert_allclose(kernel(torch.zeros((1, 2))).numpy(), [[1, np.exp(-0.5)]], rtol=1e-6)


def test_a_linear_layer_is_fixed():
    layer = linear_layer(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0]))
    assert layer(torch.tensor([[10.0, -100.0]])).item() == 10 - 200 + 3
    assert not any(parameter.requires_grad for parameter in layer.parameters())


def test_equal_rows_get_equal_values_wherever_they_stand(generator):
    rows = torch.randn((7, 50), generator=generator)
    place = torch.randint(0, 7, (301,), generator=generator)
    basis = RadialBasis(torch.randn((20, 9), generator=generator), torch.tensor(3.0))
    network = torch.nn.Sequential(MLP((50, 30, 9), generator, last_activation=True), basis)
    with torch.no_grad():
        values = precise(network)(rows[place])
        assert len(torch.unique(values, dim=0)) == 7
        torch.testing.assert_close(values, network(rows[place]), rtol=1e-4, atol=1e-5)
    assert values.dtype == torch.float32 and network[0].weights[0].dtype == torch.float32
