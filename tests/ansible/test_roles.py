"""What can be said of the roles without running them on a host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from python_rules import install
from tests.ansible.deployment import ANSIBLE, PYTHON
from tests.stack.waiting import until

ROLES = ("zone_policies", "api_shim", "workers", "broker", "database", "proxy")
LEVEL = 2.0  # systemd-analyze security: below 2.0 of 10 for every unit
SUPERVISE = ANSIBLE / "roles" / "service" / "files" / "supervise.py"


def test_the_guarded_block_is_that_of_sluice_install() -> None:
    block = (ANSIBLE / "roles/zone_policies/files/core_block.txt").read_text()
    assert f"{install.BEGIN}\n{block}{install.END}\n" == install.BLOCK


@pytest.mark.parametrize("role", ROLES)
def test_every_value_is_explained_and_specified(role: str) -> None:
    """defaults/main.yml, the README's table and the argument spec name the same values."""
    folder = ANSIBLE / "roles" / role
    defaults = set(yaml.safe_load((folder / "defaults/main.yml").read_text()))
    cells = [line.split("|")[1] for line in (folder / "README.md").read_text().splitlines() if line.startswith("| `")]
    spec = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]

    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == defaults
    assert set(spec) == defaults


def test_units_are_hardened_and_valid(tmp_path: Path) -> None:
    """systemd-analyze verify has nothing to say, and security stays below the level, for all five units."""
    release, units = tmp_path / "release", tmp_path / "units"
    (release / "venv/bin").mkdir(parents=True)
    units.mkdir()
    for name in ("sluice-shim", "sluice-worker"):
        (release / "venv/bin" / name).symlink_to("/bin/true")
    values = {
        "release_path": str(release),
        "service_unit_folder": str(units),
        "proxy_program": "/bin/true",
        "broker_programs": str(release / "venv/bin"),
        "__database_bin": str(release / "venv/bin"),
        "ansible_python_interpreter": PYTHON,
    }
    for name in ("rabbitmq-server", "postgres"):
        (release / "venv/bin" / name).symlink_to("/bin/true")
    _play(Path(__file__).with_name("units.yml"), values)

    written = sorted(units.glob("*.service"))
    assert len(written) == 5
    assert [unit.name for unit in written if "\nMemoryMax=" not in unit.read_text()] == []
    for unit in written:
        _analyzed("verify", str(unit))
        told = _analyzed("security", "--offline=true", f"--threshold={LEVEL * 10:.0f}", str(unit))
        assert float(re.search(r"exposure level for \S+: ([\d.]+)", told)[1]) < LEVEL  # type: ignore[index]


@pytest.mark.long
def test_lint() -> None:
    """ansible-lint at its production profile."""
    command = [str(Path(sys.executable).with_name("ansible-lint")), "--offline", "--profile", "production", "-q", "."]
    done = subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("book", ["site.yml", "uninstall.yml"])
@pytest.mark.parametrize("inventory", ["one_host", "federated_pair"])
def test_the_example_inventories_fit_the_playbooks(book: str, inventory: str) -> None:
    _play(ANSIBLE / book, {}, "--syntax-check", "-i", str(ANSIBLE / "inventories" / inventory))


def test_the_supervisor_restarts_and_ends_what_it_runs(tmp_path: Path) -> None:
    """A killed program is started again; stop ends it and its orphans; nobody asks a process id who lives."""
    pids = tmp_path / "pids"
    script = f"(sleep 1000 & echo $! >> {pids}) ; echo $$ >> {pids}; exec sleep 1000"
    service = tmp_path / "thing.json"
    description = {
        "command": ["/bin/sh", "-c", script],
        "user": "root" if os.geteuid() == 0 else os.environ["USER"],
        "directory": str(tmp_path),
        "environment": {},
        "log": str(tmp_path / "log"),
        "stop_signal": "SIGTERM",
        "stop_seconds": 5,
        "memory_bytes": 0,
        "open_files": 1024,
        "no_new_privileges": True,
    }
    service.write_text(json.dumps(description))
    assert _supervise("status", service).returncode == 3
    assert _supervise("start", service).returncode == 0
    try:
        first = json.loads(_supervise("status", service).stdout)["pid"]
        os.kill(first, 9)

        def again() -> int | None:
            state = json.loads(_supervise("status", service).stdout)
            return state["pid"] if state["starts"] == 2 else None

        assert until(again, "the second start", 20) != first
        until(lambda: True if len(pids.read_text().split()) == 4 else None, "its children", 10)
    finally:
        assert _supervise("stop", service).returncode == 0
    assert _supervise("status", service).returncode == 3
    assert not [pid for pid in pids.read_text().split() if _works(pid)]


def _supervise(verb: str, service: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PYTHON, str(SUPERVISE), verb, str(service)], capture_output=True, text=True, timeout=60)


def _works(pid: str) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _analyzed(verb: str, *options: str) -> str:
    done = subprocess.run(["systemd-analyze", verb, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _play(book: Path, values: dict[str, str], *options: str) -> None:
    where = options or ("-i", "localhost,", "-c", "local")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *where, str(book), "-e", json.dumps(values)],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
