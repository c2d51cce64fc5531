"""Estimators on plain arrays: numbers in, bits out. Nothing here knows AnnData."""
