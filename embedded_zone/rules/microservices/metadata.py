"""Microservices on AVUs and access control."""

from __future__ import annotations

import json
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, text_argument
from embedded_zone.rules.microservices.texts import pairs_argument
from embedded_zone.wire.codes import SYS_INVALID_INPUT_PARAM


def _modify(call: Call, *words: str) -> None:
    padded = [*words, *[""] * (10 - len(words))]
    request: dict[str, Any] = {f"arg{i}": word for i, word in enumerate(padded)}
    call.api(706, {**request, "KeyValPair_PI": {}})


def _each_pair(call: Call, operation: str, args: list[Any]) -> None:
    for key, value in pairs_argument(args[0]).items():
        # 'key' may carry its unit after a colon nowhere: values are taken literally.
        _modify(call, operation, text_argument(args[2]), text_argument(args[1]), key, value)


@microservice("msiAssociateKeyValuePairsToObj", 3)
def associate(call: Call, args: list[Any]) -> None:
    """msiAssociateKeyValuePairsToObj(pairs, name, '-d'|'-C'|'-R'|'-u'): adds one AVU per pair."""
    _each_pair(call, "add", args)


@microservice("msiSetKeyValuePairsToObj", 3)
def set_pairs(call: Call, args: list[Any]) -> None:
    """msiSetKeyValuePairsToObj(pairs, name, type): sets one AVU per pair."""
    _each_pair(call, "set", args)


@microservice("msiRemoveKeyValuePairsFromObj", 3)
def remove_pairs(call: Call, args: list[Any]) -> None:
    """msiRemoveKeyValuePairsFromObj(pairs, name, type)."""
    _each_pair(call, "rm", args)


@microservice("msiModAVUMetadata", 6)
def modify_avu(call: Call, args: list[Any]) -> None:
    """msiModAVUMetadata(type, name, 'add'|'set'|'rm'…, attribute, value, unit)."""
    kind, name, operation, attribute, value, unit = map(text_argument, args)
    _modify(call, operation, kind, name, attribute, value, unit)


@microservice("msi_atomic_apply_metadata_operations", 2)
def atomic_metadata(call: Call, args: list[Any]) -> None:
    """msi_atomic_apply_metadata_operations(JSON, out JSON): as API 20002."""
    args[1] = _apply(call, 20002, args)


@microservice("msi_atomic_apply_acl_operations", 2)
def atomic_acl(call: Call, args: list[Any]) -> None:
    """msi_atomic_apply_acl_operations(JSON, out JSON): as API 20005."""
    args[1] = _apply(call, 20005, args)


def _apply(call: Call, number: int, args: list[Any]) -> str:
    try:
        request = json.loads(text_argument(args[0]))
    except ValueError:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "not JSON") from None
    body = call.api(number, request).body
    return body if isinstance(body, str) else json.dumps({} if body is None else body)


@microservice("msiSetACL", 4)
def set_acl(call: Call, args: list[Any]) -> None:
    """msiSetACL('default'|'recursive', level, user, path); a level 'admin:own' asks for administrator mode."""
    recursion, level, user, path = map(text_argument, args)
    name, _, zone = user.partition("#")
    request = {
        "recursiveFlag": int(recursion == "recursive"),
        "accessLevel": level,
        "userName": name,
        "zone": zone,
        "path": path,
    }
    call.api(707, request)
