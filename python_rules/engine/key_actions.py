"""What rules and commands do with keys that needs the zone: who asks, what lies under a key, where receipts go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import irods.keywords as kw
from irods.access import iRODSAccess
from irods.column import Criterion
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules import names
from python_rules.config import Config
from python_rules.engine import identity
from python_rules.engine.keys import Keyring, Log, shredding
from python_rules.engine.keys.desk import Desk
from python_rules.engine.ledger import Ledger
from python_rules.jobs.errors import RequestError
from python_rules.jobs.key_words import RIGHTS
from python_rules.jobs.record import LONGEST_VALUE

Texts = dict[str, str]


def answer(config: Config, service: iRODSSession, do: str, user: str, admin: bool, texts: Texts) -> dict[str, Any]:
    """Do one thing at the desk for a user of the zone; every value of ``texts`` is a text that a user wrote."""
    desk = Desk.of(config, identity.of(service, user, admin))
    return DOES[do](desk, {**dict.fromkeys(("version", "owner", "rights", "collection"), ""), **texts})


def purge(config: Config, service: iRODSSession, actor: str) -> list[dict[str, Any]]:
    """Destroy what is due, and store a receipt for each version; the receipts."""
    return shredding.shred(
        Keyring.of(config),
        Log.of(config),
        lambda reference: sealed_under(service, reference),
        lambda receipt: _keep(config, service, receipt),
        actor,
    )


def destroy_due(config: Config, service: iRODSSession, book: Ledger) -> int:
    """The patrol's part: destroy what is due; how many versions that were."""
    return len(purge(config, service, "patrol"))


def sealed_under(service: iRODSSession, reference: str) -> list[dict[str, Any]]:
    """The data objects whose metadata name this version of a key: path, id, size in bytes, checksum."""
    columns = (Collection.name, DataObject.name, DataObject.id, DataObject.size, DataObject.checksum)
    rows = service.query(*columns).filter(
        Criterion("=", DataObjectMeta.name, names.KEY_ATTRIBUTE), Criterion("=", DataObjectMeta.value, reference)
    )
    found = {
        row[DataObject.id]: {
            "path": f"{row[Collection.name]}/{row[DataObject.name]}",
            "data_id": row[DataObject.id],
            "size": row[DataObject.size],
            "checksum": row[DataObject.checksum] or "",
        }
        for row in rows
    }
    return sorted(found.values(), key=lambda item: str(item["path"]))


def receipts_collection(config: Config) -> str:
    """Where receipts lie; the owner of a key may read those of its versions."""
    return f"{config.ledger}/receipts"


def _keep(config: Config, service: iRODSSession, receipt: dict[str, Any]) -> None:
    place = receipts_collection(config)
    service.collections.create(place, recurse=True)
    path = f"{place}/{receipt['key'].replace(':', '-')}.json"
    with service.data_objects.open(path, "w", **{kw.REG_CHKSUM_KW: ""}) as stream:
        stream.write((json.dumps(receipt, indent=1) + "\n").encode())
    owner, _, zone = Keyring.of(config).row(receipt["key"].rpartition(":")[0])["owner"].partition("#")
    if zone == service.zone:
        service.acls.set(iRODSAccess("read", place, owner, zone))
        service.acls.set(iRODSAccess("read", path, owner, zone))


def _version(texts: Texts) -> int | None:
    text = texts["version"]
    if text and not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise RequestError("bad_value", "version is not a number", field="version", remedy="give 1, 2, ...; '' is all")
    return int(text[:9]) if text else None


def _rights(texts: Texts, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(filter(None, texts["rights"].replace(",", " ").split())) or default


def _name(texts: Texts) -> str:
    name = texts["name"]
    if len(name.encode()) > LONGEST_VALUE:
        raise RequestError("bad_value", "this is not a key's name", field="key", remedy="at most 64 characters")
    return name


DOES: dict[str, Callable[[Desk, Texts], dict[str, Any]]] = {
    "list": lambda desk, _: desk.list(),
    "show": lambda desk, texts: desk.show(_name(texts)),
    "create": lambda desk, texts: desk.create(_name(texts), texts["owner"]),
    "grant": lambda desk, texts: desk.grant(_name(texts), texts["who"], _rights(texts), texts["collection"]),
    "revoke": lambda desk, texts: desk.revoke(_name(texts), texts["who"], _rights(texts, tuple(RIGHTS))),
    "rotate": lambda desk, texts: desk.rotate(_name(texts)),
    "disable": lambda desk, texts: desk.disable(_name(texts), _version(texts)),
    "enable": lambda desk, texts: desk.enable(_name(texts), _version(texts)),
    "destroy": lambda desk, texts: desk.destroy(_name(texts), _version(texts)),
    "recover": lambda desk, texts: desk.recover(_name(texts), _version(texts)),
}
