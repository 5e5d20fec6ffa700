"""Crypto-shredding: a version is destroyed when its time has come, and a signed receipt tells what that reached.

The receipt is checked by ``sluice-keys receipt FILE``, with no zone and no keyring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_rules.engine.keys import signing
from python_rules.engine.keys.audit import Log
from python_rules.engine.keys.keyring import DESTROYED, Keyring, named, numbered
from python_rules.jobs.errors import JobError

KIND = "sluice key destroyed"
Objects = list[dict[str, Any]]


def shred(
    keyring: Keyring, log: Log, objects: Callable[[str], Objects], keep: Callable[[dict[str, Any]], None], actor: str
) -> list[dict[str, Any]]:
    """Destroy every version whose time has come; the receipts.

    ``objects(reference)`` lists what the catalogue says is sealed under a version; ``keep(receipt)`` stores a receipt.
    A receipt that an earlier call could not write is written now.
    """
    for name, numbers in keyring.due().items():
        for number in numbers:
            log.record("destroy", f"{name}:{number}", actor)
            keyring.destroy(name, number)
    receipts = [_receipt(keyring, log, name, number, objects) for name, number in _without_receipt(keyring)]
    for receipt in receipts:
        keep(receipt)
        _note_receipt(keyring, receipt)
    return receipts


def verified(receipt: Any, signer: str = "") -> dict[str, Any]:
    """The receipt, if it is one and its signature fits; raises JobError ``verification_failed``."""
    signing.verify(receipt, signer)
    if receipt.get("kind") != KIND or receipt.get("format") != 1:
        raise JobError("verification_failed", "the document is signed, but it is no receipt of a destroyed key")
    return dict(receipt)


def _receipt(keyring: Keyring, log: Log, name: str, number: int, objects: Callable[[str], Objects]) -> dict[str, Any]:
    reference = f"{name}:{number}"
    row = numbered(keyring.row(name)["versions"], name, number)
    found = objects(reference)
    paths = {item["path"] for item in found}
    by_log = {entry["object"] for entry in log.entries() if entry["act"] == "seal" and entry["key"] == reference}
    content = {
        "format": 1,
        "kind": KIND,
        "key": reference,
        "destroyed": row["destroyed"],
        "objects": found,
        "sealed_by_log": sorted(by_log - paths),  # moved, removed, or without their metadata since
        "audit_head": str(log.record("receipt", reference, "")),
    }
    return signing.signed(keyring, content)


def _without_receipt(keyring: Keyring) -> list[tuple[str, int]]:
    return [
        (name, version.number)
        for name, found in keyring.list().items()
        for version in found
        if version.status == DESTROYED and not keyring.row(name)["versions"][str(version.number)].get("receipt")
    ]


def _note_receipt(keyring: Keyring, receipt: dict[str, Any]) -> None:
    name, _, number = receipt["key"].rpartition(":")
    with keyring.rows() as rows:
        numbered(named(rows, name)["versions"], name, int(number))["receipt"] = receipt["signature"]
