"""Loaders of published data and simulators with a known truth."""

from scmi.datasets.lineage import lineage

__all__ = ["lineage"]
