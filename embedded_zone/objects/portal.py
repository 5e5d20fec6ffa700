"""Transfers above 32 MB as policies see them: what a real server does with threads and portal ports.

A real server moves the data in four threads, each with a file of its own; clients connect to portal ports for it.
Here the bytes come and go on the one connection and are copied by the kernel. Policies see the same: one
``acPre/PostProcForServerPortal`` for each thread, its open, seek and close, and no API hooks for the blocks.
Source: ``miscServerFunct.cpp`` of 5.0.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedded_zone.objects import hooks
from embedded_zone.objects import keywords as kw

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.objects.descriptors import Descriptor

PARALLEL_SIZE = 32 << 20  # maximum_size_for_single_buffer_in_megabytes
THREADS = 4  # default_number_of_transfer_threads
_SINGLE = (1, -1)  # what a client's numThreads says when it wants no threads


def begin(agent: Agent, entry: Descriptor) -> None:
    """Start a client's put or get, unless it asked for one thread: then its blocks are ordinary reads and writes."""
    if entry.request.threads in _SINGLE:
        return
    agent.scratch["portal"] = entry.number
    agent.scratch["portal_threads"] = THREADS
    for number in range(THREADS):
        _server_portal(agent, entry, "Pre")
        if number:
            hooks.signal(agent, "open", entry.replica, request=entry.request)
    for _ in range(1, THREADS):
        hooks.signal(agent, "lseek", entry.replica, 0, 0, request=entry.request)


def is_portal(agent: Agent, entry: Descriptor) -> bool:
    """Whether a descriptor's blocks are those of a portal transfer."""
    return bool(agent.scratch.get("portal") == entry.number)


def advance(agent: Agent, entry: Descriptor, done: int) -> None:
    """Tell how far a transfer is; at its end its threads end."""
    if done < entry.data_size or not is_portal(agent, entry):
        return
    for number in range(agent.scratch.pop("portal_threads", 0)):
        _server_portal(agent, entry, "Post")
        if number:
            hooks.signal(agent, "close", entry.replica, request=entry.request)
        if number == THREADS - 1 and entry.operation == kw.PUT_OPR:
            hooks.static(agent, "acPostProcForParallelTransferReceived", entry.replica.leaf, replica=entry.replica)


def end(agent: Agent) -> None:
    """The client has said that its transfer is over."""
    agent.scratch.pop("portal", None)
    agent.scratch.pop("portal_threads", None)


def _server_portal(agent: Agent, entry: Descriptor, phase: str) -> None:
    """The hook's arguments: operation, this server's address and port, the client's, the thread's bytes."""
    operation = "1" if entry.operation == kw.PUT_OPR else "2"
    share = str(entry.data_size // THREADS)
    here = agent.config.host, str(agent.config.zone_port)
    hooks.static(agent, f"ac{phase}ProcForServerPortal", operation, *here, agent.client_address, "0", share)


@contextmanager
def copying(agent: Agent, source: Descriptor, target: Descriptor, asked: int = 1) -> Iterator[None]:
    """Around a copy inside the server; a large one asks for threads (a replication twice), each opens both files."""
    if source.replica.size <= PARALLEL_SIZE:
        yield
        return
    for _ in range(asked):
        hooks.static(agent, "acSetNumThreads", replica=source.replica)
    for operation, args in (("open", ()), ("lseek", (0, 0))):
        _in_threads(agent, source, target, operation, *args)
    yield
    _in_threads(agent, source, target, "close")


def _in_threads(agent: Agent, source: Descriptor, target: Descriptor, operation: str, *args: int) -> None:
    for _ in range(1, THREADS):
        for entry in (source, target):
            hooks.signal(agent, operation, entry.replica, *args, request=entry.request)
