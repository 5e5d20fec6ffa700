"""A real server of each type of system, started for the tests: what the contract suite runs over.

A new type is a function that yields a Peer, and a row of PEERS.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedded_zone.server.supervisor import EmbeddedZone
from python_rules import systems
from python_rules.engine.systems.place import Place
from python_rules.engine.systems.system import System
from python_rules.engine.systems.table import opened
from tests.peers.daemon import Daemon
from tests.stack.waiting import until
from tests.systems.files import write


@dataclass
class Peer:
    """A system whose server runs, and what the server can do."""

    kind: str
    settings: dict[str, Any]
    user: str = "alice#tempZone"
    writes: bool = True
    folders: bool = True  # empty ones too
    links: bool = True
    times: bool = True  # modify times are kept, to the second
    resumes: bool = True  # what a broken attempt wrote is there for the next one
    holds: int | None = None  # bytes of two blocks that are there, if neither both nor none
    lists: bool = True
    seeks: bool = True  # a file has a size, and is read from any offset
    form: Callable[[int], bytes] = os.urandom  # the content of a file of so many bytes, or about so many
    shown: Callable[[bytes], object] = bytes  # what of a content comes back
    ending: str = ""  # of every file's name
    parent: str | None = None  # the folder that all files lie in; None: each test makes one of its own
    put: Callable[[str, bytes], None] | None = None  # how a file gets there that Sluice does not write
    bad_names: tuple[str, ...] = ("x" * 300,)
    names: tuple[str, ...] = ("plain.txt", 'a b/it\'s "q" ünï☃.txt', "-rf", "100%_<x>&|;$`", "back\\slash")
    wrong: dict[str, dict[str, Any]] = field(default_factory=dict)  # settings to break it, by the code that is told

    def system(self, **changed: Any) -> System:
        """The system as sluice.json has it, with other settings here and there."""
        given = {"type": self.kind, "allowed": ["public"], **self.settings, **changed}
        filled = systems.checked({self.kind: given}, AssertionError)[self.kind]
        return System(self.kind, filled, self.user)

    def open(self, **changed: Any) -> Place:
        """A place of it."""
        return opened(self.system(**changed))

    def bring(self, place: Place, path: str, data: bytes) -> None:
        """A file there, by whichever way."""
        if self.put:
            self.put(path, data)
        else:
            write(place, path, data)


@contextmanager
def posix(home: Path) -> Iterator[Peer]:
    base = home / "area"
    base.mkdir()
    yield Peer("posix", {"base": str(base)}, wrong={"system_error": {"base": str(home / "missing")}})


class Sshd(Daemon):
    """OpenSSH's server on a free port, which knows one key."""

    def __init__(self, *settings: str) -> None:
        super().__init__("sshd", getpass.getuser())
        self._settings = settings
        for name in ("host", "other_host", "client", "other_client"):
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.home / name))
        self.known_hosts = self._known("host", "known_hosts")
        self.wrong_hosts = self._known("other_host", "wrong_hosts")
        (self.home / "base").mkdir()

    def command(self) -> list[str]:
        Path("/run/sshd").mkdir(exist_ok=True)
        options = [
            f"Port={self.port}",
            "ListenAddress=127.0.0.1",
            f"HostKey={self.home}/host",
            f"AuthorizedKeysFile={self.home}/client.pub",
            "PidFile=none",
            "StrictModes=no",
            "UsePAM=no",
            "PasswordAuthentication=no",
            "PermitRootLogin=prohibit-password",
            "Subsystem=sftp internal-sftp",
            *self._settings,
        ]
        return ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", *(part for one in options for part in ("-o", one))]

    def processes(self) -> list[int]:
        """The server's process, and those of its connections, which have sessions of their own."""
        assert self._process
        return processes_of(self._process.pid)

    def settings(self) -> dict[str, Any]:
        """The system's settings."""
        return {
            "address": f"127.0.0.1:{self.port}",
            "user": getpass.getuser(),
            "key_file": str(self.home / "client"),
            "known_hosts": str(self.known_hosts),
            "base": str(self.home / "base"),
            "timeout_seconds": 10,
        }

    def _known(self, key: str, name: str) -> Path:
        path = self.home / name
        path.write_text(f"[127.0.0.1]:{self.port} {(self.home / (key + '.pub')).read_text()}")
        return path


def processes_of(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in processes_of(int(child)))]


def ssh_options(server: Sshd, port: str = "-p") -> list[str]:
    """What ``ssh`` and its kin are called with to reach it."""
    known = ["-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
    return ["-F", "none", "-i", str(server.home / "client"), *known, port, str(server.port)]


@contextmanager
def sftp(home: Path) -> Iterator[Peer]:
    with Sshd() as server:
        server.start()
        wrong = {
            "system_refused": {"known_hosts": str(server.wrong_hosts)},
            "system_refused ": {"key_file": str(server.home / "other_client")},
            "system_unavailable": {"address": "127.0.0.1:1"},
            "configuration": {"key_file": str(server.known_hosts)},
        }
        yield Peer("sftp", server.settings(), wrong=wrong)


@contextmanager
def rsync(home: Path) -> Iterator[Peer]:
    """Debian's rsync behind the same server; files of any size are sent as differences."""
    with sftp(home) as peer:
        missing = {"system_error": {"program": "/no/such/rsync"}, "configuration ": {"program": "rsync; true"}}
        settings = {**peer.settings, "delta_kib": 0}
        yield Peer("rsync", settings, wrong={**peer.wrong, **missing})


class Nginx(Daemon):
    """nginx with TLS and a certificate of its own making, on a folder; one place points to another host."""

    def __init__(self) -> None:
        super().__init__("nginx", getpass.getuser())
        self.files = self.home / "files" / "pub"
        self.files.mkdir(parents=True)
        names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
        self.run(*new, "-keyout", str(self.home / "key.pem"), "-out", str(self.home / "cert.pem"))
        self._configure("")

    def allow(self, token: str) -> None:
        """Have what lies in pub/guarded be given to this bearer alone, from now on."""
        self._configure(f'location /pub/guarded/ {{ if ($http_authorization != "Bearer {token}") {{ return 401; }} }}')
        self.run("/usr/sbin/nginx", "-p", str(self.home), "-c", str(self.home / "nginx.conf"), "-t")
        before = self.workers()
        os.kill(before[0], signal.SIGHUP)
        until(lambda: None if any(map(_accepts, before[1:])) else True, "nginx's new workers")

    def workers(self) -> list[int]:
        """Its processes, the first one first."""
        assert self._process
        return processes_of(self._process.pid)

    def _configure(self, more: str) -> None:
        (self.home / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {self.home}/pid; error_log stderr; user root;\n"
            "events {}\n"
            f"http {{ access_log off; client_body_temp_path {self.home}/b; proxy_temp_path {self.home}/p;"
            f" fastcgi_temp_path {self.home}/f; uwsgi_temp_path {self.home}/u; scgi_temp_path {self.home}/s;\n"
            f" server {{ listen 127.0.0.1:{self.port} ssl; ssl_certificate {self.home}/cert.pem;"
            f" ssl_certificate_key {self.home}/key.pem; root {self.home}/files;\n"
            "  location /pub/away/ { return 302 https://localhost:1$uri; }\n"
            "  location /pub/moved/ { rewrite ^/pub/moved/(.*)$ /pub/$1 permanent; }\n"
            f"  {more}\n"
            "  location /pub/busy { return 503; }\n"
            "  location /pub/secret { return 401; } } }\n"
        )

    def command(self) -> list[str]:
        return ["/usr/sbin/nginx", "-p", str(self.home), "-e", "stderr", "-c", str(self.home / "nginx.conf")]

    def put(self, name: str, content: bytes) -> None:
        """A file to be downloaded."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _accepts(worker: int) -> bool:
    """Whether a worker takes new connections; one that ends says so in its title."""
    with suppress(FileNotFoundError):
        return "shutting down" not in Path(f"/proc/{worker}/cmdline").read_text()
    return False


@contextmanager
def http(home: Path) -> Iterator[Peer]:
    with Nginx() as server:
        server.start()
        settings = {
            "address": f"https://127.0.0.1:{server.port}",
            "base": "pub",
            "authority": str(server.home / "cert.pem"),
            "timeout_seconds": 10,
        }
        wrong = {
            "system_refused": {"authority": ""},
            "system_unavailable": {"address": "https://127.0.0.1:1"},
            "configuration": {"token_file": str(server.home / "cert.pem")},
        }
        yield Peer("http", settings, writes=False, folders=False, links=False, lists=False, put=server.put, wrong=wrong)


@contextmanager
def irods(home: Path) -> Iterator[Peer]:
    """An embedded zone that knows nothing of ours; its administrator's account is used."""
    server = EmbeddedZone(home / "zone", zone_name="otherZone")
    server.start()
    try:
        values = json.loads(server.config.service_environment.read_text())
        secret = home / "password"
        secret.write_text(server.password)
        secret.chmod(0o600)
        settings = {
            "address": f"{values['irods_host']}:{values['irods_port']}",
            "zone": values["irods_zone_name"],
            "user": values["irods_user_name"],
            "password_file": str(secret),
            "base": f"/{values['irods_zone_name']}/home/{values['irods_user_name']}",
            "timeout_seconds": 10,
        }
        wrong = {"system_unavailable": {"address": "127.0.0.1:1"}, "system_refused": {"user": "nobody"}}
        yield Peer("irods", settings, links=False, resumes=False, holds=8 << 20, wrong=wrong)
    finally:
        server.stop()


PEERS: dict[str, Callable[[Path], AbstractContextManager[Peer]]] = {
    "posix": posix,
    "sftp": sftp,
    "rsync": rsync,
    "http": http,
    "irods": irods,
}
