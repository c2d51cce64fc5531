"""Stored results as tidy DataFrames."""

from scmi.get.lmi import LMITables, lmi
from scmi.get.matrix import lmi_matrix

__all__ = ["LMITables", "lmi", "lmi_matrix"]
