"""Preprocessing: the paper's recipe for expression, and who is paired with whom."""

from scmi.pp.pairs import pair_clones
from scmi.pp.recipe import recipe_lmi

__all__ = ["pair_clones", "recipe_lmi"]
