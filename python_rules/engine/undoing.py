"""What was half done is taken back when its block fails, for whatever reason, a signal among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def undone_by(undo: Callable[[], None]) -> Iterator[None]:
    """Call ``undo`` if the block fails; the error goes on."""
    with ExitStack() as failed:
        failed.callback(undo)
        yield
        failed.pop_all()
