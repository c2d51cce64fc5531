"""The package is light to import, tells its names, and keeps its rooms apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scmi as sm

PACKAGE = Path(sm.__file__).parent


def modules_after(code):
    """Top-level modules loaded by a fresh interpreter that ran some code."""
    script = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_import_loads_nothing_that_anndata_does_not():
    extra = modules_after("import scmi") - modules_after("import anndata")
    assert {name for name in extra if not name.startswith(("_", "scmi", "__editable__"))} == set()


def test_torch_waits_until_a_model_is_trained():
    loaded = modules_after(
        "import scmi as sm; sm.tl.lmi, sm.pp.recipe_lmi, sm.pl.pmi_embedding, sm.LMI, sm.mine; sm.ksg([1,2,3,4],[1,2,3,4],1)"
    )
    assert "torch" not in loaded
    assert "numba" in loaded


def test_names():
    assert set(sm.__all__) <= set(dir(sm))
    for name in sm.__all__:
        assert getattr(sm, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'umap'"):
        _ = sm.umap


def test_estimators_know_arrays_only():
    for file in (PACKAGE / "estimators").glob("*.py"):
        imported = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(file.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & {"anndata", "scanpy", "mudata", "matplotlib"}, file.name


def test_typed():
    assert (PACKAGE / "py.typed").exists()
