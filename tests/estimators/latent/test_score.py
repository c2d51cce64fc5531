"""A score is the larger of KSG and the Gaussian bound, and beats another by more than the standard error of that."""

import numpy as np
import pytest
import torch

from scmi.estimators import gaussian_bound
from scmi.estimators.inputs.pairing import Draw, rowwise
from scmi.estimators.latent.score import Score, score, together
from scmi.estimators.neighbours.ksg import KSG


def test_a_score_beats_another_by_more_than_its_standard_error():
    pmi = np.tile([1.0, 0.0], 50)
    # Differences of +-1 with n = 100: a standard error of .1.
    assert Score(0.8, pmi).beats(Score(0.6, 1 - pmi))
    assert not Score(0.65, pmi).beats(Score(0.6, 1 - pmi))


def latents(n=400, d=1, bits=1.0):
    rng = np.random.default_rng(0)
    r = np.sqrt(1 - 2 ** (-2 * bits / d))
    x = rng.normal(size=(n, d))
    return x, r * x + np.sqrt(1 - r**2) * rng.normal(size=(n, d))


def test_clusters_are_scored_by_ksg_and_gaussians_of_many_dimensions_by_the_bound():
    ksg = KSG(3, "euclidean")
    label = np.random.default_rng(1).integers(0, 4, 400)[:, None]
    clusters = [10.0 * label + side for side in latents(bits=0.0)]
    for (x, y), by_ksg in ((clusters, True), (latents(d=8), False)):
        found = score((torch.tensor(x), torch.tensor(y)), rowwise(400).draw(np.random.default_rng(0)), ksg, rng())
        pmi = ksg.pointwise(x, y)
        np.testing.assert_allclose(found.pmi, pmi)
        assert found.bits == pytest.approx(pmi.mean() if by_ksg else gaussian_bound(x, y, rng()))
        assert (found.bits > pmi.mean() + 0.1) != by_ksg


def test_a_barcode_in_several_pairings_is_their_mean():
    x, y = latents(n=60)
    twice = Draw(np.repeat([0, 1], 30), np.tile(np.arange(30), 2), np.arange(60), np.arange(60))
    found = score((torch.tensor(x), torch.tensor(y)), twice, KSG(), rng())
    expected = (KSG().pointwise(x[:30], y[:30]) + KSG().pointwise(x[30:], y[30:])) / 2
    np.testing.assert_allclose(found.pmi, expected)


def test_fewer_pairs_than_neighbours_are_scored_by_those_there_are():
    x, y = latents(n=4)
    found = score((torch.tensor(x), torch.tensor(y)), rowwise(4).draw(rng()), KSG(10), rng())
    np.testing.assert_allclose(found.pmi, KSG(3).pointwise(x, y))


def test_parts_count_alike():
    one = together([Score(1.0, np.array([1.0, 1.0])), Score(0.0, np.array([0.0]))])
    assert one.bits == 0.5
    assert one.pmi.tolist() == [1.0, 1.0, 0.0]


def rng():
    return np.random.default_rng(0)
