"""Plots: matplotlib only; they take ``ax`` and return it."""

from scmi.pl.embedding import pmi_embedding
from scmi.pl.estimates import estimates
from scmi.pl.gene_information import gene_information
from scmi.pl.history import history
from scmi.pl.latent import latent
from scmi.pl.markov import markov_test
from scmi.pl.roc import roc
from scmi.pl.trend import pmi_trend

__all__ = [
    "estimates",
    "gene_information",
    "history",
    "latent",
    "markov_test",
    "pmi_embedding",
    "pmi_trend",
    "roc",
]
