"""Devices by name: the best there is, those that are asked for, and those that are not here."""

import pytest
import torch

import scmi as sm
from scmi.estimators.latent.devices import resolve_device


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_device_there_is(cuda, mps, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto").type == expected


def test_other_devices_go_by_their_names():
    assert resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device='abacus' is not a torch device; use 'auto'"):
        resolve_device("abacus")


# No machine has a hundred; "meta" holds no numbers.
@pytest.mark.parametrize("device", ["cuda:100", "mps:100", "meta"])
def test_a_device_that_is_not_here_is_told_before_any_training(device):
    x = torch.zeros(30, 2).numpy()
    with pytest.raises(ValueError, match=rf"device='{device}' is not to be had here \(.+\); use 'auto'"):
        sm.lmi(x, x, device=device)
    with pytest.raises(ValueError, match="not to be had here"):
        sm.mine(x, x, device=device)
