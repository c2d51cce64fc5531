"""Information about labels: calibrated probabilities of classes, cross-fitted; tables of labels of paired cells."""
