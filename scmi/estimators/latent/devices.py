"""The device that networks are trained on."""

import torch

__all__ = ["missing", "resolve_device"]


def resolve_device(device: str) -> torch.device:
    """``"auto"`` is cuda where there is one, then mps, then cpu; other names are torch's, of devices that are here."""
    if device != "auto":
        try:
            named = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"device={device!r} is not a torch device; use 'auto', 'cpu', 'cuda' or 'mps'.") from error
        if why := missing(named):
            raise ValueError(f"device={device!r} is not to be had here ({why}); use 'auto' or 'cpu'.")
        return named
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def missing(device: torch.device) -> str:
    """Why nothing can be put on a device, in torch's words; "" where it can."""
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:  # builds without CUDA assert that they have it
        first = str(error).partition("\n")[0].partition(". ")[0]  # of what may be pages
        return first.rstrip(".") or type(error).__name__
    return ""
