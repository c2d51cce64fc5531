"""Tools: AnnData in, results written into its slots; embeddings and pairs in, a result out."""

from scmi.tl.interactions import Interactions, interactions
from scmi.tl.lmi import lmi
from scmi.tl.trend import pmi_trend

__all__ = ["Interactions", "interactions", "lmi", "pmi_trend"]
