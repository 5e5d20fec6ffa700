"""Staging over a real SFTP and a real web server through every door: REST, the command ``sluice``, a rule file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, ended, read, write
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite
from tests.systems.peers import Nginx, Sshd

pytestmark = pytest.mark.long
TEXT = b"station,temperature\n" * 20_000


@dataclass
class Servers:
    hpc: Sshd
    web: Nginx


@pytest.fixture(scope="module")
def servers(stack: Stack) -> Iterator[Servers]:
    """The zone knows an SFTP and a web server."""
    assert isinstance(stack.site, EmbeddedSite)
    path = Path(stack.site.settings.path)
    before = path.read_text()
    with Sshd() as hpc, Nginx() as web:
        hpc.start()
        web.start()
        trusted = {"authority": str(web.home / "cert.pem")}
        systems = {
            "hpc": {"type": "sftp", "allowed": ["public"], **hpc.settings()},
            "web": {"type": "http", "allowed": ["public"], "address": f"https://127.0.0.1:{web.port}", "base": "pub"}
            | trusted,
        }
        path.write_text(json.dumps({**json.loads(before), "systems": systems}))
        yield Servers(hpc, web)
    path.write_text(before)


def test_over_rest(stack: Stack, session: iRODSSession, place: str, servers: Servers) -> None:
    """A dataset goes out as one packed and compressed file, and comes back as a tree."""
    session.collections.create(f"{place}/in")
    write(session, f"{place}/in/a.csv", TEXT)

    job = stack.done(
        operation="stage", source=f"{place}/in", target="hpc:in.tar.zst", pack=True, compression="zstd", level=3
    )
    stack.done(operation="stage", source="hpc:in.tar.zst", target=f"{place}/back", pack=True, decode=True)

    assert job["progress"]["objects_done"] == 1
    assert (servers.hpc.home / "base" / "in.tar.zst").stat().st_size < len(TEXT) / 5
    assert read(session, f"{place}/back/a.csv") == TEXT


def test_with_the_command(stack: Stack, session: iRODSSession, place: str, servers: Servers) -> None:
    """``sluice submit stage`` from a web server, sealed on the way; ``sluice plan`` and ``sluice systems`` before."""
    servers.web.put("table.csv", TEXT)

    listed = _sluice(stack, "systems")
    plan = _sluice(stack, "plan", "stage", "web:table.csv", f"{place}/table", "--key", stack.site.key)
    job = _sluice(
        stack, "submit", "stage", "web:table.csv", f"{place}/table", "--set", "preset=lexis", "--key", stack.site.key
    )
    done = ended(session, job["id"])
    out = _sluice(stack, "submit", "stage", f"{place}/table", "hpc:table.csv", "--set", "preset=lexis")
    ended(session, out["id"])

    assert {row["name"] for row in listed["systems"]} >= {"hpc", "web"}
    assert (plan["objects"], plan["bytes"], plan["would_start"]) == (1, len(TEXT), True)
    assert done["state"] == "succeeded", done["error"]
    assert len(read(session, f"{place}/table")) < len(TEXT) / 5
    assert (servers.hpc.home / "base" / "table.csv").read_bytes() == TEXT


def test_by_the_rule_file(session: iRODSSession, place: str, servers: Servers) -> None:
    """rules/stage.r as an ordinary user, with options as text."""
    for name in ("a.h5", "b.tmp"):
        path = servers.hpc.home / "base" / "run" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(TEXT)

    answer = rulecall.call_file(
        session, "stage.r", source="hpc:run", target=f"{place}/run", options="include=*.h5;compression=zstd"
    )
    job = ended(session, answer["ok"]["id"])

    assert job["state"] == "succeeded", job["error"]
    assert [one.name for one in session.collections.get(f"{place}/run").data_objects] == ["a.h5.zst"]


def _sluice(stack: Stack, *words: str) -> dict[str, object]:
    """What the command prints as JSON, for alice."""
    known = {"SLUICE_URL": stack.url, "SLUICE_USER": stack.alice.name, "SLUICE_PASSWORD": stack.alice.password}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "sluice"), "--json", *words],
        env={**os.environ, **known},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))
