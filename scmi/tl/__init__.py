"""Tools: AnnData in, results written into its slots; embeddings and pairs in, a result out."""

from scmi.tl._conditional_information import conditional_information
from scmi.tl._depth_result import DepthScaling
from scmi.tl._depth_scaling import depth_scaling
from scmi.tl._gene_information import gene_information
from scmi.tl._interactions import Interactions, interactions
from scmi.tl._label_information import label_information
from scmi.tl._lmi import lmi
from scmi.tl._markov import markov_test
from scmi.tl._markov_result import Estimate, MarkovTest
from scmi.tl._matrix import lmi_matrix
from scmi.tl._trend import pmi_trend

__all__ = [
    "DepthScaling",
    "Estimate",
    "Interactions",
    "MarkovTest",
    "conditional_information",
    "depth_scaling",
    "gene_information",
    "interactions",
    "label_information",
    "lmi",
    "lmi_matrix",
    "markov_test",
    "pmi_trend",
]
