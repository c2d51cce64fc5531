"""Tools: AnnData in, results written into its slots."""

from scmi.tl.lmi import lmi
from scmi.tl.trend import pmi_trend

__all__ = ["lmi", "pmi_trend"]
