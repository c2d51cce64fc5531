"""Plots: matplotlib only; they take ``ax`` and return it."""

from scmi.pl._depth_scaling import depth_scaling
from scmi.pl._embedding import pmi_embedding
from scmi.pl._estimates import estimates
from scmi.pl._gene_information import gene_information
from scmi.pl._history import history
from scmi.pl._label_information import label_information
from scmi.pl._latent import latent
from scmi.pl._markov import markov_test
from scmi.pl._roc import roc
from scmi.pl._trend import pmi_trend

__all__ = [
    "depth_scaling",
    "estimates",
    "gene_information",
    "history",
    "label_information",
    "latent",
    "markov_test",
    "pmi_embedding",
    "pmi_trend",
    "roc",
]
