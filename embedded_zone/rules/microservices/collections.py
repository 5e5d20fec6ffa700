"""Microservices on collections."""

from __future__ import annotations

from typing import Any

from embedded_zone.rules.microservices.data_objects import parse_pairs
from embedded_zone.rules.microservices.registry import Call, microservice, text_argument


def collection(path: str, keywords: dict[str, str] | None = None) -> dict[str, Any]:
    """A CollInpNew_PI."""
    return {"collName": path, "flags": 0, "oprType": 0, "KeyValPair_PI": dict(keywords or {})}


def _collection_of(value: Any) -> dict[str, Any]:
    words = parse_pairs(text_argument(value), "collName")
    return collection(words.pop("collName", ""), words)


@microservice("msiCollCreate", 3)
def create(call: Call, args: list[Any]) -> None:
    """msiCollCreate(path, '1' with parents | '0', out status)."""
    request = _collection_of(args[0])
    if text_argument(args[1]) == "1":
        request["KeyValPair_PI"]["recursiveOpr"] = ""
    args[2] = int(call.api(681, request).status)


@microservice("msiRmColl", 3)
def remove(call: Call, args: list[Any]) -> None:
    """msiRmColl(path, 'forceFlag=++++irodsAdminRmTrash=', out status); always recursive."""
    request = _collection_of(args[0])
    flags = text_argument(args[1])
    if flags not in ("", "null"):
        request["KeyValPair_PI"].update({word.split("=")[0]: "" for word in flags.split("++++")})
    request["KeyValPair_PI"]["recursiveOpr"] = ""
    args[2] = int(call.api(679, request).status)


@microservice("msiCheckAccess", 3)
def check_access(call: Call, args: list[Any]) -> None:
    """msiCheckAccess(path, 'read object'…, out '1'|'0'): the client's right on a data object or collection."""
    from embedded_zone.catalog.access import collection_id, data_id, level_number, may

    path, level = text_argument(args[0]), level_number(text_argument(args[1])) or 0
    db = call.agent.db
    found = data_id(db, path) or collection_id(db, path)
    args[2] = int(found is not None and may(db, call.agent.client, found, level))
