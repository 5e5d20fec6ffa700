"""The routes of keys: each calls one named rule as the caller. No route takes or gives a secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, url_for

from api_shim.exchange import answer, asked, require_json
from api_shim.service import require_caller
from python_rules import names
from python_rules.jobs.errors import RequestError

blueprint = APIBlueprint("keys", __name__, url_prefix="/api/v1", tag="keys")
blueprint.before_request(require_caller)


@blueprint.get("/keys")
@blueprint.doc(operation_id="listKeys")
def list_keys() -> Response:
    """List the keys that you may use or manage."""
    return answer(_ask("list"))


@blueprint.post("/keys")
@blueprint.doc(operation_id="createKey")
def create() -> Response:
    """Make a key; administrators only."""
    given = _body("name", "owner")
    made = _ask("create", given["name"], given["owner"])
    return answer(made, 201, {"Location": url_for("keys.show", name=made["name"])})


@blueprint.get("/keys/<name>")
@blueprint.doc(operation_id="getKey")
def show(name: str) -> Response:
    """Show a key with its versions and grants."""
    return answer(_ask("show", name))


@blueprint.post("/keys/<name>/grant")
@blueprint.doc(operation_id="grantKey")
def grant(name: str) -> Response:
    """Let a user or group seal, open or manage."""
    given = _body("who", "rights", "collection")
    return answer(_ask("grant", name, given["who"], given["rights"], given["collection"]))


@blueprint.post("/keys/<name>/revoke")
@blueprint.doc(operation_id="revokeKey")
def revoke(name: str) -> Response:
    """Take rights back, all of them unless named."""
    given = _body("who", "rights")
    return answer(_ask("revoke", name, given["who"], given["rights"]))


@blueprint.post("/keys/<name>/rotate")
@blueprint.doc(operation_id="rotateKey")
def rotate(name: str) -> Response:
    """Add a version that seals from now on; the old ones still open."""
    _body()
    return answer(_ask("rotate", name))


@blueprint.post("/shares")
@blueprint.doc(operation_id="shareObject")
def share() -> Response:
    """Share one sealed object with the owner of a Crypt4GH key pair."""
    given = _body("path", "reader")
    return answer(_ask("share", given["path"], given["reader"]))


def _on_versions(action: str, about: str) -> Callable[[str], Response]:
    def route(name: str) -> Response:
        return answer(_ask(action, name, _body("version")["version"]))

    route.__doc__ = about
    route.__name__ = action
    return route


ON_VERSIONS = {
    "disable": "Refuse to seal and to open with a key, or with one version, until enabled again.",
    "enable": "Allow it again.",
    "destroy": "Have a key, or one version, destroyed after the zone's delay.",
    "recover": "Take the order to destroy it back, before its time.",
}
for _action, _about in ON_VERSIONS.items():
    _described = blueprint.doc(operation_id=f"{_action}Key")(_on_versions(_action, _about))
    blueprint.post(f"/keys/<name>/{_action}")(_described)


def _ask(action: str, *texts: str) -> Any:
    return asked(names.KEYS_PREFIX + action, *texts)


def _body(*known: str) -> dict[str, str]:
    """The body's members as texts, '' for those left out; rights may be a list, version a number."""
    if not request.get_data():
        return dict.fromkeys(known, "")
    require_json()
    values = request.get_json(silent=True)
    if not isinstance(values, dict):
        raise RequestError("malformed_json", "the body is not a JSON object", remedy="send {...}")
    for name in values:
        if name not in known:
            remedy = f"known are {', '.join(known)}" if known else "send {}"
            raise RequestError("unknown_field", f"unknown field {name!a}", field=name[:64], remedy=remedy)
    return {name: _text(name, values.get(name)) for name in known}


def _text(name: str, value: object) -> str:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        value = ",".join(value)
    if name == "version" and type(value) is int:
        value = str(value)
    if not isinstance(value, str | None):
        raise RequestError("bad_value", f"{name} has a wrong type", field=name, remedy="see /openapi.json")
    return value or ""
