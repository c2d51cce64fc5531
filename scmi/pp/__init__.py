"""Preprocessing: the recipe for expression, who is paired with whom, what becomes of clones, embeddings by name."""

from scmi.pp.embeddings import read_embeddings
from scmi.pp.fates import clone_fates
from scmi.pp.pairs import pair_clones
from scmi.pp.recipe import recipe_lmi

__all__ = ["clone_fates", "pair_clones", "read_embeddings", "recipe_lmi"]
