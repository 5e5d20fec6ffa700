"""The example inventory of two federated zones, played with a folder of this machine for each of its hosts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ansible.deployment import ANSIBLE, NATIVE_ENGINE, PYTHON_ENGINE, Playbooks, Recap

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
ZONES = {
    "northZone": ["provider.north.example.org", "data1.north.example.org", "data2.north.example.org"],
    "southZone": ["provider.south.example.org", "data1.south.example.org"],
}
SERVERS = [name for servers in ZONES.values() for name in servers]
SERVICES = ["services.north.example.org", "services.south.example.org"]
SECRETS = ("irods_password_north", "irods_password_south", "broker_password", "database_password")


class Pair(Playbooks):
    """A prefix and a server's configuration folder for each host; no zone answers."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = ANSIBLE / "inventories" / "federated_pair"
        for name in (*SERVERS, *SERVICES):
            (self.home / name / "root").mkdir(parents=True)
        for name in SERVERS:
            self.write_server(self.etc(name), [PYTHON_ENGINE, NATIVE_ENGINE])
        own = f"{self.home}/{{{{ inventory_hostname }}}}"
        self._values = {
            **self.here,
            **{f"vault_sluice_{name}": self.canary(name) for name in SECRETS},
            "sluice_prefix": f"{own}/root",
            "zone_policies_etc": f"{own}/etc",
            "zone_policies_private": f"{own}/private",
            "zone_policies_check_zone": False,
            "proxy_self_signed": True,
        }

    def etc(self, name: str) -> Path:
        return self.home / name / "etc"

    def site(self, *options: str) -> Recap:
        return self.done("site.yml", "--diff", *options, **self._values)

    def files(self) -> set[Path]:
        """All that lies in the hosts' folders."""
        return {path for name in (*SERVERS, *SERVICES) for path in (self.home / name).rglob("*")}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    if os.geteuid() != 0:
        pytest.fail("run as root: the playbook works for another user")
    made = Pair()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def promised(pair: Pair) -> Recap:
    """What a check says of all hosts."""
    before = pair.files()
    told = pair.site("--check")
    assert pair.files() == before
    return told


def test_a_check_tells_of_every_host_what_would_change(promised: Recap) -> None:
    """Every server gets the rule base; the two hosts with services get all five of them."""
    for name in SERVERS:
        assert f"{name}: zone_policies : Link the rule base" in promised.changes
    for name in SERVICES:
        assert sum(line == f"{name}: service : Run the service as described" for line in promised.changes) == 5


def test_the_servers_become_what_the_check_said(pair: Pair, promised: Recap) -> None:
    """And no more than that; then nothing is left to do."""
    done = pair.site("--limit", "zone")
    said = {line for line in promised.changes if line.partition(":")[0] in SERVERS}
    # only the server that makes a zone's keys knows before that there will be some to copy
    copied = {f"{name}: zone_policies : Write them here" for servers in ZONES.values() for name in servers[1:]}
    assert set(done.changes) == said | copied
    assert pair.site("--limit", "zone").changes == []
    assert pair.site("--limit", "zone", "--check").changes == []


def test_each_zone_has_its_name_and_keys_of_its_own(pair: Pair, promised: Recap) -> None:
    """The servers of a zone share a master key; the other zone's is another one."""
    keys = {}
    for zone, servers in ZONES.items():
        for name in servers:
            assert json.loads((pair.etc(name) / "sluice.json").read_text())["zone"]["name"] == zone
        (keys[zone],) = {(pair.home / name / "private/master.key").read_bytes() for name in servers}
    assert keys["northZone"] != keys["southZone"]


def test_no_secret_was_shown(pair: Pair, promised: Recap) -> None:
    assert [secret for secret in pair.canaries.values() if secret in pair.transcript] == []
