"""The object stores of the contract suite: OpenStack Swift through its S3 layer, and through its own interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.systems.objects import s3_settings, secret, swift_place, swift_settings
from tests.systems.peers import Peer
from tests.systems.servers_objects import KEY, USER, Swift

_LONG = "x" * 1_100  # bytes; a key has 1,024


@contextmanager
def s3(home: Path) -> Iterator[Peer]:
    with _node(home) as swift:
        wrong_key = f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = not-{KEY}\n"
        wrong = {
            "system_refused": {"credentials_file": secret(home, "wrong", wrong_key)},
            "system_unavailable": {"address": "http://127.0.0.1:1"},
            "system_error": {"base": "no-such-bucket"},
        }
        yield _peer("s3", s3_settings(swift, home, "contract/base"), wrong)


@contextmanager
def swift(home: Path) -> Iterator[Peer]:
    with _node(home) as node:
        wrong = {
            "system_refused": {"password_file": secret(home, "wrong", f"not-{KEY}")},
            "system_unavailable": {"address": "http://127.0.0.1:1/auth/v1.0"},
            "system_error": {"base": "no-such-container"},
        }
        yield _peer("swift", swift_settings(node, home, "contract/base"), wrong)


def _peer(kind: str, settings: dict[str, Any], wrong: dict[str, dict[str, Any]]) -> Peer:
    """``resumes``: parts that are there are not sent again, but compared, so that all is given again."""
    shown = {**settings, "timeout_seconds": 10}
    return Peer(kind, shown, links=False, resumes=False, bad_names=(_LONG,), wrong=wrong)


@contextmanager
def _node(home: Path) -> Iterator[Swift]:
    with Swift() as node:
        node.start()
        place = swift_place(node, home, "contract")
        place.account.ask("PUT", "contract")
        place.close()
        yield node


OBJECT_PEERS = {"s3": s3, "swift": swift}
