"""TUS 1.0 (https://tus.io): uploads in pieces, straight into the zone as the caller; ``workers.uploads`` keeps them.

Extensions: creation, creation-with-upload, creation-defer-length, checksum, expiration, termination, concatenation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import chain
from typing import IO, NoReturn

from apiflask import APIBlueprint
from flask import Response, request, url_for

from api_shim import forwarding, tus_metadata
from api_shim.problems import Problem
from api_shim.service import caller, require_caller, service
from python_rules.jobs import model
from python_rules.jobs.errors import JobError
from workers import chains, uploads
from workers.rows import UPLOADED, Row
from workers.zone import Busy

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation"
MEDIA_TYPE = "application/offset+octet-stream"
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
_LARGEST = 1 << 50
_BLOCK = 1 << 20

# From an upload's metadata and id to where it goes.
Where = Callable[[dict[str, str], str], tus_metadata.Destination]


def blueprint_at(name: str, prefix: str, where: Where) -> APIBlueprint:
    """The protocol under a prefix; ``where`` tells what an upload's metadata mean."""
    blueprint = APIBlueprint(name, __name__, url_prefix=prefix, enable_openapi=False)
    blueprint.before_request(_begin)
    blueprint.after_request(_with_version)
    blueprint.add_url_rule("/", "all", lambda: _all(where), methods=["POST", "OPTIONS"], strict_slashes=False)
    blueprint.add_url_rule("/<upload_id>", "one", _one, methods=["HEAD", "PATCH", "DELETE", "POST", "OPTIONS"])
    return blueprint


def _begin() -> None:
    if request.method == "OPTIONS":
        return
    request.max_content_length = service().settings.http.chunk_limit
    require_caller()
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem(
            "tus_version",
            "the version of TUS is not supported",
            remedy=f"Tus-Resumable: {VERSION}",
            headers={"Tus-Version": VERSION},
        )


def _with_version(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    return response


def _about() -> Response:
    told = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Checksum-Algorithm": ",".join(ALGORITHMS)}
    return Response(status=204, headers={**told, "Tus-Max-Size": str(_LARGEST)})


def _all(where: Where) -> Response:
    return _about() if request.method == "OPTIONS" else _create(where)


def _create(where: Where) -> Response:
    """201 with the upload's address; the body, if any, is its first piece."""
    concat = request.headers.get("Upload-Concat", "")
    given = tus_metadata.parsed(request.headers.get("Upload-Metadata", ""))
    partial = concat == "partial"
    parts = [_part(address) for address in concat[6:].split()] if concat.startswith("final;") else []
    if concat and not (partial or parts):
        _refuse("Upload-Concat is neither partial nor final;<addresses>")
    upload_id = str(uuid.uuid4())
    goes = tus_metadata.Destination(home(upload_id)) if partial else where(given, upload_id)
    content = {
        "user": caller(),
        "path": goes.path,
        "steps": goes.steps,
        "final": goes.final,
        "partial": partial,
        "length": sum(int(part.content["length"]) for part in parts) if parts else _length("Upload-Length"),
        "metadata": request.headers.get("Upload-Metadata", ""),
        "concat": concat,
        "sha256": uploads.as_checksum(given.get("sha256", "")),
        "submitted": forwarding.now(),
        "project": given.get("project", ""),
        "expires": time.time() + _keep_seconds(),
    }
    if content["length"] is None and request.headers.get("Upload-Defer-Length") != "1":
        _refuse("Upload-Length is missing")
    row = uploads.begin(service().zone, service().celery.rows, upload_id, content)
    row = _joined(row, parts) if parts else _first_piece(row)
    headers = {"Location": url_for(".one", upload_id=upload_id), **_expiry(row)}
    return Response(status=201, headers=headers | {"Upload-Offset": str(_offset(row))})


def _one(upload_id: str) -> Response:
    if request.method == "OPTIONS":
        return _about()
    method = request.headers.get("X-HTTP-Method-Override", request.method).upper()
    if method not in ("HEAD", "PATCH", "DELETE"):
        raise Problem("method_not_allowed", "POST is for the collection of uploads", remedy="PATCH a piece")
    row = _known(upload_id)
    if method == "DELETE":
        uploads.remove(service().zone, service().celery.rows, row)
        return Response(status=204)
    return _show(row) if method == "HEAD" else _patch(row)


def _show(row: Row) -> Response:
    content = row.content
    headers = {"Upload-Offset": str(_offset(row)), "Cache-Control": "no-store", **_expiry(row)}
    headers |= {"Upload-Metadata": content["metadata"]} if content["metadata"] else {}
    headers |= {"Upload-Concat": content["concat"]} if content["concat"] else {}
    length = {"Upload-Defer-Length": "1"} if content["length"] is None else {"Upload-Length": str(content["length"])}
    return Response(status=200, headers=headers | length)


def _patch(row: Row) -> Response:
    """204 with the new offset, once the piece is in the zone; the last piece publishes."""
    if request.mimetype != MEDIA_TYPE:
        raise Problem("unsupported_media_type", f"the body is not {MEDIA_TYPE}", remedy=f"send {MEDIA_TYPE}")
    if row.content["concat"].startswith("final"):
        raise Problem("method_not_allowed", "a final upload is made of others", remedy="PATCH those")
    length = _length("Upload-Length")
    if row.content["length"] is None and length is not None:
        row = row._replace(content={**row.content, "length": length})
    elif length not in (None, row.content["length"]):
        _refuse("Upload-Length has been given already, and differs")
    first = _number(request.headers.get("Upload-Offset", ""), "Upload-Offset")
    row = _piece(row, first)
    return Response(status=204, headers={"Upload-Offset": str(_offset(row)), **_expiry(row)})


def _first_piece(row: Row) -> Row:
    if request.mimetype == MEDIA_TYPE and request.content_length:
        return _piece(row, 0)
    return _published_if_whole(row, 0)


def _piece(row: Row, first: int) -> Row:
    """Write the body at an offset that must be the upload's own; publish if that was the last one."""
    if row.state == UPLOADED or _offset(row) != first:
        raise Problem("wrong_offset", "the upload is not at this offset", remedy="ask for it with HEAD")
    size = request.content_length
    if size is None:
        _refuse("Content-Length is missing")
    if row.content["length"] is not None and first + size > row.content["length"]:
        raise Problem("body_too_large", "more bytes than Upload-Length", remedy="send what is missing")
    with _checked() as body:
        try:
            row = uploads.append(service().zone, service().celery.rows, row, first, _blocks(body), _keep_seconds())
        except Busy:
            raise _busy() from None
    return _published_if_whole(row, first + size)


def _published_if_whole(row: Row, offset: int) -> Row:
    if row.content["length"] != offset:
        return row
    try:
        return _published(row)
    except JobError as error:
        if error.code != "verification_failed":
            raise
        uploads.remove(service().zone, service().celery.rows, row)
        raise Problem("checksum_mismatch", error.text, remedy=error.remedy) from None


def _published(row: Row) -> Row:
    """The object has its name, and what is to be done with it is owed, before the row says that it is whole."""
    return uploads.publish(service().zone, service().celery.rows, row, _begin_chain)


def _begin_chain(row: Row) -> None:
    if row.content.get("steps"):
        steps = [[model.from_json(step)] for step in row.content["steps"]]
        chain_id = uploads.chain_id(row.job_id)
        chains.begin(service().celery, chain_id, row.user, steps, row.content["submitted"])


def _joined(row: Row, parts: list[Row]) -> Row:
    """What the parts hold, one after the other; they go when the whole is published."""
    zone, rows = service().zone, service().celery.rows
    blocks = chain.from_iterable(zone.read(part.user, part.content["hidden"], block=4 * _BLOCK) for part in parts)
    row = uploads.append(zone, rows, row, 0, blocks, _keep_seconds())
    row = _published_if_whole(row, int(row.content["length"]))
    for part in parts:
        uploads.remove(zone, rows, part)
    return row


def _part(address: str) -> Row:
    row = _known(address.rstrip("/").rpartition("/")[2])
    if not row.content["partial"] or row.state != UPLOADED:
        _refuse("a part is no partial upload, or is not whole yet")
    return row


def _known(upload_id: str) -> Row:
    row = uploads.kept(service().celery.rows, upload_id, caller()) if model.is_job_id(upload_id) else None
    if row is None or (row.state != UPLOADED and row.content["expires"] < time.time()):
        raise Problem("upload_not_found", "there is no such upload of yours", remedy="begin it anew")
    return row


def _offset(row: Row) -> int:
    try:
        found = uploads.offset(service().zone, row)
    except Busy:
        raise _busy() from None
    if found is None:
        return _offset_of_published(row)
    return found


def _offset_of_published(row: Row) -> int:
    """The hidden object is gone: a kill came after it got its name, or somebody removed it."""
    try:
        return _offset(_published(row))
    except JobError:
        raise Problem("upload_not_found", "the upload's data are gone", remedy="begin it anew") from None


def _checked() -> IO[bytes]:
    """The body, which is looked at before any of it is written if a checksum came with it."""
    given = request.headers.get("Upload-Checksum", "")
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_BLOCK) if given else request.stream  # noqa: SIM115
    if not given:
        return spool
    algorithm, _, text = given.partition(" ")
    if algorithm not in ALGORITHMS:
        _refuse(f"Upload-Checksum: known are {', '.join(ALGORITHMS)}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for block in _blocks(request.stream):
        digest.update(block)
        spool.write(block)
    try:
        wanted = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        _refuse("Upload-Checksum is not base64")
    if not hmac.compare_digest(wanted, digest.digest()):
        raise Problem("checksum_mismatch", "the piece's checksum differs; none of it was kept", remedy="send it again")
    spool.seek(0)
    return spool


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block


def _length(header: str) -> int | None:
    return _number(request.headers[header], header) if header in request.headers else None


def _number(text: str, header: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17) or int(text) > _LARGEST:
        _refuse(f"{header} is not a number of bytes")
    return int(text)


def home(upload_id: str) -> str:
    """Where lies what has no place of its own yet: in the caller's home collection."""
    name, _, zone = caller().partition("#")
    own = service().zone.name
    return f"/{own}/home/{name if zone == own else caller()}/{upload_id}"


def _keep_seconds() -> float:
    return service().settings.http.upload_days * 86_400


def _expiry(row: Row) -> dict[str, str]:
    if row.state == UPLOADED:
        return {}
    return {"Upload-Expires": formatdate(row.content["expires"], usegmt=True)}


def _busy() -> Problem:
    return Problem("upload_busy", "a piece is being written", remedy="wait", headers={"Retry-After": "1"})


def _refuse(text: str) -> NoReturn:
    raise Problem("bad_request", text, remedy="see https://tus.io/protocols/resumable-upload")
