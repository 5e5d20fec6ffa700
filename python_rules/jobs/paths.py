"""Logical paths: what Sluice accepts as the name of a data object or collection."""

from __future__ import annotations

import re
from typing import Tuple

from python_rules.jobs.errors import RequestError

LONGEST_PATH = 1024  # bytes; iRODS refuses from 1,088, and a hidden sibling's name needs room
LONGEST_NAME = 240  # bytes of one component; a file system takes 255 and a suffix is added
SYSTEM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
HIDDEN_PREFIX = ".sluice-"


def checked(path: object, field: str) -> str:
    """The path without a trailing slash; raises RequestError ``bad_path`` that says what is wrong with it."""
    if not isinstance(path, str) or not path:
        raise RequestError(
            "missing_field", f"{field} is empty", field=field, remedy=f"give {field} as /zone/collection/name"
        )
    shown = ascii(path if len(path) <= 80 else path[:77] + "...")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in path):
        raise _bad(field, f"{shown} holds a control character (NUL, newline, tab, ...)", "rename the object first")
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise _bad(field, f"{shown} is not valid Unicode", "give the name in UTF-8") from None
    if not path.startswith("/"):
        raise _bad(field, f"{shown} is not an absolute logical path", "start with the zone: /zone/home/...")
    parts = path.rstrip("/").split("/")[1:]
    if "" in parts or not parts:
        raise _bad(field, f"{shown} has an empty component", "write single slashes between the names")
    if "." in parts or ".." in parts:
        raise _bad(field, f"{shown} has a component '.' or '..'", "write the full path without '.' and '..'")
    if size > LONGEST_PATH or any(len(part.encode("utf-8")) > LONGEST_NAME for part in parts):
        raise _bad(
            field, f"{shown} is too long", f"at most {LONGEST_PATH} bytes in all and {LONGEST_NAME} for one name"
        )
    return "/" + "/".join(parts)


def address(value: object, field: str) -> str:
    """A zone path, or ``name:path`` of a configured system, whose path is relative to the system's base."""
    name, path = system_of(value) if isinstance(value, str) else ("", "")
    if not name:
        return checked(value, field)
    return f"{name}:{checked('/zone/' + path.lstrip('/'), field)[6:]}" if path.strip("/") else f"{name}:"


def system_of(address: str) -> Tuple[str, str]:
    """System and path of an address; '' and the whole of it for a zone path."""
    name, colon, path = address.partition(":")
    return (name, path) if colon and SYSTEM_NAME.fullmatch(name) else ("", address)


def split(path: str) -> Tuple[str, str]:
    """The collection and the last name of a path."""
    collection, _, name = path.rpartition("/")
    return collection, name


def zone_of(path: str) -> str:
    """The zone that a logical path belongs to."""
    return path.split("/", 2)[1]


def is_within(path: str, collection: str) -> bool:
    """Whether ``path`` is the collection itself or lies anywhere below it."""
    return path == collection or path.startswith(collection.rstrip("/") + "/")


def is_root(path: str) -> bool:
    """Whether the path is a zone, one of its own collections, or somebody's home or trash."""
    parts = path.strip("/").split("/")
    if parts[1:2] == ["trash"]:
        del parts[1]
    return len(parts) <= 2 or (len(parts) == 3 and parts[1] == "home")


def is_hidden(path: str) -> bool:
    """Whether the path is one of the engine's own unpublished siblings, or in one."""
    return "/" + HIDDEN_PREFIX in path


def _bad(field: str, text: str, remedy: str) -> RequestError:
    return RequestError("bad_path", text, field=field, remedy=remedy)
