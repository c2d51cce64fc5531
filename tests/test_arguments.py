"""Calls that don't fit a signature are told where the argument belongs, and signatures stay as they are."""

import inspect
import pickle
import re

import pytest
from sklearn.base import clone

import scmi as sm
from scmi.estimators import PRESETS, Settings

TOOLS = [getattr(sm.tl, name) for name in sm.tl.__all__ if inspect.isfunction(getattr(sm.tl, name))]
OF_MODEL = [tool for tool in TOOLS if "model" in inspect.signature(tool).parameters]


@pytest.mark.parametrize("tool", OF_MODEL)
def test_parameters_of_the_model_belong_to_it(tool):
    match = rf"^{tool.__name__} has no parameter 'k'\. It belongs to .*`model=sm\.LMI\(k=5\)`\.$"
    with pytest.raises(TypeError, match=match):
        tool(None, None, k=5)
    with pytest.raises(TypeError, match=r"Did you mean 'n_permutations' of `model=sm\.LMI\(\.\.\.\)`\?"):
        tool(None, None, n_permutation=0)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_names_the_nearest_parameter(tool):
    name = [name for name in inspect.signature(tool).parameters if len(name) > 2][-1]
    with pytest.raises(TypeError, match=f"^{tool.__name__} has no parameter '{name}s'. Did you mean .*'{name}'"):
        tool(None, **{f"{name}s": 1})


def test_the_function_of_arrays_knows_its_own_parameters():
    with pytest.raises(TypeError, match=r"^lmi has no parameter 'group'\. Did you mean 'groups'\?$"):
        sm.lmi([], [], group=[])


def test_what_makes_a_model_says_so_too():
    for make in (sm.LMI, lambda **params: sm.lmi([], [], **params)):
        with pytest.raises(
            TypeError, match=r"^LMI has no parameter 'n_permutation'\. Did you mean 'n_permutations'\?$"
        ):
            make(n_permutation=0)
        with pytest.raises(TypeError, match=r"`preset=sm\.estimators\.Settings\(max_steps=9\)`"):
            make(max_steps=9)
        with pytest.raises(TypeError, match="LMI has no parameter 'colour'. There are n_latent, k, "):
            make(colour="red")
    with pytest.raises(TypeError, match="Settings has no parameter 'max_step'. Did you mean 'max_steps'"):
        Settings(max_step=9)


def test_what_is_missing_is_said_in_the_words_of_its_documentation(adata=None):
    with pytest.raises(TypeError) as caught:
        sm.tl.conditional_information(adata, "phase")
    said = "conditional_information needs `model`: The `scmi.LMI` that `scmi.tl.lmi` was called with"
    assert str(caught.value).startswith(said)
    with pytest.raises(TypeError, match="markov_test needs `times`: Its two values, early and late"):
        sm.tl.markov_test(adata, pair_key="clone", time_key="day")


def test_errors_of_calls_that_fit_stay_as_they_are():
    with pytest.raises(TypeError, match="must be an AnnData, got NoneType"):
        sm.tl.lmi(None)
    with pytest.raises(TypeError, match="takes from 1 to 2 positional arguments but 3 were given"):
        sm.tl.lmi(None, None, None)


def test_signatures_types_and_documentation_stay():
    assert list(inspect.signature(sm.tl.lmi).parameters)[:3] == ["adata_a", "adata_b", "pair_key"]
    assert list(inspect.signature(sm.LMI).parameters)[:2] == ["n_latent", "k"]
    for tool in TOOLS:
        assert not any(one.kind is one.VAR_KEYWORD for one in inspect.signature(tool).parameters.values())
        assert pickle.loads(pickle.dumps(tool)) is tool
        assert re.search(r"^Parameters\n-+\n", inspect.getdoc(tool), re.MULTILINE)
    model = sm.LMI(k=5, preset=PRESETS["paper"])
    assert clone(model).get_params() == model.get_params()
