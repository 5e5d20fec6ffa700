"""A zone of two servers: the same rule base and keys on both, a server_config.json put right, a release taken back.

The second server's configuration folder is written as iRODS 5 writes it; both ask the same embedded zone.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.ansible.deployment import ACCOUNT, NATIVE_ENGINE, PYTHON_ENGINE, PlaybooksOnZone

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
ZONE = ("--limit", "zone", "--tags", "zone_policies")
OWN_RULES = "def acPostProcForPut(rule_args, callback, rei):\n    pass\n"


class TwoServers(PlaybooksOnZone):
    """``first`` is the embedded zone's server, ``second`` a folder like a server's with the engines in wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.etc = {"first": self.zone.etc, "second": self.home / "second-etc"}
        self.private = {name: self.private_folder(f"{name}-private") for name in self.etc}
        self.write_server(self.etc["second"], [NATIVE_ENGINE, PYTHON_ENGINE], OWN_RULES)
        hosts = {}
        for name in self.etc:
            prefix = self.home / f"{name}-root"
            prefix.mkdir()
            hosts[name] = {
                "sluice_prefix": str(prefix),
                "zone_policies_etc": str(self.etc[name]),
                "zone_policies_private": str(self.private[name]),
            }
        self.write_inventory({"zone_policies_settings": {"patrol": {"seconds": 5}}}, {"zone": hosts})

    def content(self, server: str) -> dict[str, str]:
        """What a server reads: core.py, sluice.json, server_config.json, where the link leads."""
        etc = self.etc[server]
        found = {name: (etc / name).read_text() for name in ("core.py", "sluice.json", "server_config.json")}
        return found | {"link": os.readlink(etc / "python_rules")}

    def keys(self, *words: str) -> str:
        """A command of ``sluice-keys`` on the first server, as the service account."""
        program = self.home / "first-root/opt/sluice/zone/current/venv/bin/sluice-keys"
        command = [program, "--config", self.etc["first"] / "sluice.json", *words]
        return subprocess.run(
            ["runuser", "-u", ACCOUNT, "--", *command], check=True, capture_output=True, text=True, cwd="/"
        ).stdout


@pytest.fixture(scope="module")
def servers() -> Iterator[TwoServers]:
    if os.geteuid() != 0:
        pytest.fail("run as root: the playbook works for another user")
    made = TwoServers()
    try:
        yield made
    finally:
        made.close()


def test_a_server_with_the_engines_in_wrong_order_is_refused(servers: TwoServers) -> None:
    before = (servers.etc["second"] / "server_config.json").read_text()
    refused = servers.play("site.yml", *ZONE, "--limit", "second")
    assert refused.status != 0
    assert f"must name {PYTHON_ENGINE}-instance before" in " ".join(refused.output.split())
    assert (servers.etc["second"] / "server_config.json").read_text() == before
    assert not (servers.etc["second"] / "sluice.json").exists()


def test_both_servers_get_the_same(servers: TwoServers) -> None:
    """When told to, the engines are put in order; the check says all of it beforehand; the site's own rules stay."""
    promised = servers.done("site.yml", *ZONE, "--check", "--diff", zone_policies_change_server_config=True)
    assert not (servers.etc["second"] / "sluice.json").exists()
    done = servers.done("site.yml", *ZONE, "--diff", zone_policies_change_server_config=True)
    assert set(promised.changes) - set(done.changes) == set()
    # only the server that makes the keys knows before that there will be some to copy
    assert set(done.changes) - set(promised.changes) == {"second: zone_policies : Write them here"}

    config = json.loads(servers.content("second")["server_config.json"])
    names = [engine["plugin_name"] for engine in config["plugin_configuration"]["rule_engines"]]
    assert names == [PYTHON_ENGINE, NATIVE_ENGINE]
    assert servers.content("second")["core.py"].startswith(OWN_RULES)
    assert servers.done("site.yml", *ZONE).changes == []


def test_a_new_key_reaches_every_server(servers: TwoServers) -> None:
    servers.keys("create", "project")
    assert servers.done("site.yml", *ZONE).changes == ["second: zone_policies : Write them here"]
    for name in ("keyring.json", "master.key"):
        copies = [folder / name for folder in servers.private.values()]
        assert copies[0].read_bytes() == copies[1].read_bytes()
        assert {(path.owner(), oct(path.stat().st_mode)[-3:]) for path in copies} == {(ACCOUNT, "600")}


def test_a_release_that_does_not_answer_is_taken_back(servers: TwoServers) -> None:
    """The self-check fails under the new rule base: both servers read what they read before, and the zone answers."""
    broken = servers.sources("broken")
    with (broken / "python_rules/engine_link.py").open("a") as module:
        module.write("\n\ndef ask(verb, seconds=0, **values):\n    raise OSError('broken')\n")
    before = {name: servers.content(name) for name in servers.etc}

    failed = servers.play("site.yml", *ZONE, sluice_tree=str(broken), zone_policies_settings={"patrol": {"seconds": 9}})

    assert failed.status != 0
    assert "is as it was before" in failed.output
    assert {name: servers.content(name) for name in servers.etc} == before
    assert servers.done("site.yml", *ZONE).changes == []


def test_no_secret_was_shown(servers: TwoServers) -> None:
    for secret in servers.canaries.values():
        assert secret not in servers.transcript


def test_uninstall_gives_the_servers_back(servers: TwoServers) -> None:
    """The engines stand as they stood, the site's rules are its own; keyring and master key stay."""
    servers.done("uninstall.yml", zone_policies_change_server_config=True)
    second = servers.etc["second"]
    assert sorted(path.name for path in second.iterdir() if path.name != "__pycache__") == [
        "core.py",
        "server_config.json",
    ]
    assert (second / "core.py").read_text() == OWN_RULES
    config = json.loads((second / "server_config.json").read_text())
    names = [engine["plugin_name"] for engine in config["plugin_configuration"]["rule_engines"]]
    assert names == [NATIVE_ENGINE, PYTHON_ENGINE]
    assert {path.name for folder in servers.private.values() for path in folder.iterdir()} >= {
        "keyring.json",
        "master.key",
    }
