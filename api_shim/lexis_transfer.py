"""LEXIS's transfer interface: TUS uploads into a dataset, and a dataset or a part of it as one .tar.gz.

A dataset is a collection that LEXIS's layout names; whether the caller may read or write it is the zone's to say.
Both ways the bytes go between the caller and the zone as the caller; nothing is kept in between. What is to be
unpacked or encrypted first lies in the caller's home, and goes from there to the dataset by a chain of jobs.
"""

from __future__ import annotations

import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import Response, request
from irods.column import Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from api_shim import forwarding, lexis_metadata, tus, tus_metadata
from api_shim.exchange import answer, parsed
from api_shim.service import Service, caller, service
from api_shim.tus_metadata import Destination
from python_rules.jobs import methods, model, paths, states
from python_rules.jobs.errors import JobError
from workers import chains, describing, uploads
from workers.rows import TRANSFER, UPLOAD, UPLOADED, Row

_BLOCK = 512  # of a tar, in bytes
_LEVEL = 1  # of gzip: a download waits for it
_UPLOAD = ("zone", "access", "project", "path", "metadata", "encryption", "expand", "filename")
_MEMBERS = ("request_id", "created_at", "project", "filename", "task_state", "task_result", "transfer_type")


class Rule(NamedTuple):
    """A route, and what answers it."""

    method: str
    path: str
    view: Callable[..., Response]


class File(NamedTuple):
    """A data object below what is downloaded: path, size in bytes, modify time in seconds since 1970."""

    path: str
    size: int
    modified: float


def destination(given: dict[str, str], upload_id: str) -> Destination:
    """Where an upload with LEXIS's metadata goes; the collections on its way are made. Raises JobError."""
    for name in _UPLOAD:
        if name not in given:
            raise JobError("missing_field", f"{name} is missing", field=name, remedy=f"give {name}")
    flags = {name: _flag(given, name) for name in ("encryption", "expand")}
    described = _described(given["metadata"])
    dataset = tus_metadata.dataset_of(given, caller())
    place = tus_metadata.shown("/".join(filter(None, (dataset, given["path"].strip("/")))))
    final = place if flags["expand"] else tus_metadata.shown(f"{place}/{name_of(given)}")
    user = caller()

    def prepare(session: iRODSSession) -> None:
        make(session, place)
        describing.write(session, dataset, lexis_metadata.avus(described))

    service().zone.work(user, prepare)
    return _staged(given, upload_id, flags, final) if any(flags.values()) else Destination(final)


def portal_destination(given: dict[str, str], upload_id: str) -> Destination:
    """Of the portal's older uploads, which come before their dataset: in the caller's home until POST /dataset."""
    for name in ("project", "access"):
        if not given.get(name):
            raise JobError("missing_field", f"{name} is missing", field=name, remedy=f"give {name}")
    place = tus.home(upload_id)
    service().zone.work(caller(), lambda session: make(session, place))
    return Destination(tus_metadata.shown(f"{place}/{name_of(given)}"))


def name_of(given: dict[str, str]) -> str:
    """The file's own name; raises JobError if there is none."""
    name = tus_metadata.name_of(given)
    if not name:
        raise JobError("missing_field", "filename is missing", field="filename", remedy="give filename")
    return name


def _staged(given: dict[str, str], upload_id: str, flags: dict[str, bool], final: str) -> Destination:
    """First into the caller's home: unpacked there, and moved into the dataset, encrypted on the way."""
    unpacked = tus.home(upload_id)
    path = tus_metadata.shown(f"{unpacked}-{name_of(given)}")
    unpack: dict[str, Any] = {
        "operation": methods.DECOMPRESS,
        "source": path,
        "target": unpacked,
        "pack": True,
        "original": "remove",
    }
    into: dict[str, Any] = {
        "operation": methods.STAGE,
        "source": unpacked if flags["expand"] else path,
        "target": final,
    }
    # As a tar does that is unpacked: what has the same name there is replaced.
    into |= {"original": "remove", "existing": "replace" if flags["expand"] else "refuse"}
    key = service().settings.lexis.key.replace("{project}", given["project"])
    seal: dict[str, Any] = {"key": key, "encryption": "aes256-gcm", "suffix": False} if flags["encryption"] else {}
    steps = [*([unpack] if flags["expand"] else []), {**into, **seal}]
    for step in steps:
        model.from_json(step)  # what is wrong with it is told before anything is sent
    return Destination(path, tuple(steps), final)


def _flag(given: dict[str, str], name: str) -> bool:
    if given[name] not in ("yes", "no"):
        raise JobError("bad_value", "neither yes nor no", field=name, remedy="give yes or no")
    return given[name] == "yes"


def _described(text: str) -> dict[str, Any]:
    """The checked metadata of a dataset in JSON; none is an empty object."""
    described = parsed(text.encode())
    if not isinstance(described, dict):
        raise JobError("bad_value", "metadata is not a JSON object", field="metadata", remedy="give {}")
    lexis_metadata.check(described)
    return described


def _ask() -> Response:
    """200 with the id under which the data can be fetched; LEXIS spells it differently here."""
    given = _body()
    base = tus_metadata.dataset_of(given, caller()) if given.get("dataset_id") else ""
    if not base:
        raise JobError("missing_field", "dataset_id is missing", field="dataset_id", remedy="give dataset_id")
    path = tus_metadata.shown("/".join(filter(None, (base, given.get("path", "").strip("/")))))
    if not _files(service(), path):
        raise JobError("source_not_found", "there is nothing to download", field="path", remedy="list the dataset")
    request_id = str(uuid.uuid4())
    content = {"user": caller(), "path": path, "project": given["project"], "submitted": forwarding.now()}
    service().celery.rows.keep(request_id, content, TRANSFER)
    return answer({"requestId": request_id})


def _download(request_id: str) -> Response:
    """The data as one .tar.gz, made while it is read."""
    return _packed(_known(request_id, TRANSFER).content["path"], "application/gzip")


def stream(path: str) -> Response:
    """What is stored at a path as one stream of bytes: a data object as it is, a collection as a .tar.gz."""
    files = _files(service(), path)
    if [file.path for file in files] != [path]:
        return _packed(path, "application/octet-stream")
    headers = {"Content-Length": str(files[0].size), "Content-Disposition": _attachment(paths.split(path)[1])}
    blocks = service().zone.read(caller(), path, block=4 << 20)
    return Response(blocks, headers=headers, content_type="application/octet-stream")


def _packed(path: str, content_type: str) -> Response:
    files = _files(service(), path)
    if not files:
        raise JobError("source_not_found", "there is nothing to download", field="path", remedy="list the dataset")
    headers = {"Content-Disposition": _attachment(f"{paths.split(path)[1]}.tar.gz")}
    return Response(_tar_gz(service(), caller(), path, files), headers=headers, content_type=content_type)


def _attachment(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _list() -> Response:
    """The caller's transfers of the last days, the newest first."""
    rows = [row for state in (TRANSFER, UPLOAD, UPLOADED) for row in service().celery.rows.in_state(state)]
    shown = [_shown(row) for row in rows if row.user == caller()]
    return answer(sorted(shown, key=lambda one: one["created_at"], reverse=True))


def _status(request_id: str) -> Response:
    return answer(_shown(_known(request_id, TRANSFER, UPLOAD, UPLOADED)))


def _known(request_id: str, *kinds: str) -> Row:
    row = service().celery.rows.find(request_id) if model.is_job_id(request_id) else None
    if row is None or row.user != caller() or row.state not in kinds:
        raise JobError("job_not_found", "there is no such transfer of yours", field="request_id")
    return row


def _shown(row: Row) -> dict[str, Any]:
    """A transfer in LEXIS's words, Celery's states among them."""
    content = row.content
    state, result = _state(row)
    kind = "download" if row.state == TRANSFER else "upload"
    name = paths.split(content["path"])[1].removeprefix(f"{row.job_id}-")
    values = (row.job_id, content["submitted"], content.get("project", ""), name, state, result, kind)
    return dict(zip(_MEMBERS, values, strict=True))


def _state(row: Row) -> tuple[str, str]:
    """How far a transfer is, and its path; why it failed, for one whose chain of jobs did."""
    path = row.content.get("final") or row.content["path"]
    if row.state == UPLOAD:
        return "STARTED", path
    chain = service().celery.rows.find(uploads.chain_id(row.job_id)) if row.content.get("steps") else None
    if chain is None or chain.content["state"] == states.SUCCEEDED:
        return "SUCCESS", path
    if chain.content["state"] == states.RUNNING:
        return "STARTED", path
    jobs = [job for step in chains.shown(service().celery, chain)["steps"] for job in step["jobs"]]
    errors = [job["error"]["text"] for job in jobs if job["error"]]
    return "FAILURE", errors[0] if errors else str(chain.content["state"])


def _files(shared: Service, path: str) -> list[File]:
    """Every data object at or below a path that the caller can read whole."""
    return shared.zone.work(caller(), lambda session: sorted(set(_found(session, path))))


def _found(session: iRODSSession, path: str) -> Iterator[File]:
    single = uploads.look(session, path)
    if single and uploads.is_good(single):
        yield File(path, single.size, single.modified)
        return
    columns = (Collection.name, DataObject.name, DataObject.size, DataObject.modify_time)
    for place in (Collection.name == path, Like(Collection.name, f"{path}/%")):
        for row in session.query(*columns).filter(place, DataObject.replica_status == "1"):
            found = f"{row[Collection.name]}/{row[DataObject.name]}"
            if paths.is_within(found, path) and not paths.is_hidden(found):
                yield File(found, int(row[DataObject.size]), row[DataObject.modify_time].timestamp())


def _tar_gz(shared: Service, user: str, path: str, files: list[File]) -> Iterator[bytes]:
    """A gzip of a pax tar, piece by piece; an object that is shorter than it was ends the answer before its end."""
    packed = zlib.compressobj(_LEVEL, wbits=31)
    above = paths.split(path)[0]
    for file in files:
        info = tarfile.TarInfo(file.path.removeprefix(f"{above}/"))
        info.size, info.mtime, info.mode = file.size, int(file.modified), 0o644
        yield packed.compress(info.tobuf(tarfile.PAX_FORMAT))
        left = file.size
        for block in shared.zone.read(user, file.path, 0, file.size):
            left -= len(block)
            yield packed.compress(block)
        if left:
            raise JobError("source_changed", "a data object changed while it was read", object_path=file.path)
        yield packed.compress(bytes(-file.size % _BLOCK))
    yield packed.compress(bytes(2 * _BLOCK)) + packed.flush()


def make(session: iRODSSession, place: str) -> None:
    """Make a collection, and those above it, unless it is there."""
    if not session.collections.exists(place):
        session.collections.create(place, recurse=True)


def _body() -> dict[str, str]:
    given = parsed(request.get_data())
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise JobError("malformed_json", "the body is not a JSON object of texts")
    return given


# The routes of transfers but for the uploads' own, which are TUS.
RULES = (
    Rule("POST", "/transfer/download", _ask),
    Rule("GET", "/transfer/download/<request_id>", _download),
    Rule("GET", "/transfer/status", _list),
    Rule("GET", "/transfer/status/<request_id>", _status),
)
