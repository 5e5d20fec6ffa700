"""Copying data objects within the zone. Source: ``rsDataObjCopy.cpp`` of 5.0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import closing, collections, hooks, lookup, opening, paths, portal, transferring
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.descriptors import Descriptor
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def copy(agent: Agent, source: Request, target: Request) -> int:
    """Copy a data object; the bytes. Metadata and rights are not copied. API 696.

    Raises USER_INPUT_PATH_ERR (no such source), OVERWRITE_WITHOUT_FORCE_FLAG, HIERARCHY_ERROR (overwriting on a
    resource that has no replica), CAT_NO_ACCESS_PERMISSION.
    """
    if not source.path.startswith("/") or not target.path.startswith("/"):
        raise IrodsError(codes.USER_INPUT_PATH_ERR, "a path is not absolute")
    paths.check_object(source.path)
    paths.check_object(target.path)
    if source.path == target.path or not lookup.visible_object(agent, source.path):
        raise IrodsError(codes.USER_INPUT_PATH_ERR, f"{source.path} is no data object, or the target itself")
    _check_overwrite(agent, target)
    return copy_content(agent, source, target)


def _check_overwrite(agent: Agent, target: Request) -> None:
    existing = lookup.visible_object(agent, target.path)
    if not existing:
        return
    if not target.has(kw.FORCE):
        raise IrodsError(codes.OVERWRITE_WITHOUT_FORCE_FLAG, f"{target.path} exists")
    named = target.get(kw.DEST_RESC_NAME)
    if named and all(replica.root != named for replica in existing):
        raise IrodsError(codes.HIERARCHY_ERROR, f"{named} holds no replica of {target.path}")


def copy_content(agent: Agent, source: Request, target: Request) -> int:
    """Open both, copy, close both (the target first)."""
    source.operation, source.flags = kw.COPY_SRC, 0
    reading = agent.descriptors.lookup(opening.open_object(agent, source))
    try:
        writing = _open_target(agent, reading, target)
    except IrodsError:
        closing.close(agent, reading.number)
        raise
    return _copy_and_close(agent, reading, writing)


def _open_target(agent: Agent, reading: Descriptor, target: Request) -> Descriptor:
    target.operation, target.flags = kw.COPY_DEST, kw.O_CREAT | kw.O_WRONLY | kw.O_TRUNC
    target.size = reading.replica.size
    target.keywords.setdefault(kw.DATA_TYPE, reading.replica.type_name)
    try:
        number = opening.open_object(agent, target)
    except IrodsError as error:
        if error.code != codes.CAT_UNKNOWN_COLLECTION:
            raise
        collections.make_missing(agent, paths.parent(target.path), "/")
        number = opening.open_object(agent, target)
    entry = agent.descriptors.lookup(number)
    entry.operation, entry.data_size = kw.COPY_DEST, reading.replica.size
    return entry


def _copy_and_close(agent: Agent, reading: Descriptor, writing: Descriptor) -> int:
    failed: IrodsError | None = None
    try:
        with portal.copying(agent, reading, writing):
            count = transferring.copy_all(agent, reading, writing)
        hooks.static(agent, "acPostProcForDataCopyReceived", writing.replica.leaf, replica=writing.replica)
    except IrodsError as error:
        failed, writing.status, count = error, error.code, 0
    try:
        closing.close(agent, writing.number, bytes_written=count)
    finally:
        closing.close(agent, reading.number)
    if failed is not None:
        raise failed
    return count
