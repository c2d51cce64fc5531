"""MINE and InfoNCE on raw arrays: the variational peers that the paper compares LMI with."""
