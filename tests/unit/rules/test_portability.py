"""What the server's interpreter loads: Python 3.9 syntax, the standard library alone."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "python_rules"
IN_THE_SERVER = sorted(path for path in ROOT.rglob("*.py") if "engine" not in path.relative_to(ROOT).parts)
# modules that the plugin brings to every server; imported inside functions only
FROM_THE_PLUGIN = {"genquery", "irods_types"}
SINCE_3_10 = {"tomllib", "compression", "annotationlib", "string.templatelib", "concurrent.interpreters"}
# This interpreter, and a Python 3.9 where the machine has one: the oldest that servers run
OLDEST = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python")) + sorted(Path("/usr/bin").glob("python3.9"))
INTERPRETERS = [sys.executable, *map(str, OLDEST)]


@pytest.mark.parametrize("path", IN_THE_SERVER, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_syntax_is_that_of_python_3_9(path: Path) -> None:
    """Every file that runs inside a server parses as Python 3.9, and names no module from elsewhere or of later."""
    tree = ast.parse(path.read_text(), feature_version=(3, 9))

    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    others = {name for name in imported if name.split(".")[0] not in {"python_rules", *FROM_THE_PLUGIN}}
    assert not imported & SINCE_3_10
    assert all(_is_standard(name.split(".")[0]) for name in others), others


def _is_standard(name: str) -> bool:
    if hasattr(sys, "stdlib_module_names"):
        return name in sys.stdlib_module_names
    found = importlib.util.find_spec(name)
    return found is not None and "site-packages" not in (found.origin or "")


@pytest.mark.parametrize("path", IN_THE_SERVER, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_called_that_python_3_9_lacks(path: Path) -> None:
    """Arguments and decorators that came later parse as ever, and fail when they run."""
    tree = ast.parse(path.read_text())

    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = {
        (ast.unparse(call.func).rpartition(".")[2], word.arg) for call in calls for word in call.keywords if word.arg
    }
    assert not given & {("zip", "strict"), ("dataclass", "slots"), ("dataclass", "kw_only"), ("bisect", "key")}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"bit_count", "pairwise", "hardlink_to", "add_note", "UTC", "StrEnum", "batched"}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_nothing_but_the_standard_library_is_needed(interpreter: str) -> None:
    """core.py and every module load in an interpreter that sees no site-packages; rules and hooks are exported only."""
    names = [".".join(("python_rules", *path.relative_to(ROOT).with_suffix("").parts)) for path in IN_THE_SERVER]
    modules = [name.replace(".__init__", "") for name in names]
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); from python_rules.core import *; "
        "print([name for name in dir() if not name.startswith('__')]); "
        f"import importlib; [importlib.import_module(name) for name in {modules}]"
    )

    done = subprocess.run([interpreter, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    exported = set(ast.literal_eval(done.stdout)) - {"sys"}
    assert {"sluice_submit", "sluice_run", "pep_resource_modified_post"} <= exported
    assert all(name.startswith(("sluice_", "pep_", "irods_policy_sluice_")) for name in exported)
