"""``python -m tests.benchmarks [NAME…]``: the benchmarks one after the other, engine and zone if none is named.

Each has options of its own: ``python -m tests.benchmarks.NAME --help``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

DEFAULT = ("engine", "zone")


def names() -> list[str]:
    """Every module here that can be run by itself and is not run by another."""
    runs = [path for path in Path(__file__).parent.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")]
    return sorted(path.stem for path in runs if path.stem not in ("__main__", "engine_work"))


def main() -> int:
    """The number of benchmarks that failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ", ".join(names())
    parser.add_argument("names", nargs="*", default=DEFAULT, metavar="NAME", help=f"of {known} (default: engine zone)")
    chosen = parser.parse_args().names
    if unknown := set(chosen) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {known}")
    return sum(subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"]).returncode != 0 for name in chosen)


if __name__ == "__main__":
    sys.exit(main())
