"""The API page lists what is public, public things have examples, and all examples and blocks of code run.

They run with quick training on few cells: here it only matters that the words are right. How good the estimates are is
the matter of the benchmarks.
"""

import doctest
import inspect
import io
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import scmi as sm
from scmi.estimators import PRESETS, configuration
from scmi.estimators.peers import variational

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
# A block of Python, and the comment right above it, if any: <!-- not run: why -->
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n+)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(page):
    """Code with its line numbers, for the page's traceback, and why it isn't run ("" where it is)."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield "\n" * text[: found.start("code")].count("\n") + found["code"], found["why"] or ""


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
    """Quick training, one split, small simulations, and a folder to leave files in."""
    full = sm.datasets.lineage

    def lineage(n_clones=200, *, n_genes=500, **options):
        return full(min(n_clones, 200), n_genes=n_genes, **options)

    short = replace(variational.CRITIC, max_steps=150, check_every=50)
    monkeypatch.setitem(PRESETS, "default", FAST)
    monkeypatch.setattr(configuration, "SPLITS", 1)
    for module in (variational, sm.estimators):
        monkeypatch.setattr(module, "CRITIC", short)
    for critic in (sm.mine, sm.infonce):
        monkeypatch.setitem(critic.__kwdefaults__, "settings", short)
    monkeypatch.setattr(sm.datasets, "lineage", lineage)
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def test_api_page_lists_what_is_public():
    names = list(listed())
    assert len(names) == len(set(names))
    assert set(names) == set(PUBLIC)


@pytest.mark.parametrize("name", SHOWN)
def test_examples(quick, name):
    value = PUBLIC[name]
    assert re.search(r"^\s*Examples\n\s*--------\n\s*\S", value.__doc__, re.MULTILINE), "no section with examples"
    examples = doctest.DocTestFinder(exclude_empty=True).find(value, name, module=inspect.getmodule(value), globs={})
    assert any(test.examples for test in examples)
    for test in examples:
        out = io.StringIO()
        assert doctest.DocTestRunner().run(test, out=out.write).failed == 0, out.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(quick, page):
    found = list(blocks(page))
    run = [code for code, why in found if not why]
    if not run:
        pytest.skip("; ".join({why for _, why in found}) or "no Python on this page")
    names = {}
    for code in run:
        exec(compile(code, str(page), "exec"), names)
