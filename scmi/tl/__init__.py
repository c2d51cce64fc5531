"""Tools: AnnData in, results written into its slots."""

from scmi.tl.attribution import gene_information
from scmi.tl.lmi import lmi
from scmi.tl.trend import pmi_trend

__all__ = ["gene_information", "lmi", "pmi_trend"]
