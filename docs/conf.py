"""How Sphinx builds these pages: ``sphinx-build -W -n docs docs/_build/html``."""

import hashlib
import os
import warnings
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import numpy as np
from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.ext.napoleon import NumpyDocstring
from sphinx_autodoc_typehints import format_annotation

import scmi
from scmi._slots import Default
from scmi.typing import Shaped

HERE = Path(__file__).parent
ROOT = HERE.parent


def digest() -> str:
    """Of the package and of whether the real data are there: what the tutorials show depends on both."""
    sources = [path.read_bytes() for path in sorted((ROOT / "scmi").rglob("*.py"))]
    return hashlib.sha256(b"".join(sources) + os.environ.get("SCMI_TEST_DATA", "").encode()).hexdigest()[:12]


project = "scmi"
author = "The scmi developers"
copyright = "2026, the scmi developers"
version = release = scmi.__version__
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
    "sphinxcontrib.katex",
]
# Inventories of other projects come from the net. Only where it is surely there: elsewhere each of them would cost a
# timeout and a warning.
if "READTHEDOCS" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
    "joblib": ("https://joblib.readthedocs.io/en/stable/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "python": ("https://docs.python.org/3/", None),
    "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
    "scipy": ("https://docs.scipy.org/doc/scipy/", None),
    "sklearn": ("https://scikit-learn.org/stable/", None),
}

exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
html_theme = "sphinx_book_theme"
html_title = "scmi"
html_static_path = ["_static"]
html_css_files = ["scmi.css"]
html_theme_options = {"home_page_in_toc": False, "show_navbar_depth": 1, "show_toc_level": 2}
html_show_sourcelink = False

nitpicky = True
# Other people's objects are not in our pages; without the inventories nothing says where they are. Ours are never here.
nitpick_ignore_regex = [
    (r"py:.*", r"(anndata|collections|joblib|matplotlib|numpy|os|pandas|scipy|sklearn|torch|typing)\..*"),
    (r"py:data", "Ellipsis"),
]

suppress_warnings = ["config.cache"]  # of `typehints_formatter`, a function

autosummary_generate = True
# Lest `scmi.LMI` and `scmi.lmi` be one file where file systems don't tell them apart.
autosummary_filename_map = {"scmi.LMI": "scmi.LMI_class"}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # sphinx_autodoc_typehints writes them beside the parameters
typehints_defaults = "braces"
warnings.filterwarnings("ignore", module="sphinx_autodoc_typehints")  # of Sphinx 10, a line per type
python_maximum_signature_line_length = 88
default_role = "literal"
napoleon_google_docstring = False
napoleon_use_rtype = False

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "unsrt"
# Formulas are right without a net: KaTeX, whose script comes with the extension, makes MathML of them, which browsers
# draw themselves. Its style sheet and fonts, which only its own HTML needs, would come from elsewhere.
katex_options = 'output: "mathml"'
katex_css_path = "katex-math.css"  # the extension's own; it asks for one
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

# The tutorials run while these pages are built, and an error in one fails the build. They run again where they have
# changed, or the package has. Where the real data are at hand the pages show them; elsewhere they say so.
if (ROOT.parent / "shared" / "data").is_dir():
    os.environ.setdefault("SCMI_TEST_DATA", str((ROOT.parent / "shared" / "data").resolve()))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to those that work
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / ".jupyter_cache" / digest())
nb_execution_in_temp = True  # what they write is not kept
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600  # seconds for a cell
nb_output_stderr = "remove"  # progress bars
nb_merge_streams = True  # of what is printed between them


PUBLIC = {name for room in (scmi, scmi.tl, scmi.get, scmi.datasets, scmi.estimators) for name in room.__all__}
CONSTANTS = {
    "scmi.__version__": "The version of the package.",
    "scmi.estimators.CRITIC": "The paper's critic: what :func:`scmi.mine` and :func:`scmi.infonce` train by default.",
    "scmi.estimators.PRESETS": 'What ``preset`` of :class:`scmi.LMI` takes by name: ``"default"`` and ``"paper"``.',
}


def typehints_formatter(annotation: Any, config: Any) -> str | None:
    """Types as a reader would say them."""
    if annotation == ArrayLike:
        return ":py:data:`~numpy.typing.ArrayLike`"
    if get_origin(annotation) is np.ndarray:
        return ":py:class:`~numpy.ndarray`"
    if get_origin(annotation) not in (Union, UnionType):
        return None
    parts = get_args(annotation)
    # Unions of a dozen parts, under the name that they have in the code.
    optional = " | None" if type(None) in parts else ""
    if Shaped in parts:
        return f"``MatrixLike``{optional}"
    if set(get_args(ArrayLike)) <= set(parts):
        return f":py:data:`~numpy.typing.ArrayLike`{optional}"
    if Default in parts:
        rest = tuple(part for part in parts if part is not Default)
        return str(format_annotation(Union[rest], config))  # noqa: UP007 (of a tuple)
    return None


def hide_private_bases(app: Any, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Parts that a class of ours is put together from have no page."""
    shown = [base for base in bases if not base.__module__.startswith("scmi.") or base.__name__ in PUBLIC]
    bases[:] = shown or [object]


def document_constants(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A constant's docstring would be that of its class."""
    if what == "data":
        lines[:] = [CONSTANTS[name], ""]


def parse_returns(self: NumpyDocstring, section: str) -> list[str]:
    """Keep what a docstring says it returns as it is written: prose, and a list of the fields that are set."""
    lines = self._dedent(self._consume_to_next_section())
    if lines and lines[0] == ":":  # what typehints left for a type
        lines = lines[1:]
    return [*self._format_block(":returns: ", lines), ""]


NumpyDocstring._parse_returns_section = parse_returns


def gather_tutorials() -> None:
    """Copy the notebooks beside the pages: Sphinx reads nothing outside of its own folder."""
    target = HERE / "tutorials"
    target.mkdir(exist_ok=True)
    # Links that lead from tutorials/ to these pages are followed from the copy.
    pages = {
        notebook.name: notebook.read_text().replace("](../docs/", "](../")
        for notebook in (ROOT / "tutorials").glob("*.md")
    }
    for stale in set(target.glob("*.md")) - {target / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        # What is as it was stays, lest Sphinx read it again.
        if not (target / name).exists() or (target / name).read_text() != text:
            (target / name).write_text(text)


LONG_TUTORIALS = ("arrays", "depth")  # as long as all others together


def spread_tutorials(app: Any, env: Any, names: list[str]) -> None:
    """Put the tutorials, which take minutes, apart: processes read these pages in parts of the list."""
    long = [name for name in names if name in {f"tutorials/{page}" for page in LONG_TUTORIALS}]
    rest = [name for name in names if name.startswith("tutorials/") and name not in long]
    others = [name for name in names if not name.startswith("tutorials/")]
    half = len(others) // 2  # a part holds some twenty pages: `long` and `rest` are in different ones
    names[:] = [*long, *others[:half], *rest, *others[half:]]


def point_at_copies(app: Any, name: str, source: list[str]) -> None:
    """Links of these pages lead to tutorials where they are in the repository; here they are followed to the copy."""
    source[0] = source[0].replace("](../tutorials/", "](tutorials/")


def describe_figures(app: Any, doctree: nodes.document) -> None:
    """What a cell draws has no words of its own; the name of a file would stand for them."""
    for image in doctree.findall(nodes.image):
        image.setdefault("alt", "What the code above draws")


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("env-before-read-docs", spread_tutorials)
    app.connect("source-read", point_at_copies)
    app.connect("doctree-read", describe_figures)
    app.connect("autodoc-process-bases", hide_private_bases)
    app.connect("autodoc-process-docstring", document_constants)


gather_tutorials()
