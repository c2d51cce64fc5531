"""Tools: AnnData in, results written into its slots."""

from scmi.tl._markov_result import MarkovTest
from scmi.tl.lmi import lmi
from scmi.tl.markov import markov_test
from scmi.tl.trend import pmi_trend

__all__ = ["MarkovTest", "lmi", "markov_test", "pmi_trend"]
