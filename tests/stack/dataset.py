"""Real files to work on: Python's own sources, and one large file of real text made of them."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

MIB = 1024 * 1024


def make(folder: Path, files: int, large_mib: int) -> list[Path]:
    """Fill a folder with ``files`` source files in their folders and, if asked, ``text/all-sources.txt``."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    sources = [path for path in sources if not {"site-packages", "lib2to3", "test"} & set(path.parts)]
    root = Path(sysconfig.get_path("stdlib"))
    made = [_copied(path, folder / path.relative_to(root)) for path in sources[:files]]
    if large_mib:
        made.append(_concatenated(sources, folder / "text" / "all-sources.txt", large_mib * MIB))
    return made


def _copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def _concatenated(sources: list[Path], target: Path, size: int) -> Path:
    """The sources one after the other, again and again: they repeat far beyond any codec's window."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(target, "wb") as stream:
        while written < size:
            for source in sources:
                written += stream.write(source.read_bytes())
                if written >= size:
                    break
    return target
