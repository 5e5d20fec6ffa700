"""``make bench``: the benchmarks that need nothing but this machine."""

from __future__ import annotations

from tests.benchmarks import engine

if __name__ == "__main__":
    engine.main()
