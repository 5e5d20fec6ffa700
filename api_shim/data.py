"""Downloads: the bytes that a data object holds, whole or a range of them, as the caller.

They are not decoded: no key ever comes near the shim (see docs/decisions). ``sluice open`` decodes where they arrive.
"""

from __future__ import annotations

from collections.abc import Iterator

from apiflask import APIBlueprint
from flask import Response, request
from werkzeug.http import http_date, is_resource_modified, parse_range_header

from api_shim.problems import Problem
from api_shim.service import caller, require_caller, service
from python_rules.jobs import paths
from python_rules.jobs.errors import JobError
from workers import uploads
from workers.uploads import Found

blueprint = APIBlueprint("data", __name__, url_prefix="/api/v1", tag="data")
blueprint.before_request(require_caller)
_BLOCK = 4 << 20


@blueprint.get("/data/<path:path>")
@blueprint.doc(operation_id="getData")
def get(path: str) -> Response:
    """Read a data object, or one range of its bytes."""
    path = paths.checked(f"/{path}", "path")
    found = service().zone.work(caller(), lambda session: uploads.look(session, path))
    if found is None:
        raise JobError("source_not_found", "there is no such data object", field="path", remedy="look with ils")
    if not uploads.is_good(found):
        raise JobError("source_changed", "it is being written, or broken", field="path", remedy="see ils -l")
    tag = _tag(found)
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "Last-Modified": http_date(found.modified)}
    if not is_resource_modified(request.environ, etag=tag, last_modified=None):
        return Response(status=304, headers=headers)
    first, last, status = _wanted(found, tag)
    headers["Content-Length"] = str(last - first)
    if status == 206:
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{found.size}"
    body = () if request.method == "HEAD" else _body(path, first, last - first)
    return Response(body, status, headers, content_type="application/octet-stream")


def _body(path: str, first: int, length: int) -> Iterator[bytes]:
    blocks = service().zone.read(caller(), path, first, length, _BLOCK)
    begun = next(blocks, b"")  # now: what goes wrong is still an answer of its own
    return _rest(begun, blocks)


def _rest(begun: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield begun
    yield from blocks


def _tag(found: Found) -> str:
    """Strong where the zone knows a checksum."""
    return f'"{found.checksum}"' if found.checksum else f'W/"{found.size}-{found.modified:.0f}"'


def _wanted(found: Found, tag: str) -> tuple[int, int, int]:
    """First byte, end and status; several ranges are answered with the whole, as HTTP allows."""
    condition = request.headers.get("If-Range", "")
    given = parse_range_header(request.headers.get("Range")) if condition in ("", tag) else None
    if given is None or given.units != "bytes" or len(given.ranges) != 1:
        return 0, found.size, 200
    span = given.range_for_length(found.size)
    if span is None:
        raise Problem(
            "range_not_satisfiable",
            "the object ends before this range",
            remedy=f"it has {found.size} bytes",
            headers={"Content-Range": f"bytes */{found.size}"},
        )
    return span[0], span[1], 206
