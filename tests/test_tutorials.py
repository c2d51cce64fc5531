"""The tutorials use what is public, and run: ``pytest -m tutorial`` runs each page's cells in one fresh namespace.

No Jupyter is needed: the code of a page is what stands in its ``{code-cell}`` blocks.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest

import scmi as sm
from tests.conftest import DATA

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "tutorials").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# """
ROOMS = {"sm": sm, **{f"sm.{name}": getattr(sm, name) for name in ("tl", "pl", "pp", "get")}}
FUNCTIONS = {
    f"{prefix}.{name}"
    for prefix, room in ROOMS.items()
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
}


def cells(page):
    """Code of each cell, below as many empty lines as stand above it in the page, for the traceback's numbers."""
    text = page.read_text()
    for found in CELL.finditer(text):
        yield "\n" * text[: found.start("code")].count("\n") + found["code"]


def used(code):
    """Dotted names that begin with the package, as it is imported on all pages."""
    names = {ast.unparse(node) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
    return {name for name in names if re.fullmatch(r"sm(\.\w+)+", name)}


def test_all_pages_are_there():
    assert [page.stem for page in PAGES] == [
        "arrays",
        "cite_seq",
        "depth",
        "fate",
        "hematopoiesis",
        "markov",
        "proteins",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_are_notebooks(page):
    text = page.read_text()
    assert text.startswith(HEADER)
    assert text.count("{code-cell}") == len(list(cells(page)))
    assert list(cells(page))


def test_every_public_function_is_used():
    shown = set().union(*(used(code) for page in PAGES for code in cells(page)))
    assert FUNCTIONS | {"sm.LMI"} <= shown


def test_every_dataset_is_named():
    text = "".join(page.read_text() for page in PAGES)
    simulators = {name for name in sm.datasets.__all__ if inspect.isfunction(getattr(sm.datasets, name))}
    assert {name for name in simulators if not re.search(rf"\bsm\.datasets\.{name}\b", text)} == set()


@pytest.mark.tutorial
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCMI_TEST_DATA", str(DATA.resolve()))
    names = {"__name__": "__main__"}
    for code in cells(page):
        exec(compile(code, str(page), "exec"), names)
