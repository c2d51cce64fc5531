"""Preprocessing: the paper's recipe for expression, who is paired with whom, and embeddings by name."""

from scmi.pp.embeddings import read_embeddings
from scmi.pp.pairs import pair_clones
from scmi.pp.recipe import recipe_lmi

__all__ = ["pair_clones", "read_embeddings", "recipe_lmi"]
