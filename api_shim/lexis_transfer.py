"""LEXIS's transfer interface: TUS uploads into a dataset, and a dataset or a part of it as one .tar.gz.

A dataset is a collection that LEXIS's layout names; whether the caller may read or write it is the zone's to say.
Both ways the bytes go between the caller and the zone as the caller; nothing is kept in between.
"""

from __future__ import annotations

import tarfile
import uuid
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Response, request
from irods.column import Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from api_shim import forwarding, tus_metadata
from api_shim.exchange import answer, parsed
from api_shim.service import Service, caller, service
from python_rules.jobs import model, paths
from python_rules.jobs.errors import JobError
from workers import uploads
from workers.rows import TRANSFER, UPLOAD, UPLOADED, Row

_BLOCK = 512  # of a tar, in bytes
_LEVEL = 1  # of gzip: a download waits for it
_MEMBERS = ("request_id", "created_at", "project", "filename", "task_state", "task_result", "transfer_type")


class File(NamedTuple):
    """A data object below what is downloaded: path, size in bytes, modify time in seconds since 1970."""

    path: str
    size: int
    modified: float


def add_to(blueprint: APIBlueprint) -> None:
    """The routes of transfers but for the upload's own, which is TUS."""
    blueprint.add_url_rule("/transfer/download", "transfer_ask", _ask, methods=["POST"])
    blueprint.add_url_rule("/transfer/download/<request_id>", "transfer_get", _download, methods=["GET"])
    blueprint.add_url_rule("/transfer/status", "transfer_list", _list, methods=["GET"])
    blueprint.add_url_rule("/transfer/status/<request_id>", "transfer_status", _status, methods=["GET"])


def upload_path(given: dict[str, str]) -> str:
    """Where an upload with LEXIS's metadata goes; its collection is made. Raises JobError."""
    dataset = tus_metadata.dataset_of(given, caller())
    name = tus_metadata.name_of(given)
    if not name:
        raise JobError("missing_field", "filename is missing", field="filename", remedy="give filename")
    path = tus_metadata.shown("/".join(filter(None, (dataset, given.get("path", "").strip("/"), name))))
    place = paths.split(path)[0]
    service().zone.work(caller(), lambda session: _make(session, place))
    return path


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
    path = _known(request_id, TRANSFER).content["path"]
    files = _files(service(), path)
    if not files:
        raise JobError("source_not_found", "there is nothing to download", field="path", remedy="list the dataset")
    name = paths.split(path)[1]
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.tar.gz"}
    return Response(_tar_gz(service(), caller(), path, files), headers=headers, content_type="application/gzip")


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
    state = "STARTED" if row.state == UPLOAD else "SUCCESS"
    kind = "download" if row.state == TRANSFER else "upload"
    name = paths.split(content["path"])[1]
    values = (row.job_id, content["submitted"], content.get("project", ""), name, state, content["path"], kind)
    return dict(zip(_MEMBERS, values, strict=True))


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


def _make(session: iRODSSession, place: str) -> None:
    if not session.collections.exists(place):
        session.collections.create(place, recurse=True)


def _body() -> dict[str, str]:
    given = parsed(request.get_data())
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise JobError("malformed_json", "the body is not a JSON object of texts")
    return given
