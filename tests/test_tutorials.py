"""The tutorials are notebooks of one form, and use what is public. ``.ci/check docs`` runs them.

No Jupyter is needed here: the code of a page is what stands in its ``{code-cell}`` blocks.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest

import scmi as sm

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "tutorials").glob("*.md"))
ORDER = ["hematopoiesis", "fate", "markov", "depth", "proteins", "cite_seq", "arrays"]
COLUMNS = 88
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
# Right under the title, with words for who doesn't see it.
PICTURE = re.compile(r"# [^\n]+\n\n!\[[^\]]{20,}\]\(\.\./docs/(?P<path>images/\w+\.png)\)\n\n")
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


def test_all_pages_are_listed_in_order():
    assert {page.stem for page in PAGES} == set(ORDER)
    assert re.findall(r"^tutorials/(\w+)$", (ROOT / "docs" / "tutorials.md").read_text(), re.MULTILINE) == ORDER


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_are_notebooks(page):
    text = page.read_text()
    assert text.startswith(HEADER)
    assert text.count("{code-cell}") == len(list(cells(page)))
    assert list(cells(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_begin_with_a_picture(page):
    found = PICTURE.match(page.read_text().removeprefix(HEADER.removesuffix("# ")))
    assert found, "no picture right under the title"
    assert (ROOT / "docs" / found["path"]).exists()
    # From which docs/tutorials.py makes it.
    assert f'savefig("{page.stem}.png"' in page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_end_in_a_sentence_for_a_paper(page):
    assert re.search(r"\ba paper could print[^:\n]*: \*[^*]+\d[^*]+\*$", page.read_text().rstrip(), re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_needs_real_data_reads_well_without_them(page):
    """The page is built without: it says where the data come from, and in its own words what the cell prints."""
    text = page.read_text()
    for skipped in re.finditer(
        r'^    print\("Skipped: (?P<why>[^"]+)"\)\n```\n(?P<after>(?:.*\n){5})', text, re.MULTILINE
    ):
        if "is not installed" in skipped["why"]:
            continue
        assert re.match(r"needs \w+/,? ", skipped["why"])
        assert re.match(r'\nWith these [^"]+ prints "[^"]*\d bits', skipped["after"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_parses_and_needs_no_scrolling(page):
    blocks = re.findall(
        r"^```(?:\{code-cell\} ipython3|python)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= len(list(cells(page)))
    for code in blocks:
        ast.parse(code)
        assert max(map(len, code.splitlines())) <= COLUMNS, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_import_is_left_over(page):
    nodes = list(ast.walk(ast.parse("".join(cells(page)))))
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    assert {alias.asname or alias.name for alias in imports} <= {
        node.id for node in nodes if isinstance(node, ast.Name)
    }


def test_every_public_function_is_used():
    shown = set().union(*(used(code) for page in PAGES for code in cells(page)))
    assert FUNCTIONS | {"sm.LMI"} <= shown


def test_every_dataset_is_named():
    text = "".join(page.read_text() for page in PAGES)
    simulators = {name for name in sm.datasets.__all__ if inspect.isfunction(getattr(sm.datasets, name))}
    assert {name for name in simulators if not re.search(rf"\bsm\.datasets\.{name}\b", text)} == set()
