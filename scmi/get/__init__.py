"""Stored results as tidy DataFrames."""

from scmi.get.lmi import LMITables, lmi

__all__ = ["LMITables", "lmi"]
