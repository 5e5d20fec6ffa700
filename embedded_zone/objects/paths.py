"""Logical paths: what the zone accepts, and how it takes them apart."""

from __future__ import annotations

from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

MAX_PATH_BYTES = 1088  # MAX_NAME_LEN, with the terminating NUL of the C structures


def split(path: str) -> tuple[str, str]:
    """The collection and the name: ``/z/home/a`` is ``/z/home`` and ``a``."""
    collection, _, name = path.rpartition("/")
    return collection or "/", name


def parent(path: str) -> str:
    return split(path)[0]


def zone_of(path: str) -> str:
    """The zone's name, '' for the root."""
    return path.lstrip("/").partition("/")[0]


def inside(path: str, collection: str) -> bool:
    """Whether ``path`` lies below ``collection``, at any depth."""
    return path.startswith(collection.rstrip("/") + "/")


def check(path: str) -> str:
    """The path itself, if it may name something; IrodsError for one that is relative, too long or treacherous.

    ``..`` and NUL are refused everywhere: the path becomes a file name in the vault.
    """
    if len(path.encode("utf-8", "surrogateescape")) >= MAX_PATH_BYTES:
        raise IrodsError(codes.USER_PACKSTRUCT_INPUT_ERR, "the path is too long")
    if not path.startswith("/"):
        raise IrodsError(codes.SYS_INVALID_FILE_PATH, "the path is not absolute")
    if "\0" in path or any(part in (".", "..") for part in path.split("/")):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "the path has a NUL, '.' or '..' in it")
    return path


def check_object(path: str) -> str:
    """As ``check``, and not ending in a slash."""
    if path.endswith("/"):
        raise IrodsError(codes.USER_INPUT_PATH_ERR, "a data object's path ends in a slash")
    return check(path)


def collection(path: str) -> str:
    """A collection's path without slashes at the end or doubled ones; checked."""
    return check("/" + "/".join(part for part in path.split("/") if part))
