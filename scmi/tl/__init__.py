"""Tools: AnnData in, results written into its slots."""

from scmi.tl.lmi import lmi

__all__ = ["lmi"]
