"""The hooks of a real iRODS 5.0.2 zone, replayed: same hooks, same order, same argument types."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.session import iRODSSession

from tests.zone import objects_zone
from tests.zone.objects_zone import Recording

SMALL = b"s" * 100
HOME = "/tempZone/home/rods"
GOLDEN = {action["action"]: action for action in objects_zone.golden()["actions"]}
SIGNATURES = objects_zone.golden()["signatures"]

Action = Callable[[iRODSSession, Path], Any]


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Recording]]:
    with objects_zone.recorded_zone(tmp_path_factory.mktemp("zone") / "home") as running:
        yield running


def write(opened: iRODSSession, path: str, mode: str = "w", data: bytes = SMALL, **options: Any) -> None:
    with opened.data_objects.open(path, mode, **options) as file:
        if data:
            file.write(data)


def local(scratch: Path, data: bytes = SMALL) -> str:
    path = scratch / "local"
    path.write_bytes(data)
    return str(path)


def _write_three(opened: iRODSSession, scratch: Path) -> None:
    with opened.data_objects.open(f"{HOME}/w3", "w") as file:
        for _ in range(3):
            file.write(SMALL)


def _existing(opened: iRODSSession, path: str) -> str:
    if not opened.data_objects.exists(path):
        write(opened, path)
    return path


def _replicated(opened: iRODSSession, name: str) -> str:
    """An object with a replica on each resource."""
    path = _existing(opened, f"{HOME}/{name}")
    opened.data_objects.replicate(path, "resc2")
    return path


# action of the golden file -> (preparation, action)
ACTIONS: dict[str, tuple[Action | None, Action]] = {
    "PRC put new small": (None, lambda s, d: s.data_objects.put(local(d), f"{HOME}/p1")),
    "PRC put overwrite small": (
        lambda s, d: _existing(s, f"{HOME}/p2"),
        lambda s, d: s.data_objects.put(local(d), f"{HOME}/p2"),
    ),
    "PRC put REG_CHKSUM": (
        None,
        lambda s, d: s.data_objects.put(local(d), f"{HOME}/p3", **{kw.REG_CHKSUM_KW: ""}),
    ),
    "PRC open w write3 close": (None, _write_three),
    "PRC open a append": (
        lambda s, d: _existing(s, f"{HOME}/a1"),
        lambda s, d: write(s, f"{HOME}/a1", "a"),
    ),
    "PRC open w no write (existing)": (
        lambda s, d: _existing(s, f"{HOME}/w1"),
        lambda s, d: write(s, f"{HOME}/w1", "w", b""),
    ),
    "PRC open r+ no write": (
        lambda s, d: _existing(s, f"{HOME}/r1"),
        lambda s, d: write(s, f"{HOME}/r1", "r+", b""),
    ),
    "PRC create": (None, lambda s, d: s.data_objects.create(f"{HOME}/c1")),
    "PRC get small": (
        lambda s, d: _existing(s, f"{HOME}/g1"),
        lambda s, d: s.data_objects.get(f"{HOME}/g1", str(d / "got")),
    ),
    "PRC open r read": (
        lambda s, d: _existing(s, f"{HOME}/g2"),
        lambda s, d: s.data_objects.open(f"{HOME}/g2", "r").read(),
    ),
    "PRC register": (
        None,
        lambda s, d: s.data_objects.register(local(d), f"{HOME}/reg1", **{kw.REG_CHKSUM_KW: ""}),
    ),
    "PRC replicate": (
        lambda s, d: (_replicated(s, "first"), _existing(s, f"{HOME}/rp")),
        lambda s, d: s.data_objects.replicate(f"{HOME}/rp", "resc2"),
    ),
    "PRC trim": (
        lambda s, d: _replicated(s, "tr"),
        lambda s, d: s.data_objects.trim(f"{HOME}/tr"),
    ),
    "PRC move": (
        lambda s, d: _replicated(s, "mv"),
        lambda s, d: s.data_objects.move(f"{HOME}/mv", f"{HOME}/mv2"),
    ),
    "PRC copy": (
        lambda s, d: _replicated(s, "cp"),
        lambda s, d: s.data_objects.copy(f"{HOME}/cp", f"{HOME}/cp2"),
    ),
    "PRC unlink force": (
        lambda s, d: _replicated(s, "ul"),
        lambda s, d: s.data_objects.unlink(f"{HOME}/ul", force=True),
    ),
    "PRC truncate": (
        lambda s, d: _existing(s, f"{HOME}/t1"),
        lambda s, d: s.data_objects.truncate(f"{HOME}/t1", 10),
    ),
    "PRC replica_truncate": (
        lambda s, d: _existing(s, f"{HOME}/t2"),
        lambda s, d: s.data_objects.replica_truncate(f"{HOME}/t2", 10),
    ),
    "PRC touch": (None, lambda s, d: s.data_objects.touch(f"{HOME}/touched")),
    "PRC chksum": (
        lambda s, d: _existing(s, f"{HOME}/k1"),
        lambda s, d: s.data_objects.chksum(f"{HOME}/k1"),
    ),
    # The same server calls as an icommand makes, without its obj_stat.
    "imkdir": (None, lambda s, d: s.collections.create(f"{HOME}/newc", recurse=False)),
    "irm (trash)": (
        lambda s, d: _existing(s, f"{HOME}/rm1"),
        lambda s, d: s.data_objects.unlink(f"{HOME}/rm1"),
    ),
}


def expected(action: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The real zone's hooks of an action, without noise and without its access time updater."""
    internal = {number for number, option in action["agents"] if option == "irodsServer"}
    hooks = [SIGNATURES[index] for agent, index in action["hooks"] if agent not in internal]
    return [(name, types) for name, types in hooks if not objects_zone.is_noise(name) and "obj_stat" not in name]


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_fires_the_hooks_of_a_real_zone(name: str, zone: tuple[Any, Recording], tmp_path: Path) -> None:
    """A client's action fires the hooks that iRODS 5.0.2 fired for it, in order and with the same argument types."""
    running, recording = zone
    prepare, action = ACTIONS[name]
    if prepare is not None:
        with objects_zone.session(running) as opened:
            prepare(opened, tmp_path)

    recording.clear()
    with objects_zone.session(running) as opened:
        action(opened, tmp_path)

    fired = [(hook, types) for _pid, hook, types in recording.hooks()]
    assert [hook for hook, _ in fired] == [hook for hook, _ in expected(GOLDEN[name])]
    assert fired == expected(GOLDEN[name])


def test_a_lost_client_fires_only_the_resource_and_catalogue_hooks(zone: tuple[Any, Recording]) -> None:
    """After a dropped connection there is a close, a stat and a finalize, and no static or modified hook."""
    running, recording = zone
    name = "PRC open w, write, connection dropped"
    recording.clear()
    with objects_zone.session(running) as opened:
        handle, raw = opened.data_objects.open_with_FileRaw(f"{HOME}/lost", "w", auto_close=False)
        handle.write(SMALL)
        handle.flush()

        pid = recording.hooks()[0][0]
        os.close(raw.conn.socket.detach())
    objects_zone.wait_for_end(pid)

    # How often a client seeks before it writes is the client's affair.
    wanted = [hook for hook, _ in expected(GOLDEN[name]) if "lseek" not in hook]
    assert [hook for _pid, hook, _types in recording.hooks() if "lseek" not in hook] == wanted
