"""A zone that runs as on a server of its own, and the playbooks of ``ansible/`` run against it on this machine."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.daemon import free_port

TREE = Path(__file__).resolve().parents[2]
ANSIBLE = TREE / "ansible"
ACCOUNT, GROUP = "nobody", "nogroup"  # stands for the Unix user irods
PYTHON_ENGINE = "irods_rule_engine_plugin-python"
NATIVE_ENGINE = "irods_rule_engine_plugin-irods_rule_language"
PYTHON = "/usr/bin/python3"  # the distribution's, as a server has it; its venv module is a package of its own
SECONDS = 900
_COUNTS = re.compile(r"^\S+ +: ok=(\d+) +changed=(\d+) +unreachable=0 +failed=(\d+).*$", re.M)


@dataclass(frozen=True)
class Recap:
    """How a run of a playbook ended; the counts are sums over its hosts."""

    status: int
    ok: int
    changed: int
    failed: int
    output: str

    @property
    def changes(self) -> list[str]:
        """What changed, as ``host: task``."""
        found = []
        task = ""
        for line in self.output.splitlines():
            if heading := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*?)\]", line):
                task = heading[1]
            elif host := re.match(r"changed: \[([^\] ]+)", line):
                found.append(f"{host[1]}: {task}")
        return found


class ServerZone:
    """An embedded zone under the distribution's interpreter, which has none of Sluice's code but what is installed."""

    def __init__(self, home: Path, password: str) -> None:
        self.home = home / "zone"
        self._path = home / "zone-code"
        self._path.mkdir()
        # a copy: a link would bring the tree that it leads to, with a rule base of its own, onto the path
        shutil.copytree(TREE / "embedded_zone", self._path / "embedded_zone")
        self.home.mkdir()
        shutil.chown(self.home, ACCOUNT, GROUP)
        self.run("init", "--port", str(free_port()), "--password", password)
        self.run("start")

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def environment(self) -> Path:
        return self.home / ".irods" / "irods_environment.json"

    def run(self, verb: str, *options: str) -> None:
        """A command of ``embedded-zone`` as the service account."""
        # fork servers keep the pipes of their parent open: a file takes the output
        with open(self._path / "output", "ab") as output:
            subprocess.run(
                ["runuser", "-u", ACCOUNT, "--", PYTHON, "-m", "embedded_zone", verb, str(self.home), *options],
                check=True,
                cwd="/",
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self._path), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=60,
            )


class Playbooks:
    """A temporary folder with a copy of the sources, an inventory, and all that was ever printed."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sl-"))  # short: PostgreSQL's socket lies below
        self.home.chmod(0o755)
        self.inventory = self.home / "inventory.json"
        self.canaries: dict[str, str] = {}
        self.transcript = ""
        self.tree = _copied(self.home / "tree")

    def canary(self, name: str) -> str:
        """A new secret that no output may show."""
        self.canaries[name] = f"canary{secrets.token_hex(12)}"
        return self.canaries[name]

    def play(self, book: str, *options: str, **more: Any) -> Recap:
        """Run a playbook."""
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory)]
        values = ["-e", json.dumps(more)] if more else []
        done = subprocess.run(
            [*command, str(ANSIBLE / book), *options, *values],
            capture_output=True,
            text=True,
            cwd=self.home,
            env={**os.environ, "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            timeout=SECONDS,
        )
        output = done.stdout + done.stderr
        self.transcript += output
        recaps = list(_COUNTS.finditer(output))
        assert recaps, output[-3000:]
        for counts in recaps:
            print(f"{book} {' '.join(options)}: {counts[0]}")
        sums = (sum(int(counts[column]) for counts in recaps) for column in (1, 2, 3))
        return Recap(done.returncode, *sums, output)

    def done(self, book: str, *options: str, **more: Any) -> Recap:
        """Run a playbook that must end well."""
        recap = self.play(book, *options, **more)
        assert recap.status == 0, recap.output[-3000:]
        return recap

    def sources(self, name: str) -> Path:
        """Another copy of the sources, to be changed."""
        return Path(shutil.copytree(self.tree, self.home / name))

    @property
    def here(self) -> dict[str, Any]:
        """The variables that make this machine stand for any host of an inventory."""
        return {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": PYTHON,
            "sluice_service_manager": "supervise",
            "sluice_tree": str(self.tree),
            "sluice_wheel_cache": str(self.home / "wheels"),
            "zone_policies_user": ACCOUNT,
            "zone_policies_group": GROUP,
            "zone_policies_plugin": "",
        }

    def write_server(self, etc: Path, engines: list[str], core: str = "") -> None:
        """A server's configuration folder as iRODS 5 writes it, with these rule engines."""
        etc.mkdir(parents=True)
        config = {
            "zone_name": "tempZone",
            "zone_key": self.canary(f"zone_key of {etc}"),
            "negotiation_key": self.canary(f"negotiation_key of {etc}"),
            "plugin_configuration": {
                "database": {"technology": "postgres", "password": self.canary(f"catalogue of {etc}")},
                "rule_engines": [{"instance_name": f"{name}-instance", "plugin_name": name} for name in engines],
            },
        }
        (etc / "server_config.json").write_text(json.dumps(config, indent=4) + "\n")
        (etc / "server_config.json").chmod(0o600)
        (etc / "core.py").write_text(core)
        for path in (etc, *etc.iterdir()):
            shutil.chown(path, ACCOUNT, GROUP)

    def private_folder(self, name: str) -> Path:
        """A folder of the service account, for keyring and master key."""
        made = self.home / name
        made.mkdir()
        shutil.chown(made, ACCOUNT, GROUP)
        return made

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.home)


class PlaybooksOnZone(Playbooks):
    """With an embedded zone in the folder."""

    def __init__(self) -> None:
        super().__init__()
        self.zone = ServerZone(self.home, self.canary("zone"))

    def write_inventory(self, values: dict[str, Any], groups: dict[str, dict[str, Any]]) -> None:
        """Variables of all hosts, and the hosts of each group with their own."""
        zone = {"sluice_zone": "tempZone", "zone_policies_environment": str(self.zone.environment)}
        children = {name: {"hosts": hosts} for name, hosts in groups.items()}
        inventory = {"all": {"vars": {**self.here, **zone, **values}, "children": children}}
        self.inventory.write_text(json.dumps(inventory, indent=4))

    def close(self) -> None:
        """Stop the zone, remove the folder."""
        self.zone.run("stop")
        super().close()


class Deployment(PlaybooksOnZone):
    """Everything on this host, below a prefix, on free ports."""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = self.home / "root"
        self.prefix.mkdir()
        self.private = self.private_folder("private")
        self.port = free_port()
        self.user = f"sl{secrets.token_hex(3)}"
        values = self._zone_values() | self._service_values() | self._daemon_values()
        groups = ("zone", "broker", "database", "workers", "shim", "proxy")
        self.write_inventory(values, {name: {"localhost": {}} for name in groups})

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.prefix / "etc/sluice/proxy/tls.crt"

    def running(self) -> dict[str, dict[str, Any]]:
        """What the supervisors say that runs, by service."""
        folder = self.prefix / "etc/sluice/supervise"
        return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.state"))}

    def files(self) -> set[str]:
        """Everything below the prefix, as paths within it."""
        return {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*")}

    def close(self) -> None:
        """Uninstall whatever is left, then as always."""
        try:
            if self.files():
                self.done("uninstall.yml", sluice_remove_data=True, zone_policies_uninstall_with_active_jobs=True)
        finally:
            super().close()

    def _zone_values(self) -> dict[str, Any]:
        return {
            "sluice_prefix": str(self.prefix),
            "zone_policies_etc": str(self.zone.etc),
            "zone_policies_private": str(self.private),
            # an engine that a test slows down is not taken for dead
            "zone_policies_settings": {"patrol": {"seconds": 5}, "engine": {"lease_seconds": 3600}},
            "zone_policies_secret_files": {"pin": self.canary("pin")},
        }

    def _service_values(self) -> dict[str, Any]:
        return {
            "sluice_user": self.user,
            "sluice_irods_environment": json.loads(self.zone.environment.read_text()),
            "sluice_irods_password": self.canaries["zone"],
            "sluice_service_secret_files": {"webhook": self.canary("webhook")},
            "sluice_service_settings": {
                "webhooks": {"secret_file": f"{self.prefix}/etc/sluice/secrets/webhook"},
            },
        }

    def _daemon_values(self) -> dict[str, Any]:
        ports = {name: free_port() for name in ("broker", "distribution", "epmd", "database", "shim")}
        broker, database = self.canary("broker"), self.canary("database")
        return {
            "sluice_broker_password": broker,
            "sluice_database_password": database,
            "sluice_broker_url": f"amqp://sluice:{broker}@127.0.0.1:{ports['broker']}//",
            "sluice_results_url": f"db+postgresql+psycopg://sluice:{database}@127.0.0.1:{ports['database']}/sluice",
            "broker_port": ports["broker"],
            "broker_distribution_port": ports["distribution"],
            "broker_epmd_port": ports["epmd"],
            "broker_node": f"sluice{ports['broker']}@localhost",
            "broker_erlang_arguments": "+S 1:1 +sbwt none",  # it must not eat the machine it is tested on
            "database_port": ports["database"],
            "api_shim_port": ports["shim"],
            "proxy_names": ["localhost", "127.0.0.1"],
            "proxy_address": "127.0.0.1",
            "proxy_port": self.port,
            "proxy_shims": [f"127.0.0.1:{ports['shim']}"],
            "proxy_self_signed": True,
        }


def _copied(tree: Path) -> Path:
    """What a release is made from: runs that must be equal must not see an edit between them."""
    tree.mkdir()
    for name in ("api_shim", "embedded_zone", "python_rules", "workers", "requirements"):
        shutil.copytree(TREE / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(TREE / name, tree / name)
    return tree
