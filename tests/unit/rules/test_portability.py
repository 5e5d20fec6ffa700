"""What the server's interpreter loads: Python 3.9 syntax, the standard library alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "python_rules"
IN_THE_SERVER = sorted(path for path in ROOT.rglob("*.py") if "engine" not in path.relative_to(ROOT).parts)
# modules that the plugin brings to every server; imported inside functions only
FROM_THE_PLUGIN = {"genquery", "irods_types"}


@pytest.mark.parametrize("path", IN_THE_SERVER, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_syntax_is_that_of_python_3_9(path: Path) -> None:
    """Every file that runs inside a server parses as Python 3.9, and names no module from elsewhere."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))

    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in imported}
    assert tops <= set(sys.stdlib_module_names) | {"python_rules"} | FROM_THE_PLUGIN


def test_nothing_but_the_standard_library_is_needed() -> None:
    """core.py loads in an interpreter that sees no site-packages, and exports rules and hooks only."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); from python_rules.core import *; "
        "print([name for name in dir() if not name.startswith('__')])"
    )

    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)

    names = set(ast.literal_eval(done.stdout)) - {"sys"}
    assert {"sluice_submit", "sluice_run", "pep_resource_modified_post"} <= names
    assert all(name.startswith(("sluice_", "pep_")) for name in names)
