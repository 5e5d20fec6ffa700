"""How far a pass is, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from python_rules.engine.watch import Watch


@contextmanager
def shown(quiet: bool) -> Iterator[Watch]:
    """A line on a terminal that says how far the pass is; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield Watch()
        return
    yield Watch(advanced=_Shown().advance)
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@dataclass
class _Shown:
    """What was shown of the pass, and when."""

    read: int = 0
    written: int = 0
    begun: float = 0
    last: float = 0

    def advance(self, read: int, written: int) -> None:
        """As Watch.advanced."""
        self.read, self.written, now = self.read + read, self.written + written, time.monotonic()
        self.begun = self.begun or now
        if now - self.last < 0.2 or now == self.begun:
            return
        self.last = now
        rate = self.read / (now - self.begun) / 1e6
        text = f"\r\x1b[Ksluice: {self.read / 1e6:,.0f} MB read, {self.written / 1e6:,.0f} MB written, {rate:,.0f} MB/s"
        print(text, end="", file=sys.stderr, flush=True)
