"""The package is light to import, tells its names, and keeps its rooms apart.

Imports are read from the source, those within functions and those for type checkers only included.
"""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import scmi as sm

PACKAGE = Path(sm.__file__).parent
ROOMS = ("scmi.datasets", "scmi.get", "scmi.pl", "scmi.pp", "scmi.tl")
# Declared for exact and approximate neighbours of large samples, which are being written.
COMING = {"pynndescent"}
IMPORTED_AS = {"scikit-learn": "sklearn"}


class Module(NamedTuple):
    """A file of the package: its dotted name, the package it stands in (a package stands in itself), and its code."""

    name: str
    folder: str
    tree: ast.Module


def module_of(file):
    parts = ("scmi", *file.relative_to(PACKAGE).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    folder = ".".join(parts[:-1])
    return Module(folder if is_package else ".".join(parts), folder, ast.parse(file.read_text()))


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module.name: module for module in map(module_of, FILES)}
PACKAGES = sorted({module.folder for module in MODULES.values()})


def imports(module):
    """Dotted names of what a module imports, wherever in it: the module, and for `from` what of it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = module.folder.split(".")[: 1 - node.level or None] if node.level else []
            source = ".".join([*home, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def ancestors(name):
    """The packages that a dotted name lies in, outermost first."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def edges(module):
    """Modules that a module needs.

    Importing a module loads the packages around it first. Those around the importer are loaded already, and don't
    count; the face of another package does, with all that it names, also for type checkers only.
    """
    for name in imports(module):
        target = name if name in MODULES else name.rpartition(".")[0]
        if target in MODULES:
            yield from {target, *ancestors(target)} - {module.name, *ancestors(module.name)}
            if target in ancestors(module.name):  # named outright
                yield target


def modules_after(code):
    """Top-level modules loaded by a fresh interpreter that ran some code."""
    script = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


# Importing


def test_import_loads_the_standard_library_only():
    loaded = modules_after("import scmi")
    assert "scmi" in loaded
    assert not loaded & {
        "anndata",
        "joblib",
        "matplotlib",
        "numba",
        "numpy",
        "pandas",
        "scanpy",
        "scipy",
        "sklearn",
        "torch",
    }


def test_torch_waits_until_a_model_is_trained():
    names = "sm.tl.lmi, sm.pp.recipe_lmi, sm.pl.pmi_embedding, sm.LMI, sm.mine"
    loaded = modules_after(f"import scmi as sm; {names}; sm.ksg([1,2,3,4],[1,2,3,4],1)")
    assert "torch" not in loaded
    assert "numba" in loaded


@pytest.mark.parametrize("package", [sm, sm.estimators], ids=["scmi", "scmi.estimators"])
def test_every_name_is_shown_and_nothing_else(package):
    assert dir(package) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'umap'"):
        _ = package.umap


def test_public_things_are_documented():
    for name in sm.__all__:
        assert getattr(sm, name).__doc__


def test_typed():
    assert (PACKAGE / "py.typed").exists()


# Who imports whom


def test_estimators_know_arrays_only():
    for module in MODULES.values():
        if module.name.startswith("scmi.estimators"):
            names = list(imports(module))
            assert not {name.partition(".")[0] for name in names} & {"anndata", "scanpy", "mudata", "matplotlib"}, (
                module.name
            )
            assert not [name for name in names if name.startswith(ROOMS)], module.name


def test_no_module_needs_itself():
    try:
        TopologicalSorter({module.name: set(edges(module)) for module in MODULES.values()}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_private_modules_are_imported_from_their_folder_and_below():
    for module in MODULES.values():
        for name in imports(module):
            parts = name.split(".")
            private = [i for i, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
            if parts[0] == "scmi" and private:
                home = ".".join(parts[: private[0]])
                assert f"{module.folder}.".startswith(f"{home}."), f"{module.name} imports {name}"


@pytest.mark.parametrize("name", PACKAGES)
def test_no_function_has_the_name_of_a_file_beside_it(name):
    """Or the one would hide the other. (`scmi.estimators.lmi` is the module; the function is `scmi.lmi`.)"""
    package = importlib.import_module(name)
    folder = Path(package.__file__).parent
    beside = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    listed = {entry for entry in getattr(package, "__all__", ()) if not inspect.ismodule(getattr(package, entry))}
    assert not listed & beside


# Sizes


def test_no_file_is_long():
    lengths = {file.name: len(file.read_text().splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_a_dozen_files_at_the_top_of_the_estimators():
    assert len(list((PACKAGE / "estimators").glob("*.py"))) <= 12


# One configuration

PARAMETERS = {name: parameter.default for name, parameter in inspect.signature(sm.LMI).parameters.items()}
TOOLS = [getattr(sm.tl, name) for name in sm.tl.__all__ if inspect.isfunction(getattr(sm.tl, name))]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_no_tool_repeats_what_the_model_holds(tool):
    assert not set(inspect.signature(tool).parameters) & (set(PARAMETERS) - {"rng", "progress"})


def test_the_main_job_has_few_parameters():
    assert len(inspect.signature(sm.tl.lmi).parameters) <= 16


def defaults(tree):
    """Names and values of all parameters and fields that have a default."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args][-len(node.args.defaults) or None :]
            pairs = [
                *zip(given, node.args.defaults, strict=False),
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
            ]
            yield from ((argument.arg, ast.unparse(value)) for argument, value in pairs if value is not None)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, ast.unparse(node.value)


def test_each_default_of_the_model_stands_once():
    counts = Counter(pair for module in MODULES.values() for pair in defaults(module.tree))
    # Functions of points take some of these as well, and so do MINE and InfoNCE, which have no model.
    elsewhere = {"k", "n_permutations", "rng", "device", "n_jobs", "progress"}
    for name, value in PARAMETERS.items():
        if name not in elsewhere:
            assert counts[name, repr(value)] == 1, name


# Dependencies

PYPROJECT = PACKAGE.parent / "pyproject.toml"
LOWEST = PACKAGE.parent / ".ci" / "constraints-lowest.txt"
# Extras that the package imports from; the others are tools around it.
RUNTIME_EXTRAS = ("dask", "datasets")


@pytest.fixture(scope="module")
def project():
    """What `pyproject.toml` says of the package."""
    if not PYPROJECT.exists():
        pytest.skip("installed without its pyproject.toml")
    return tomllib.loads(PYPROJECT.read_text())["project"]


@pytest.fixture(scope="module")
def declared(project):
    """Import names of the dependencies: at run time, and with the extras."""

    def names(requirements):
        found = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
        return {IMPORTED_AS.get(name, name) for name in found}

    runtime = names(project["dependencies"])
    return runtime, runtime.union(*map(names, project["optional-dependencies"].values()))


@pytest.fixture(scope="module")
def imported():
    """Import names of what the package takes from others."""
    found = {name.partition(".")[0] for module in MODULES.values() for name in imports(module)}
    return found - set(sys.stdlib_module_names) - {"scmi"}


def test_declared_dependencies_are_imported(declared, imported):
    assert declared[0] - COMING <= imported
    assert COMING <= declared[0]


def test_what_is_imported_is_declared(declared, imported):
    assert imported <= declared[1]


def test_the_lowest_versions_declared_are_the_ones_tested(project):
    if not LOWEST.exists():
        pytest.skip("a source distribution has no folder .ci")
    extras = (project["optional-dependencies"][name] for name in RUNTIME_EXTRAS)
    bounds = [requirement for requirements in (project["dependencies"], *extras) for requirement in requirements]
    pins = [re.sub(r"(\[.*\])?>=", "==", bound) for bound in bounds]
    assert [line for line in LOWEST.read_text().splitlines() if not line.startswith("#")] == sorted(pins)
