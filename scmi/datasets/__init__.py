"""Loaders of published data and simulators with a known truth."""

from scmi.datasets._gaussian import gaussian
from scmi.datasets._hard import clusters, curved, overdispersed_counts, scale_only
from scmi.datasets._heavy_tailed import heavy_tailed
from scmi.datasets._larry import larry
from scmi.datasets._larry_state_fate import larry_state_fate
from scmi.datasets._lineage import draw_counts, draw_genes, lineage
from scmi.datasets._proteins import omnipath_pairs, uniprot_embeddings
from scmi.datasets._resampled_labels import resampled_labels
from scmi.datasets._sample import JointSample
from scmi.datasets._symmetric import symmetric
from scmi.datasets._transform import transform

# `draw_counts` and `draw_genes` are for benchmarks that simulate other experiments, and not listed.
__all__ = [
    "JointSample",
    "clusters",
    "curved",
    "gaussian",
    "heavy_tailed",
    "larry",
    "larry_state_fate",
    "lineage",
    "omnipath_pairs",
    "overdispersed_counts",
    "resampled_labels",
    "scale_only",
    "symmetric",
    "transform",
    "uniprot_embeddings",
]
