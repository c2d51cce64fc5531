"""Plots: matplotlib only; they take ``ax`` and return it."""

from scmi.pl.embedding import pmi_embedding
from scmi.pl.trend import pmi_trend

__all__ = ["pmi_embedding", "pmi_trend"]
