"""Plots: matplotlib only; they take ``ax`` and return it."""

from scmi.pl.embedding import pmi_embedding

__all__ = ["pmi_embedding"]
