"""The API page lists what is public, public things have examples, and all examples and blocks of code run.

They run with quick training on few cells: here it only matters that the words are right. How good the estimates are is
the matter of the benchmarks.
"""

import doctest
import inspect
import io
import logging
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import scmi as sm
from scmi.estimators import PRESETS, configuration
from scmi.estimators.peers import variational
from tests._stand_ins import STAND_INS

ROOT = Path(__file__).parent.parent
ROOMS = (sm, sm.tl, sm.pl, sm.pp, sm.get, sm.datasets, sm.estimators)
PUBLIC = {
    f"{room.__name__}.{name}": getattr(room, name)
    for room in ROOMS
    for name in room.__all__
    if not inspect.ismodule(getattr(room, name))
}
# The building blocks are shown by what is made of them.
SHOWN = [
    name
    for name, value in PUBLIC.items()
    if (inspect.isfunction(value) or inspect.isclass(value)) and not name.startswith("scmi.estimators.")
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Critics, all plots at once, an estimate at each of several depths.
SLOW = {
    *("README.md", "depth.md", "gallery.md", "labels.md", "peers.md", "proteins.md"),
    *("scmi.infonce", "scmi.mine", "scmi.pl.depth_scaling", "scmi.pl.label_information"),
    *("scmi.tl.DepthScaling", "scmi.tl.depth_scaling", "scmi.tl.interactions", "scmi.tl.label_information"),
}


def in_time(value, name):
    """A parameter, marked as slow where it is."""
    return pytest.param(value, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


# A block of Python, and right above it the data that it needs, if any: <!-- data: name -->
BLOCK = re.compile(r"(?:^<!-- data: (?P<data>\w+) -->\n+)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Code with its line numbers, for the page's traceback, and the data that it needs ("" for none)."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield "\n" * text[: found.start("code")].count("\n") + found["code"], found["data"] or ""


def listed():
    """Full names of what the API page lists."""
    module = ""
    for line in (ROOT / "docs" / "api.md").read_text().splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"   (\w+)", line):
            yield f"{module}.{found[1]}"


@pytest.fixture
def quick(monkeypatch, tmp_path, FAST):
    """Quick training, few splits, repeats and pairings, small simulations, a folder to leave files in."""
    full = sm.datasets.lineage

    def lineage(n_clones=200, *, n_genes=500, **options):
        return full(min(n_clones, 200), n_genes=n_genes, **options)

    short = replace(variational.CRITIC, max_steps=150, check_every=50)
    monkeypatch.setitem(PRESETS, "default", FAST)
    monkeypatch.setattr(configuration, "SPLITS", 1)
    monkeypatch.setitem(configuration.Configuration.__init__.__kwdefaults__, "n_pairings", 2)
    for tool, few in ((sm.tl.interactions, 4), (sm.tl.depth_scaling, 1)):
        monkeypatch.setitem(inspect.unwrap(tool).__kwdefaults__, "n_repeats", few)
    for module in (variational, sm.estimators):
        monkeypatch.setattr(module, "CRITIC", short)
    for critic in (sm.mine, sm.infonce):
        monkeypatch.setitem(critic.__kwdefaults__, "settings", short)
    monkeypatch.setattr(sm.datasets, "lineage", lineage)
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


@pytest.fixture
def quiet():
    """Pages may make loggers speak, and change Matplotlib's settings: not beyond themselves."""
    import scanpy as sc

    root, own = logging.getLogger(), logging.getLogger("scmi")
    level, handlers, verbosity = own.level, list(root.handlers), sc.settings.verbosity
    with plt.rc_context():
        yield
    own.setLevel(level)
    root.handlers[:] = handlers
    sc.settings.verbosity = verbosity


def test_api_page_lists_what_is_public():
    names = list(listed())
    assert len(names) == len(set(names))
    assert set(names) == set(PUBLIC)


@pytest.mark.parametrize("name", [in_time(name, name) for name in SHOWN])
def test_examples(quick, name):
    value = PUBLIC[name]
    assert re.search(r"^\s*Examples\n\s*--------\n\s*\S", value.__doc__, re.MULTILINE), "no section with examples"
    examples = doctest.DocTestFinder(exclude_empty=True).find(value, name, module=inspect.getmodule(value), globs={})
    assert any(test.examples for test in examples)
    for test in examples:
        out = io.StringIO()
        assert doctest.DocTestRunner().run(test, out=out.write).failed == 0, out.getvalue()


@pytest.mark.parametrize("page", [in_time(page, page.name) for page in PAGES])
def test_pages(quick, quiet, page):
    """Every block runs; where it needs what can't be had everywhere, on something made up of the same form."""
    names, given = {}, ""
    for code, data in blocks(page):
        if data and data != given:
            names |= STAND_INS[data]()
            given = data
        exec(compile(code, str(page), "exec"), names)


def test_every_stand_in_is_used():
    assert {data for page in PAGES for _, data in blocks(page)} == {"", *STAND_INS}
