"""Loaders of published data and simulators with a known truth."""

from scmi.datasets._sample import JointSample
from scmi.datasets.gaussian import gaussian
from scmi.datasets.hard import clusters, curved, overdispersed_counts, scale_only
from scmi.datasets.heavy_tailed import heavy_tailed
from scmi.datasets.larry import larry
from scmi.datasets.larry_state_fate import larry_state_fate
from scmi.datasets.lineage import lineage
from scmi.datasets.proteins import omnipath_pairs, uniprot_embeddings
from scmi.datasets.resampled_labels import resampled_labels
from scmi.datasets.symmetric import symmetric
from scmi.datasets.transform import transform

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
