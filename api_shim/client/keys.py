"""``sluice keys``: the life of keys over REST, in the words of ``sluice-keys``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from api_shim.client.http import SluiceClient, SluiceError
from python_rules.jobs import key_words
from python_rules.jobs.key_words import Answer, Command

LARGEST_PUBLIC_KEY = 4096  # bytes


class Desk:
    """As ``key_words.Desk``, at a distance; every method raises SluiceError."""

    def __init__(self, client: SluiceClient) -> None:
        self._client = client

    def list(self) -> Answer:
        return self._client.keys()

    def show(self, name: str) -> Answer:
        return self._client.key(name)

    def create(self, name: str, owner: str = "") -> Answer:
        return self._client.create_key(name, owner)

    def grant(self, name: str, grantee: str, rights: tuple[str, ...], collection: str = "") -> Answer:
        return self._client.change_key(name, "grant", who=grantee, rights=list(rights), collection=collection)

    def revoke(self, name: str, grantee: str, rights: tuple[str, ...] = ()) -> Answer:
        return self._client.change_key(name, "revoke", who=grantee, rights=list(rights))

    def rotate(self, name: str) -> Answer:
        return self._client.change_key(name, "rotate")

    def disable(self, name: str, version: int | None = None) -> Answer:
        return self._client.change_key(name, "disable", version=version)

    def enable(self, name: str, version: int | None = None) -> Answer:
        return self._client.change_key(name, "enable", version=version)

    def destroy(self, name: str, version: int | None = None) -> Answer:
        return self._client.change_key(name, "destroy", version=version)

    def recover(self, name: str, version: int | None = None) -> Answer:
        return self._client.change_key(name, "recover", version=version)

    def share(self, path: str, reader: str) -> Answer:
        """A header of one object for the owner of a public key, out of a file of crypt4gh-keygen."""
        try:
            text = Path(reader).read_bytes()[:LARGEST_PUBLIC_KEY].decode()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SluiceError(0, "bad_value", f"{reader}: {what}", "reader", "name the reader's .pub file") from None
        return self._client.share(path, text)


COMMANDS = {
    **key_words.LIFE,
    "share": Command(
        lambda desk, o: desk.share(o.path, o.reader),
        lambda o, answer: key_words.as_json(answer),
        "make a header of one sealed object for a reader's Crypt4GH public key",
        ("path", "reader"),
    ),
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    **key_words.ARGUMENTS,
    "path": {"metavar": "PATH", "help": "a sealed data object"},
    "reader": {"metavar": "FILE", "help": "the reader's public key, as crypt4gh-keygen writes it"},
}


def run(words: list[str], client: Any, as_json: bool) -> str:
    """Do one command; what it tells. ``client`` makes the client, and is called only once the words are understood."""
    options = parser().parse_args(words)
    command = COMMANDS[options.command]
    answer = command.do(Desk(client()), options)
    return key_words.as_json(answer) if as_json else command.told(options, answer)


def parser() -> argparse.ArgumentParser:
    """What ``sluice keys`` takes."""
    made = argparse.ArgumentParser(
        prog="sluice keys",
        description="The named keys that objects are sealed under. No command takes or shows a secret.",
        epilog="Example: sluice keys grant project-42 alice#tempZone seal open --collection /tempZone/home/lab",
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    key_words.add_to(commands, COMMANDS, ARGUMENTS)
    return made
