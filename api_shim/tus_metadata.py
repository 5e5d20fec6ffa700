"""What an upload's metadata say: the header Upload-Metadata, and the path that it means."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from typing import Any, NamedTuple

from python_rules.jobs import paths
from python_rules.jobs.errors import JobError, RequestError

ACCESS = ("public", "project", "user")


class Destination(NamedTuple):
    """Where an upload goes, and the chain of jobs that does the rest once it is whole and ends at ``final``."""

    path: str
    steps: tuple[dict[str, Any], ...] = ()
    final: str = ""


def parsed(header: str) -> dict[str, str]:
    """The members of an Upload-Metadata header; raises RequestError."""
    given: dict[str, str] = {}
    for entry in filter(None, map(str.strip, header.split(","))):
        name, _, value = entry.partition(" ")
        try:
            given[name] = base64.b64decode(value, validate=True).decode("utf-8")
        except (ValueError, binascii.Error):
            remedy = "write each value in base64 of UTF-8"
            raise RequestError(
                "bad_value", f"metadata {name!a} cannot be read", field=name[:64], remedy=remedy
            ) from None
    return given


def destination(given: dict[str, str], _: str) -> Destination:
    """The logical path in ``path``, or in ``collection`` and ``filename``; raises RequestError."""
    path = given.get("path", "")
    if not path and "collection" in given:
        path = f"{given['collection'].rstrip('/')}/{name_of(given)}"
    return Destination(shown(path))


def dataset_of(given: dict[str, str], user: str) -> str:
    """The collection of a LEXIS dataset, as LEXIS lays them out; raises JobError that names what is missing."""
    for name in ("zone", "access", "project"):
        if not given.get(name):
            raise JobError("missing_field", f"{name} is missing", field=name, remedy=f"give {name}")
    access, zone = given["access"], given["zone"]
    if access not in ACCESS:
        remedy = f"one of {', '.join(ACCESS)}"
        raise JobError("bad_value", "unknown access", field="access", remedy=remedy)
    project = "proj" + hashlib.md5(given["project"].encode(), usedforsecurity=False).hexdigest()
    own = f"{user.partition('#')[0]}/" if access == "user" else ""
    return f"/{zone}/{access}/{project}/{own}{given.get('dataset_id') or uuid.uuid4()}"


def name_of(given: dict[str, str]) -> str:
    """The file's own name, without any folder that a client put before it."""
    return given.get("filename", "").rpartition("/")[2]


def shown(path: str) -> str:
    """The path, checked; what is hidden is ours alone."""
    path = paths.checked(path, "path")
    if paths.is_hidden(path):
        raise RequestError("bad_path", "this name is the service's own", field="path", remedy="name another one")
    return path
