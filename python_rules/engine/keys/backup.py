"""Back-up and restoring of a keyring, and its move to another provider. All of it stays wrapped."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime
from typing import Any

from python_rules.engine.keys import signing, store
from python_rules.engine.keys.audit import Log
from python_rules.engine.keys.key import Secret
from python_rules.engine.keys.keyring import DESTROYED, TIME, Keyring, Row, context
from python_rules.engine.keys.provider import Provider
from python_rules.jobs.errors import JobError

KIND = "sluice keyring back-up"


def backup(keyring: Keyring, log: Log, now: datetime) -> str:
    """The whole keyring as it is, with the head of the audit log, signed; it holds no secret that is not wrapped."""
    signing.public_key(keyring)
    content = {
        "format": 1,
        "kind": KIND,
        "made": now.strftime(TIME),
        "audit_head": str(log.head()),
        "keyring": store.read(keyring.path),
    }
    return json.dumps(signing.signed(keyring, content), indent=1) + "\n"


def restore(keyring: Keyring, text: str, signer: str = "") -> list[str]:
    """Bring back what a back-up has and the keyring lacks; the versions that are back, as ``name:version``.

    What the keyring has stays as it is: a destroyed version stays destroyed. Nothing is written unless the provider
    unwraps every version; raises JobError.
    """
    document = _checked(text, signer)
    back: list[str] = []
    with store.changed(keyring.path) as present:
        for name, row in document["keys"].items():
            back += _merged(present["keys"], name, row, keyring.provider)
        present["wrapped_by"] = present["wrapped_by"] or document["wrapped_by"]
        if "signer" not in present and "signer" in document:
            present["signer"] = signing.rewrapped(document["signer"], keyring.provider, keyring.provider)
    return back


def move(keyring: Keyring, target: Keyring) -> int:
    """Wrap every secret anew with the target's provider and write the target's file; how many there were.

    Both files may be one. Each new wrapping is opened once before anything is written.
    """
    with store.changed(keyring.path) as document:
        count = 0
        for name, key in document["keys"].items():
            for number, row in key["versions"].items():
                if "wrapped" in row:
                    row["wrapped"] = _rewrapped(row["wrapped"], context(name, int(number)), keyring, target)
                    count += 1
        if "signer" in document:
            document["signer"] = signing.rewrapped(document["signer"], keyring.provider, target.provider)
        document["wrapped_by"] = target.provider.name
        if target.path != keyring.path:
            with store.changed(target.path) as other:
                if other["keys"]:
                    raise store.unusable(target.path, "holds keys already: move into a new file")
                other.update(json.loads(json.dumps(document)))
            document.clear()
            document.update(store.read(keyring.path))
    return count


def _checked(text: str, signer: str) -> store.Document:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    signing.verify(content, signer)
    if content.get("kind") != KIND:
        raise JobError("verification_failed", "the document is signed, but it is no back-up of a keyring")
    return store.parsed(json.dumps(content["keyring"]), "in the back-up")


def _merged(keys: Row, name: str, row: Row, provider: Provider) -> list[str]:
    """Add to the keyring's rows what one key of the back-up has more; what was added."""
    if name not in keys:
        keys[name] = {**row, "versions": {}}
    mine = keys[name]
    back = [number for number in row["versions"] if number not in mine["versions"]]
    for number in back:
        version = row["versions"][number]
        if version["status"] != DESTROYED:
            Secret(provider.unwrap(base64.b64decode(version["wrapped"]), context(name, int(number))))
        mine["versions"][number] = version
    mine["primary"] = max(mine["primary"], row["primary"]) if back else mine["primary"]
    return [f"{name}:{number}" for number in back]


def _rewrapped(wrapped: str, bound: bytes, old: Keyring, new: Keyring) -> str:
    secret = Secret(old.provider.unwrap(base64.b64decode(wrapped), bound))
    made = new.provider.wrap(bytes(secret), bound)
    if not hmac.compare_digest(new.provider.unwrap(made, bound), secret):
        raise store.unusable(new.path, "was not written: its provider does not give back what it wraps")
    return base64.b64encode(made).decode()


def summary(text: str) -> dict[str, Any]:
    """What a back-up says of itself."""
    content = json.loads(text)
    return {"made": content["made"], "audit_head": content["audit_head"], "keys": sorted(content["keyring"]["keys"])}
