"""The latent model: what every family makes, and all that an estimate needs of it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

__all__ = ["Kind", "LatentModel"]

Kind = Literal["linear", "sparse", "kernel", "network", "linear of scores", "sparse of scores", "kernel of scores"]


@dataclass(frozen=True, eq=False)
class LatentModel:
    """Encoders of both sides, and cross-decoders of the other side.

    Parameters
    ----------
    kind
        Which family made it.
    encoder_x, encoder_y
        From standardised rows to their latents.
    decoder_xy, decoder_yx
        From latents of x to standardised rows of y, and from latents of y to those of x.
    """

    kind: Kind
    encoder_x: nn.Module
    encoder_y: nn.Module
    decoder_xy: nn.Module
    decoder_yx: nn.Module

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        return next(self.encoder_x.parameters()).device
