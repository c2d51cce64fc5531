import numpy as np
import pytest
import torch

from scmi.estimators.inputs.rows import Rows, Scale, fit_scale


@pytest.fixture
def rows():
    """All rows of a matrix, standardised."""

    def build(matrix):
        everything = np.arange(len(matrix))
        return Rows(matrix, fit_scale(matrix, everything), torch.device("cpu")).keeping(everything)

    return build


@pytest.fixture
def unscaled():
    """All rows of a matrix, as they are."""

    def build(matrix):
        scale = Scale(np.zeros(matrix.shape[1]), np.ones(matrix.shape[1]))
        return Rows(matrix, scale, torch.device("cpu")).keeping(np.arange(len(matrix)))

    return build


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def sides():
    """Three shared dimensions in 30 and in 40 columns; small, since standardised values are clipped at 10."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(500, 3)) * [0.3, 0.2, 0.1]
    return [shared @ rng.normal(size=(3, p)) + 0.1 * rng.normal(size=(500, p)) for p in (30, 40)]
