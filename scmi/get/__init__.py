"""Stored results as tidy DataFrames."""

from scmi.get._lmi import LMITables, lmi
from scmi.get._matrix import lmi_matrix

__all__ = ["LMITables", "lmi", "lmi_matrix"]
