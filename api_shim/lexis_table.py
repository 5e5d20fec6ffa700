"""LEXIS v0.2 as a table: its routes, what they require, and the texts that orchestrators compare literally.

A zone that cannot do an operation takes the request as LEXIS does, and the first poll tells that it failed; what
LEXIS answers at once is refused in LEXIS's own form of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from api_shim import lexis_data

# Where the same calls are found: the service itself, its internal gateway, the portal.
PREFIXES = {"service": "", "gateway": "/api/v0.1.1", "portal": "/api/v0.2/dataset"}

PENDING = "Task still in the queue, or task does not exist"
RUNNING = "In progress"
FAILED = "Task Failed, reason: "


class Job(NamedTuple):
    """A LEXIS operation that is a job of ours: our name for it, the text when done, the ending of its target's name."""

    ours: str
    done: str
    word: str = ""


JOBS: dict[str, Job] = {
    "encrypt": Job("encrypt", "Encryption completed", "encrypted"),
    "decrypt": Job("decrypt", "Decryption completed", "decrypted"),
    "compress": Job("compress", "Compression completed", "compressed"),
    "decompress": Job("decompress", "Decompression completed", "decompressed"),
    "compress_encrypt": Job("compress_encrypt", "Compression and Encryption completed", "compressed_encrypted"),
    "decrypt_decompress": Job("decrypt_decompress", "Decryption and Decompression completed", "decrypted_decompressed"),
    "stage": Job("stage", "Transfer completed"),
    "delete": Job("delete", "Data deleted"),
    "replicate": Job("replicate", "Replication completed"),
    "duplicate": Job("duplicate", "Duplication completed"),
}
CRYPTO = tuple(name for name, row in JOBS.items() if row.word)  # those below /encryption
DONE = {row.ours: row.done for row in JOBS.values()}
# What the shim looks up itself, as the user, when it is asked for; a poll hands it over.
LOOKS = {"data size": lexis_data.size, "pid assign": lexis_data.pid}
# Why a request that LEXIS takes fails here. Nothing is exported to a cloud, so no address is found that could be
# taken off the list: orchestrators count that ending as done.
FAILURES = {
    "zip": "this zone does not offer zip: transfer/download gives a dataset as one .tar.gz",
    "cloud add": "this zone does not offer exports to a cloud",
    "cloud remove": "IP not found",
}

# What else a request must hold, by what it holds: the systems that are collections of the zone, and the HPC systems.
Also = Callable[[dict[str, Any], Container[str], Container[str]], tuple[str, ...]]


class Route(NamedTuple):
    """A row of LEXIS's interface."""

    methods: tuple[str, ...]
    path: str
    kind: str  # what answers: a key of ``lexis._KINDS``
    operation: str = ""
    required: tuple[str, ...] = ()
    also: Also | None = None  # what else is required, by what was given
    words: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - members that take only these words
    open: bool = False  # without credentials


_SOURCE, _TARGET = ("source_system", "source_path"), ("target_system", "target_path")
_HEAPPE = ("task_id", "job_id", "heappe_url")
# Members that must be there, whatever they say: an orchestrator sends {} and 0 as well.
PRESENT = frozenset({*_HEAPPE, "metadata"})
_YES_NO: dict[str, tuple[str, ...]] = {"encryption": ("yes", "no"), "compression": ("yes", "no")}
_POST, _GET = ("POST",), ("GET",)


def _stage(given: dict[str, Any], zone: Container[str], hpc: Container[str]) -> tuple[str, ...]:
    """HEAppE's numbers for an HPC system; otherwise metadata for what comes into the zone."""
    if any(str(given.get(end)) in hpc for end in ("source_system", "target_system")):
        return _HEAPPE
    return ("metadata",) if str(given.get("target_system")) in zone else ()


def _delete(given: dict[str, Any], _: Container[str], hpc: Container[str]) -> tuple[str, ...]:
    return _HEAPPE if str(given.get("target_system")) in hpc else ()


def _crypto(operation: str) -> Route:
    project = ("project",) if "crypt" in operation else ()
    return Route(_POST, f"/encryption/{operation}", "job", operation, (*_SOURCE, *project))


def _cloud(action: str, method: str) -> Route:
    """Below /staging, because orchestrators put it behind their staging address; a POST names the IP address there."""
    kind = "unknown" if method == "POST" else "poll"
    return Route((method,), f"/staging/cloud/{action}/<request_id>", kind, f"cloud {action}")


ROUTES: tuple[Route, ...] = (
    *(_crypto(operation) for operation in CRYPTO),
    *(Route(_GET, f"/encryption/{operation}/<request_id>", "poll", operation) for operation in CRYPTO),
    Route(_POST, "/staging/stage", "job", "stage", (*_SOURCE, *_TARGET, "encryption", "compression"), _stage, _YES_NO),
    Route(_GET, "/staging/stage/<request_id>", "poll"),
    Route(("DELETE", "POST"), "/staging/delete", "job", "delete", _TARGET, _delete),
    Route(_GET, "/staging/delete/<request_id>", "poll"),
    Route(_GET, "/staging/info", "info", open=True),
    Route(_POST, "/staging/replicate", "job", "replicate", (*_SOURCE, "target_system")),
    Route(_GET, "/staging/replicate/<request_id>", "poll"),
    Route(_POST, "/staging/replication/status", "now", "replication status", _TARGET),
    Route(_POST, "/staging/pid/assign", "look up", "pid assign", _SOURCE),
    Route(_GET, "/staging/pid/<request_id>", "poll"),
    Route(_POST, "/staging/data/size", "look up", "data size", _TARGET),
    Route(_GET, "/staging/data/size/<request_id>", "poll"),
    Route(_POST, "/staging/data/flags", "now", "data flags", _TARGET),
    Route(_POST, "/staging/duplicate", "job", "duplicate", _SOURCE),
    Route(_GET, "/staging/duplicate/<request_id>", "poll"),
    Route(_POST, "/staging/download", "download", "", _SOURCE),
    Route(_POST, "/compress/zip", "unknown", "zip", (*_SOURCE, "size")),
    Route(_GET, "/compress/zip/<request_id>", "poll"),
    *(_cloud(action, method) for action in ("add", "remove") for method in ("POST", "GET")),
    Route(_POST, "/ssh/sshfsexport", "refuse", "sshfs export", ("host", "pubkey", "path")),
    Route(("DELETE",), "/ssh/sshfsexport", "refuse", "sshfs export", ("user", "path")),
)


def paths(route: Route, prefix: str) -> list[str]:
    """Where a route lies under a prefix; the portal leaves ``staging`` out of its own paths, and takes both.

    The export to a cloud is found without it everywhere.
    """
    short = route.path.removeprefix("/staging")
    both = short != route.path and (prefix == "portal" or short.startswith("/cloud/"))
    return [route.path, short] if both else [route.path]
