"""On the target: make a release's virtual environment beside this file; the file ``complete`` is its last act.

    PYTHON install_release.py MODULE,MODULE... [pip's options ...]

The modules must import in it, or it is no release.

Anything half made by an earlier attempt is thrown away. Nothing outside this folder changes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(options: list[str]) -> int:
    """Environment, pinned and hashed dependencies, our wheel, checks, the link, the mark."""
    modules, *options = options
    place = HERE / "venv"
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, with_pip=True, symlinks=True)
    python = str(place / "bin" / "python")
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    for requirements in sorted(HERE.glob("*.txt")):
        _run([*pip, "install", "--quiet", "--require-hashes", *options, "-r", str(requirements)])
    wheel = str(next(HERE.glob("*.whl")))
    _run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel])
    _run([*pip, "check"])
    _run([python, "-I", "-c", f"import {modules}"])
    package = next(place.glob("lib/python3.*/site-packages/python_rules"))
    link = HERE / "python_rules"
    link.unlink(missing_ok=True)
    link.symlink_to(package.relative_to(HERE))
    (HERE / "complete").touch()
    return 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
