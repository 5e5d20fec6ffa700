"""LEXIS's dataset interface: make a dataset, put a file into it, list it, search for it, delete it.

Whether the caller may do so is the zone's to say; a dataset that he may not see does not exist.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable
from typing import Any

from flask import Response, request, url_for
from irods.column import Like
from irods.models import Collection, CollectionMeta, DataObject
from irods.session import iRODSSession

from api_shim import forwarding, lexis_metadata, lexis_transfer, tus_metadata
from api_shim.exchange import answer, parsed
from api_shim.lexis_transfer import Rule
from api_shim.service import caller, service
from python_rules.jobs import methods, model, paths
from python_rules.jobs.errors import JobError
from workers import describing, uploads
from workers.rows import UPLOADED, Row

_PUSHES = ("empty", "directupload", "tus")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# enc and comp of a request, and the operation that they ask for.
_OPERATIONS = {
    ("yes", "no"): methods.ENCRYPT,
    ("no", "yes"): methods.COMPRESS,
    ("yes", "yes"): "compress_encrypt",
}


def rules(at: str) -> list[Rule]:
    """The routes of datasets below ``at``."""
    return [
        Rule("POST", at, _make),
        Rule("DELETE", at, _delete),
        Rule("POST", f"{at}/search/metadata", _search),
        Rule("POST", f"{at}/listing", _list_dataset),
    ]


def _make() -> Response:
    """201 with the new dataset's id, or 200 for what was put into one that is there."""
    given = _body("push_method", "access", "project")
    if given["push_method"] not in _PUSHES:
        raise _bad("push_method", "push_method not allowed")
    if given.get("compress_method", "file") != "file":
        raise _bad("compress_method", "this zone unpacks no zip; send a .tar.gz to transfer/upload with expand")
    if given.get("path") and not given.get("internalID"):
        raise _bad("path", "Path provided for new dataset")
    lexis_metadata.check(given.get("metadata"))
    known = str(given.get("internalID") or "")
    dataset_id = known or str(uuid.uuid4())
    dataset = _dataset(given, dataset_id)
    place = tus_metadata.shown("/".join(filter(None, (dataset, str(given.get("path") or "").strip("/")))))
    named = [*_own_avus(given), *lexis_metadata.avus(given.get("metadata") or {})]

    def prepare(session: iRODSSession) -> None:
        if known and not session.collections.exists(dataset):
            raise _bad("internalID", f"Dataset ID: {known} does not exist in the DDI.")
        lexis_transfer.make(session, place)
        if not known or given.get("metadata"):
            describing.write(session, dataset, named)

    service().zone.work(caller(), prepare)
    more = _filled(given, place) if given["push_method"] != "empty" else {}
    status = 200 if known else 201
    return answer({"status": str(status), "internalID": dataset_id, **more}, status)


def _filled(given: dict[str, Any], place: str) -> dict[str, Any]:
    """Put the file where it belongs, and have it encoded as asked; the job that does so, if any."""
    path = tus_metadata.shown(f"{place}/{lexis_transfer.name_of({'filename': _text(given, 'name')})}")
    if given["push_method"] == "tus":
        _moved(_uploaded(given), path)
    else:
        service().zone.work(caller(), lambda session: _write(session, path, _decoded(given)))
    flags = tuple(str(given.get(name) or "no") for name in ("enc", "comp"))
    if flags not in _OPERATIONS:
        return {}
    values = {"operation": _OPERATIONS[flags], "source": path, "original": "remove"}
    if given.get("enc") == "yes":
        values["key"] = service().settings.lexis.key.replace("{project}", given["project"])
    done = forwarding.submit(service(), caller(), model.from_json(values), 0)
    return {"links": {"job": url_for("jobs.get_job", job_id=done.job_id)}}


def _delete() -> Response:
    """201 and a request as any deletion's; 204 for what is not there."""
    given = _body("internalID", "access", "project")
    dataset = _dataset(given, given["internalID"])
    path = tus_metadata.shown("/".join(filter(None, (dataset, str(given.get("path") or "").strip("/")))))
    if not service().zone.work(caller(), lambda session: _exists(session, path)):
        return Response(status=204)
    asked = model.from_json({"operation": methods.DELETE, "source": path})
    done = forwarding.submit(service(), caller(), asked, 0)
    text = "Request queued on staging api"
    return answer({"errorString": text, "stagingAPI": "/staging/delete", "request_id": done.job_id}, 201)


def _list_dataset() -> Response:
    """200 with the tree of a dataset: name, type, size, create_time, checksum, contents."""
    given = _body("internalID", "access", "project")
    dataset = _dataset(given, given["internalID"])
    path = tus_metadata.shown("/".join(filter(None, (dataset, str(given.get("path") or "").strip("/")))))
    deep = given.get("recursive", True) is not False
    tree = service().zone.work(caller(), lambda session: _tree(session, path, deep))
    if tree is None:
        raise JobError("source_not_found", "Dataset does not exist", field="internalID", remedy="search for it")
    return answer(tree)


def _search() -> Response:
    """200 with every dataset whose metadata hold what is asked for; a text is looked for in any case of letters."""
    wanted = parsed(request.get_data())
    if not isinstance(wanted, dict):
        raise JobError("malformed_json", "the body is not a JSON object")
    zone = str(wanted.pop("zone", "") or service().zone.name)
    tus_metadata.shown(f"/{zone}/public")
    user = caller()
    found = service().zone.work(user, lambda session: _datasets(session, zone, user))
    return answer([_shown(one) for one in found if _fits(one, wanted)])


def _datasets(session: iRODSSession, zone: str, user: str) -> list[dict[str, Any]]:
    """Every dataset that the user sees in LEXIS's layout, with its metadata."""
    told: dict[str, dict[str, list[str]]] = {}
    for row in _below(session, zone, Collection.name, CollectionMeta.name, CollectionMeta.value):
        values = told.setdefault(row[Collection.name], {})
        values.setdefault(row[CollectionMeta.name], []).append(row[CollectionMeta.value])
    found = []
    for row in _below(session, zone, Collection.name, Collection.create_time):
        _, _, access, project, *rest = row[Collection.name].split("/")
        if len(rest) != (2 if access == "user" else 1) or (access == "user" and rest[0] != user.partition("#")[0]):
            continue
        avus = told.get(row[Collection.name], {})
        short = told.get(f"/{zone}/{access}/{project}", {}).get("ShortProject", avus.get("project", [""]))[0]
        location = {"internalID": rest[-1], "access": access, "project": short, "zone": zone}
        found.append({"location": location, "avus": avus, "created": row[Collection.create_time].strftime(_TIME)})
    return found


def _below(session: iRODSSession, zone: str, *columns: Any) -> Iterable[dict[Any, Any]]:
    for access in tus_metadata.ACCESS:
        yield from session.query(*columns).filter(Like(Collection.name, f"/{zone}/{access}/proj%"))


def _fits(one: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a dataset holds all that is asked for."""
    return all(_holds(one, name, value) for name, value in wanted.items() if value not in (None, "", []))


def _holds(one: dict[str, Any], name: str, value: Any) -> bool:
    if name in ("access", "project"):
        return bool(one["location"][name] == value)
    if name == "internalID":
        return str(value).lower() in one["location"][name].lower()
    told = [text.lower() for text in one["avus"].get(name, ())]
    asked = [value] if name != "AlternateIdentifier" and not isinstance(value, list) else value
    texts = [part for entry in asked for part in (entry if isinstance(entry, list) else [entry])]
    return all(any(str(text).lower() in known for known in told) for text in texts)


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    avus = one["avus"]
    metadata = {**lexis_metadata.shown(avus), "CreationDate": one["created"]}
    eudat, flags = ({name: avus[name][0] for name in names if name in avus} for names in _OTHERS)
    return {"location": one["location"], "metadata": metadata, "eudat": eudat, "flags": flags}


_OTHERS = (lexis_metadata.EUDAT, lexis_metadata.FLAGS)


def _tree(session: iRODSSession, path: str, deep: bool) -> dict[str, Any] | None:
    """A collection as LEXIS lists it, all of it by two queries; None if it does not exist."""
    made = {
        row[Collection.name]: row[Collection.create_time].isoformat()
        for place in (Collection.name == path, Like(Collection.name, f"{path}/%"))
        for row in session.query(Collection.name, Collection.create_time).filter(place)
    }
    if path not in made:
        return None
    nodes: dict[str, dict[str, Any]] = {}
    for name in sorted(made):
        if paths.is_within(name, path) and not paths.is_hidden(name):
            above, own = paths.split(name)
            nodes[name] = {"name": own, "type": "directory", "create_time": made[name], "contents": []}
            if name != path:
                nodes[above]["contents"].append(nodes[name])
    for place, file in _files(session, path).items():
        above = paths.split(place)[0]
        if above in nodes and not paths.is_hidden(place):
            nodes[above]["contents"].append(file)
    return nodes[path] if deep else _flat(nodes[path])


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    """Without what is in the directories below."""
    contents = [{key: value for key, value in entry.items() if key != "contents"} for entry in node["contents"]]
    return {**node, "contents": contents}


def _files(session: iRODSSession, path: str) -> dict[str, dict[str, Any]]:
    columns = (Collection.name, DataObject.name, DataObject.size, DataObject.checksum, DataObject.create_time)
    found = {}
    for place in (Collection.name == path, Like(Collection.name, f"{path}/%")):
        for row in session.query(*columns).filter(place):
            at = row[DataObject.create_time].isoformat()
            file = {"name": row[DataObject.name], "type": "file", "size": int(row[DataObject.size])}
            file |= {"create_time": at, "checksum": row[DataObject.checksum]}
            found[f"{row[Collection.name]}/{row[DataObject.name]}"] = file
    return found


def _uploaded(given: dict[str, Any]) -> Row:
    """The caller's finished upload of that name, the newest."""
    own = [row for row in service().celery.rows.in_state(UPLOADED) if row.user == caller()]
    named = [row for row in own if paths.split(row.content["path"])[1] == given.get("name")]
    waiting = [row for row in named if row.content["path"].rpartition("/")[0].endswith(row.job_id)]
    if not waiting:
        raise _bad("name", "TUS upload not found")
    return max(waiting, key=lambda row: str(row.content["submitted"]))


def _moved(row: Row, path: str) -> None:
    """From the caller's home into the dataset; the upload is then where it was to go."""

    def move(session: iRODSSession) -> None:
        uploads.refuse_existing(session, path)
        session.data_objects.move(row.content["path"], path)
        session.collections.remove(paths.split(row.content["path"])[0], recurse=True, force=True)

    service().zone.work(caller(), move)
    service().celery.rows.keep(row.job_id, {**row.content, "path": path}, UPLOADED)


def _write(session: iRODSSession, path: str, content: bytes) -> None:
    uploads.refuse_existing(session, path)
    with session.data_objects.open(path, "w") as stream:
        stream.write(content)


def _exists(session: iRODSSession, path: str) -> bool:
    return bool(session.collections.exists(path) or session.data_objects.exists(path))


def _dataset(given: dict[str, Any], dataset_id: str) -> str:
    named = {name: _text(given, name) for name in ("access", "project")}
    zone = str(given.get("zone") or service().zone.name)
    return tus_metadata.shown(tus_metadata.dataset_of({**named, "zone": zone, "dataset_id": dataset_id}, caller()))


def _own_avus(given: dict[str, Any]) -> list[tuple[str, str]]:
    """What LEXIS writes on every dataset."""
    flags = [(name, str(given.get(short) or "no")) for name, short in (("encryption", "enc"), ("compression", "comp"))]
    user = caller().partition("#")[0]
    return [("access", given["access"]), ("project", given["project"]), ("user", user), *flags]


def _decoded(given: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(given, "file").replace("\n", ""), validate=True)
    except (ValueError, binascii.Error):
        raise _bad("file", "Unable to decode base64 encoded file.") from None


def _text(given: dict[str, Any], name: str) -> str:
    if not isinstance(given.get(name), str) or not given[name]:
        raise JobError("missing_field", f"{name} is missing", field=name)
    return str(given[name])


def _body(*required: str) -> dict[str, Any]:
    """The body, an object with these texts."""
    given = parsed(request.get_data())
    if not isinstance(given, dict):
        raise JobError("malformed_json", "the body is not a JSON object")
    for name in required:
        _text(given, name)
    return given


def _bad(field: str, text: str) -> JobError:
    return JobError("bad_value", text, field=field)
