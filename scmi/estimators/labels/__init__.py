"""Information about labels: calibrated probabilities of classes, cross-fitted."""
