"""Plots: matplotlib only; they take ``ax`` and return it."""

from scmi.pl.embedding import pmi_embedding
from scmi.pl.markov import markov_test
from scmi.pl.trend import pmi_trend

__all__ = ["markov_test", "pmi_embedding", "pmi_trend"]
