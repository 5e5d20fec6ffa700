"""``sluice-keys``: the named keys of a zone, at the command line of the service account."""

from __future__ import annotations

import argparse
import base64
import binascii
import getpass
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from python_rules import config
from python_rules.config import Config
from python_rules.engine.keys import Keyring, Log, Who, backup, shredding, signing, tinkey
from python_rules.engine.keys.audit import Head
from python_rules.engine.keys.desk import Desk
from python_rules.engine.keys.key import Secret
from python_rules.engine.keys.keyring import ENABLED, utc_now
from python_rules.engine.keys.memory import harden
from python_rules.engine.keys.provider import read_private
from python_rules.engine.keys.store import replace
from python_rules.engine.seal import openssl
from python_rules.jobs import key_words
from python_rules.jobs.errors import JobError

DEFAULT_CONFIG = "/etc/irods/sluice.json"
Options = argparse.Namespace


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it was done, 1 with a message on the error output if not."""
    options = _parser().parse_args(arguments)
    try:
        print(_done(options))
    except JobError as error:
        print(f"sluice-keys: {error.text}" + (f"; {error.remedy}" if error.remedy else ""), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"sluice-keys: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _done(options: Options) -> str:
    if options.command in COMMANDS:
        return COMMANDS[options.command].run(options)
    word = LIFE[options.command]
    return word.told(options, word.do(_desk(options), options))


def _settings(options: Options) -> Config:
    return config.load(options.config)


def _actor() -> Who:
    """Whoever can read the master key is an administrator of the keys; the log tells which account and host."""
    return Who(f"{getpass.getuser()}@{socket.gethostname()}", admin=True)


def _desk(options: Options) -> Desk:
    return Desk.of(_settings(options), _actor())


def _init(options: Options) -> str:
    return Keyring.of(_settings(options)).provider.create()


def _import(options: Options) -> str:
    largest = tinkey.LARGEST
    text = sys.stdin.buffer.read(largest) if options.file == "-" else read_private(options.file, largest)
    if options.passphrase:
        phrase = Secret(text.split(b"\n")[0])  # as openssl reads its -pass file:
        _desk(options).add_passphrase(options.name, phrase, _iterations(options), options.owner)
        return f"{options.name} imported; it is a passphrase for openssl's methods and for nothing else"
    if text.lstrip().startswith(b"{"):
        keyset = tinkey.read(text)
    else:
        try:
            keyset = tinkey.Keyset([(Secret(base64.b64decode(text.strip(), validate=True)), ENABLED)], 1)
        except binascii.Error:
            remedy = "give 32 bytes in base64, or a keyset of tinkey in JSON"
            raise JobError("bad_value", f"{options.file} is not base64", remedy=remedy) from None
    _desk(options).add(options.name, *keyset, options.owner)
    return f"{options.name} imported; version {keyset.primary} of {len(keyset.versions)} seals"


def _iterations(options: Options) -> int:
    if not 0 <= options.iterations <= openssl.LARGEST_ITERATIONS:
        remedy = f"give openssl's -iter, 1 to {openssl.LARGEST_ITERATIONS}"
        raise JobError("bad_value", f"{options.iterations} iterations are none of openssl's", remedy=remedy)
    return int(options.iterations)


def _export(options: Options) -> str:
    keyset = tinkey.written(*_desk(options).take_out(options.name))
    with os.fdopen(os.open(options.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(keyset)
    return f"{options.file} holds {options.name} in the clear: whoever reads it opens everything sealed under it"


def _purge(options: Options) -> str:
    from python_rules.engine import key_actions, sessions

    settings = _settings(options)
    with sessions.as_service(settings) as service:
        receipts = key_actions.purge(settings, service, _actor().user)
    told = [f"{receipt['key']} destroyed, {len(receipt['objects'])} objects unreadable" for receipt in receipts]
    return "\n".join(
        [*told, f"receipts in {key_actions.receipts_collection(settings)}"] if told else ["nothing is due"]
    )


def _receipt(options: Options) -> str:
    receipt = shredding.verified(_document(options.file), options.signer)
    told = f"{receipt['key']} destroyed {receipt['destroyed']}; signer {signing.fingerprint(receipt['signer'])}"
    unsure = "" if options.signer else "\ncompare the signer with what the zone tells: sluice-keys signer"
    return "\n".join([told, *(item["path"] for item in receipt["objects"])]) + unsure


def _signer(options: Options) -> str:
    public = signing.public_key(Keyring.of(_settings(options)))
    return f"{public}\nfingerprint {signing.fingerprint(public)}"


def _audit(options: Options) -> str:
    log = Log.of(_settings(options))
    number, _, digest = options.expect.partition(":")
    known = Head(int(number), digest) if number.isdigit() else None
    if options.expect and known is None:
        raise JobError("bad_value", "--expect is not a head", remedy="give <number>:<hash> as this command printed it")
    head = log.verify(known)
    if options.zone:
        _anchored(options)
    shown = [json.dumps(entry) for entry in log.entries() if options.key in ("", entry["key"].partition(":")[0])]
    return "\n".join([*(shown if options.entries else []), f"{head.number} entries, whole; head {head}"])


def _anchored(options: Options) -> None:
    from python_rules.engine import anchoring, sessions
    from python_rules.engine.ledger import Ledger

    settings = _settings(options)
    with sessions.as_service(settings) as service:
        book = Ledger(service, settings.ledger)
        book.make_root()
        anchoring.anchor(settings, service, book)


def _backup(options: Options) -> str:
    settings = _settings(options)
    keyring, log = Keyring.of(settings), Log.of(settings)
    log.record("back-up", "", _actor().user)
    replace(options.file, backup.backup(keyring, log, utc_now()))
    return f"{options.file} written; it opens nothing without {keyring.provider.name}"


def _restore(options: Options) -> str:
    settings = _settings(options)
    with open(options.file, encoding="utf-8") as file:
        text = file.read()
    Log.of(settings).record("restore", "", _actor().user, note=os.path.basename(options.file))
    back = backup.restore(Keyring.of(settings), text, options.signer)
    return f"{len(back)} versions restored" + "".join(f"\n{reference}" for reference in back)


def _move(options: Options) -> str:
    settings, target = _settings(options), config.load(options.to)
    Log.of(settings).record("move", "", _actor().user, note=f"to {target['keys.provider']}")
    moved = Keyring.of(target)
    count = backup.move(Keyring.of(settings), moved)
    return f"{count} secrets are wrapped by {moved.provider.name}, in {moved.path}; put {options.to} in force now"


def _relabel(options: Options) -> str:
    from python_rules.engine import relabel, sessions

    settings = _settings(options)
    keyring, log = Keyring.of(settings), Log.of(settings)
    with sessions.as_user(settings, options.user) as session:
        found = relabel.relabel(session, options.path, keyring, log, _actor().user)
    told = [f"{path}  {reference or 'no key of this keyring opens it'}" for path, reference in found.items()]
    return "\n".join([*told, f"{sum(map(bool, found.values()))} of {len(found)} objects relabelled"])


def _document(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError:
            raise JobError("verification_failed", f"{path} is not JSON") from None


class Command(NamedTuple):
    """A command of this machine alone: what it does, and which arguments it takes."""

    run: Callable[[Options], str]
    about: str
    takes: tuple[str, ...] = ()


ARGUMENTS: dict[str, dict[str, Any]] = {
    **key_words.ARGUMENTS,
    "file": {"metavar": "FILE", "help": "a file; nobody else may read it if it holds a secret"},
    "path": {"metavar": "PATH", "help": "a data object or collection"},
    "--user": {"required": True, "metavar": "USER", "help": "name#zone of who may write the objects' metadata"},
    "--days": {"type": float, "metavar": "N", "help": "days until it is done (default: keys.destroy_days)"},
    "--passphrase": {"action": "store_true", "help": "the first line of FILE is a passphrase of openssl enc"},
    "--iterations": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "with --passphrase: openssl's -iter (default: 1000 with ctr, 10000 with cbc)",
    },
    "--signer": {"default": "", "metavar": "KEY", "help": "the public key that must have signed it"},
    "--expect": {"default": "", "metavar": "HEAD", "help": "an earlier head, <number>:<hash>, that must be in it"},
    "--zone": {
        "action": "store_true",
        "help": "compare with the head that the catalogue keeps, and note the new one",
    },
    "--entries": {"action": "store_true", "help": "show them, as JSON lines"},
    "--key": {"default": "", "metavar": "NAME", "help": "with --entries: of this key only"},
    "--to": {"required": True, "metavar": "FILE", "help": "a sluice.json that names the other provider"},
}

# the life of a key, as ``sluice keys`` has it, but for one word more
LIFE = {
    **key_words.LIFE,
    "destroy": key_words.LIFE["destroy"]._replace(
        do=lambda desk, o: desk.destroy(o.name, o.version, o.days), takes=("name", "--version", "--days")
    ),
}
COMMANDS = {
    "init": Command(_init, "make the master key where the settings say (once for each zone)"),
    "import": Command(
        _import,
        "make a key of 32 bytes in base64, or of a keyset of Google's tinkey; from a private file or '-'",
        ("name", "file", "--owner", "--passphrase", "--iterations"),
    ),
    "export": Command(
        _export, "write a key in the clear as tinkey does, into a new file that nobody else may read", ("name", "file")
    ),
    "purge": Command(_purge, "destroy what is due and write signed receipts into the zone"),
    "receipt": Command(_receipt, "verify a receipt; needs no zone, no keyring and no settings", ("file", "--signer")),
    "signer": Command(_signer, "show the public key under this zone's receipts and back-ups"),
    "audit": Command(_audit, "verify the audit log", ("--expect", "--zone", "--entries", "--key")),
    "backup": Command(_backup, "write the keyring, as wrapped as it is, and signed, into a file", ("file",)),
    "restore": Command(_restore, "bring back what a back-up has and the keyring lacks", ("file", "--signer")),
    "relabel": Command(_relabel, "find the keys of objects that lost their metadata", ("path", "--user")),
    "move": Command(_move, "wrap every secret anew with another provider", ("--to",)),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice-keys",
        description="The named keys that objects are sealed under, at the service account's command line.",
        epilog="Example: sluice-keys create project-42; sluice-keys grant project-42 alice#tempZone seal open",
    )
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help="sluice.json (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    key_words.add_to(commands, {**LIFE, **COMMANDS}, ARGUMENTS)
    return parser


def command() -> int:
    """The installed command: ``main`` in a process that guards its memory."""
    harden()
    return main()


if __name__ == "__main__":
    sys.exit(command())
