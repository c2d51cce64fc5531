"""Each fold uses the latent model that measures most, of as many dimensions as are needed."""

import numpy as np
import pytest
import torch

import scmi as sm
from scmi.estimators.inputs.pairing import rowwise
from scmi.estimators.latent import choose
from scmi.estimators.latent.choose import best_model, best_size
from scmi.estimators.latent.components import principal_components
from scmi.estimators.latent.half import Half, cross_validation_parts
from scmi.estimators.latent.linear import LinearFamily
from scmi.estimators.latent.model import LatentModel
from scmi.estimators.latent.score import Score
from scmi.estimators.neighbours.ksg import KSG
from scmi.estimators.settings import Settings

EUCLIDEAN = KSG(3, "euclidean")


@pytest.mark.parametrize(("n_informative", "allowed"), [(1, {1, 2}), (4, {4, 6})])
def test_linear_dimensions_follow_the_dependence(n_informative, allowed, rows, generator):
    sample = sm.datasets.gaussian(1000, 60, n_informative, 1.5, rng=0)
    everything = np.arange(1000)
    half = Half(rows(sample.x), rows(sample.y), (None, None), rowwise(1000), everything, everything, None)
    parts = cross_validation_parts(half, 3, np.random.default_rng(0))
    family = LinearFamily(half, None, None, generator)
    found = best_size(family, parts, EUCLIDEAN, np.random.default_rng(0))
    assert found.size in allowed
    assert len(found.score.pmi) == 1000


class Staircase:
    """A family whose latents of n dimensions measure what n of the given columns do."""

    kind = "linear"
    sizes = (1, 2, 3)

    def __init__(self, x, y):
        self.x, self.y = torch.tensor(x), torch.tensor(y)

    def held_out(self, parts, rng):
        return [(self.x[judged.row_x], self.y[judged.row_y]) for _, judged in parts]


def test_the_fewest_dimensions_that_measure_as_much():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = x + 0.5 * rng.normal(size=x.shape)
    y[:, 2] = rng.normal(size=400)  # the third column is noise
    half = Half(None, None, None, rowwise(400), np.arange(400), np.arange(400), None)
    parts = cross_validation_parts(half, 3, rng)
    assert best_size(Staircase(x, y), parts, EUCLIDEAN, rng).size == 2
    # Where nothing can be judged, it is the simplest.
    assert best_size(Staircase(x, y), [], EUCLIDEAN, rng).size == 1


@pytest.mark.parametrize(("bits", "size"), [((0.5, 0.992, 1.0), 2), ((0.5, 0.98, 1.0), 3), ((0.995, 0.998, 1.0), 1)])
def test_more_dimensions_have_to_be_worth_a_hundredth_of_a_bit(bits, size, monkeypatch):
    def score(latents, pairs, ksg, rng):
        return Score(bits[latents[0].shape[1] - 1], np.zeros(1))

    monkeypatch.setattr(choose, "score", score)
    half = Half(None, None, None, rowwise(40), np.arange(40), np.arange(40), None)
    rng = np.random.default_rng(0)
    found = best_size(
        Staircase(np.zeros((40, 3)), np.zeros((40, 3))), cross_validation_parts(half, 3, rng), EUCLIDEAN, rng
    )
    assert found.size == size
    assert found.score.bits == pytest.approx(bits[size - 1])


class Answer(torch.nn.Module):
    """A network whose latents are these, whatever it is shown."""

    def __init__(self, latents):
        super().__init__()
        self.latents = latents

    def forward(self, rows):
        return self.latents


def test_a_network_takes_over_only_if_it_measures_more(rows, generator):
    sample = sm.datasets.gaussian(300, 60, 1, 1.5, rng=0)
    rng = np.random.default_rng(0)
    pairing = rowwise(300)
    x, y = rows(sample.x), rows(sample.y)
    validation = pairing.draw(rng, barcodes=np.arange(220, 300))
    components = tuple(principal_components(side, 10, rng, generator) for side in (x, y))
    half = Half(x, y, components, pairing, np.arange(300), np.arange(220), validation)

    # The closed forms tell 1.5 bits. A network that knows who belongs together tells more, one that guesses less.
    answers = torch.linspace(0, 1, 80)[:, None], torch.randn((80, 1), generator=generator)
    models = [(Answer(answers[0]), Answer(answers[i])) for i in (0, 1)]
    knows, guesses = (LatentModel("network", *pair, torch.nn.Identity(), torch.nn.Identity()) for pair in models)
    assert best_model(knows, half, None, None, EUCLIDEAN, rng, generator).model is knows
    assert best_model(guesses, half, None, None, EUCLIDEAN, rng, generator).model.kind != "network"


@pytest.mark.slow
def test_gaussians_get_axes_and_circles_do_not():
    quick = Settings(hidden=(32,), max_steps=100)
    gaussian = sm.datasets.gaussian(600, 60, 2, 1.0, rng=0)
    found = sm.lmi(gaussian.x, gaussian.y, n_permutations=0, preset=quick)
    assert set(found.params["latent_model"]) <= {"linear", "sparse"}
    circle = sm.datasets.symmetric("circle", n_exclusive=1, rng=0)
    result = sm.lmi(circle.x, circle.y, n_permutations=0, preset=quick)
    assert not {"linear", "sparse"} & set(result.params["latent_model"])
    # Cross-prediction alone, as published, finds .04 of these .71 bits. Ours over four seeds: errors up to .06.
    assert result.mi == pytest.approx(circle.truth, abs=0.12)


def test_n_latent_is_respected(FAST):
    sample = sm.datasets.gaussian(200, 30, 1, 1.0, rng=0)
    result = sm.lmi(sample.x, sample.y, n_latent=5, preset=FAST)
    assert set(result.params["n_latent"]) == {5}
    assert result.z_x.shape == result.z_y.shape == (200, 5)


@pytest.mark.slow
def test_axes_that_lead_astray_give_way_to_those_of_a_part():
    # x says how large y is: the axes of one half, which chance gives, found nothing where those of its parts found .43.
    sample = sm.datasets.scale_only(2000, rng=2)
    result = sm.lmi(sample.x, sample.y, rng=2, n_permutations=0, progress=False)
    by_fold = [result.pmi[result.fold == fold].mean() for fold in (0, 1)]
    assert min(by_fold) > 0.3, by_fold  # .39 and .41 of .5; -.02 and .41 before
