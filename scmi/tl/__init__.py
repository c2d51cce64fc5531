"""Tools: AnnData in, results written into its slots; embeddings and pairs in, a result out."""

from scmi.tl._markov_result import MarkovTest
from scmi.tl.attribution import gene_information
from scmi.tl.interactions import Interactions, interactions
from scmi.tl.lmi import lmi
from scmi.tl.markov import markov_test
from scmi.tl.matrix import lmi_matrix
from scmi.tl.trend import pmi_trend

__all__ = [
    "Interactions",
    "MarkovTest",
    "gene_information",
    "interactions",
    "lmi",
    "lmi_matrix",
    "markov_test",
    "pmi_trend",
]
