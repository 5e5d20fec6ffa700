"""python-irodsclient's actions of the hook matrix, each as the real zone's trace was taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import irods.keywords as kw
from irods.meta import AVUOperation, iRODSMeta
from irods.session import iRODSSession

from tests.zone.hook_zone import SMALL, HookZone

HOME = "/tempZone/home/rods"

Action = Callable[[iRODSSession, Path], Any]


def write(session: iRODSSession, name: str, mode: str = "w", *blocks: bytes) -> None:
    with session.data_objects.open(f"{HOME}/{name}", mode) as file:
        for block in blocks:
            file.write(block)


def _metadata(session: iRODSSession) -> Any:
    return session.data_objects.get(f"{HOME}/p1").metadata


def _atomic(session: iRODSSession, _scratch: Path) -> None:
    operations = (AVUOperation(operation="add", avu=iRODSMeta(f"k{n}", "v")) for n in range(3))
    _metadata(session).apply_atomic_operations(*operations)


def _dropped(session: iRODSSession, _scratch: Path) -> None:
    """Open, write, and lose the connection without a close."""
    file = session.data_objects.open(f"{HOME}/dropped", "w")
    file.write(SMALL)
    file.flush()
    file.raw.conn.disconnect()


# action -> what the client does; the names and the order are those of the trace, and later ones build on earlier ones
ACTIONS: dict[str, Action] = {
    "PRC put new small": lambda s, d: s.data_objects.put(str(d / "src/small"), f"{HOME}/p1"),
    "PRC put overwrite small": lambda s, d: s.data_objects.put(str(d / "src/small"), f"{HOME}/p1"),
    "PRC put 50MB parallel": lambda s, d: s.data_objects.put(str(d / "src/big50"), f"{HOME}/p50"),
    "PRC put REG_CHKSUM": lambda s, d: s.data_objects.put(str(d / "src/small"), f"{HOME}/p2", **{kw.REG_CHKSUM_KW: ""}),
    "PRC open w write3 close": lambda s, d: write(s, "p3", "w", SMALL, SMALL, SMALL),
    "PRC open a append": lambda s, d: write(s, "p3", "a", SMALL),
    "PRC open w no write (existing)": lambda s, d: write(s, "p3", "w"),
    "PRC open r+ no write": lambda s, d: write(s, "p1", "r+"),
    "PRC create": lambda s, d: s.data_objects.create(f"{HOME}/p4"),
    "PRC get small": lambda s, d: s.data_objects.get(f"{HOME}/p1", str(d / "src/out2/p1")),
    "PRC get 50MB": lambda s, d: s.data_objects.get(f"{HOME}/p50", str(d / "src/out2/p50")),
    "PRC open r read": lambda s, d: s.data_objects.open(f"{HOME}/p1", "r").read(),
    "PRC metadata.add": lambda s, d: _metadata(s).add("k", "v", "u"),
    "PRC metadata atomic x3": _atomic,
    "PRC register": lambda s, d: s.data_objects.register(str(d / "regdir/r2"), f"{HOME}/r2", **{kw.REG_CHKSUM_KW: ""}),
    "PRC replicate": lambda s, d: s.data_objects.replicate(f"{HOME}/p1", "resc2"),
    "PRC trim": lambda s, d: s.data_objects.trim(f"{HOME}/p1"),
    "PRC move": lambda s, d: s.data_objects.move(f"{HOME}/p1", f"{HOME}/p1m"),
    "PRC copy": lambda s, d: s.data_objects.copy(f"{HOME}/p1m", f"{HOME}/p1c"),
    "PRC unlink force": lambda s, d: s.data_objects.unlink(f"{HOME}/p1m", force=True),
    "PRC truncate": lambda s, d: s.data_objects.truncate(f"{HOME}/p1c", 10),
    "PRC replica_truncate": lambda s, d: s.data_objects.replica_truncate(f"{HOME}/p1c", 5),
    "PRC touch": lambda s, d: s.data_objects.touch(f"{HOME}/p5"),
    "PRC chksum": lambda s, d: s.data_objects.chksum(f"{HOME}/p1c"),
    "PRC open w, write, connection dropped": _dropped,
    "PRC temp_password": lambda s, d: s.users.get("alice").temp_password(),
}


def perform(running: HookZone, action: str) -> None:
    """One action in a session of its own."""
    with running.session() as session:
        ACTIONS[action](session, running.scratch)
