"""How Sphinx builds these pages: ``sphinx-build -W -n docs docs/_build/html``."""

import os
import shutil
import sys
from pathlib import Path

import scmi

HERE = Path(__file__).parent

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
    (r"py:.*", r"(anndata|joblib|matplotlib|numpy|pandas|scipy|sklearn|torch)\..*"),
]

autosummary_generate = True
# Lest `scmi.LMI` and `scmi.lmi` be one file where file systems don't tell them apart.
autosummary_filename_map = {"scmi.LMI": "scmi.LMI_class"}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # sphinx_autodoc_typehints writes them beside the parameters
typehints_defaults = "braces"
typehints_document_rtype = False
napoleon_google_docstring = False
napoleon_use_rtype = False

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "unsrt"
katex_prerender = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"


def gather_tutorials() -> None:
    """Copy the notebooks beside the pages: Sphinx reads nothing outside of its own folder."""
    target = HERE / "tutorials"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for notebook in sorted((HERE.parent / "tutorials").glob("*.md")):
        shutil.copy(notebook, target)


gather_tutorials()
