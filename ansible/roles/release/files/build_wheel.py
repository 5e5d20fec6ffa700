"""On the control host: build Sluice's wheel from its tree, once for each state of the sources.

    build_wheel.py TREE CACHE REQUIREMENTS...

Prints JSON: the wheel's path, and an id of wheel and requirements, which names the release's folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("api_shim", "embedded_zone", "python_rules", "workers")
OTHERS = ("pyproject.toml", "README.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
EPOCH = "1577836800"  # a fixed time in the archive: the same sources give the same wheel


def main(arguments: list[str]) -> int:
    """Build if this state was not built yet."""
    tree, cache, *requirements = map(Path, arguments)
    digest = _digest(tree)
    folder = cache / digest[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Ansible asks for every host at the same time
        if not folder.is_dir():
            _build(tree, cache, folder)
    wheel = next(folder.glob("*.whl"))
    version = wheel.name.split("-")[1]
    whole = hashlib.sha256(digest.encode())
    for path in requirements:
        whole.update(path.read_bytes())
    print(json.dumps({"wheel": str(wheel), "id": f"{version}-{whole.hexdigest()[:12]}"}))
    return 0


def _digest(tree: Path) -> str:
    found = hashlib.sha256()
    for path in _sources(tree):
        found.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _sources(tree: Path) -> list[Path]:
    inside = [path for name in PACKAGES for path in (tree / name).rglob("*") if path.is_file()]
    return [tree / name for name in OTHERS] + sorted(path for path in inside if path.suffix != ".pyc")


def _build(tree: Path, cache: Path, folder: Path) -> None:
    # A copy: building leaves files beside the sources, which the tree's user may not even be able to write.
    with tempfile.TemporaryDirectory(dir=cache) as work:
        copy, made = Path(work, "tree"), Path(work, "wheel")
        copy.mkdir()
        for name in PACKAGES:
            shutil.copytree(tree / name, copy / name, ignore=LEFT_OUT)
        for name in OTHERS:
            shutil.copy(tree / name, copy / name)
        isolated = _has_setuptools()
        words = ["wheel", "--quiet", "--no-deps", *(["--no-build-isolation"] if isolated else [])]
        subprocess.run(
            [sys.executable, "-m", "pip", *words, "--wheel-dir", str(made), str(copy)],
            check=True,
            stdout=sys.stderr,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        )
        made.replace(folder)


def _has_setuptools() -> bool:
    try:
        import setuptools
    except ImportError:
        return False
    return int(re.match(r"\d+", setuptools.__version__)[0]) >= 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
