"""icommands' API calls: recorded once from the real programs through a proxy, sent again by ``ZoneClient``.

The recording (``traces/icommands.json``) holds for each action its connections, for each of these the calls: number,
unpacked request, bytes. Local paths are kept as ``{scratch}`` and ``{vault}``, so that any zone can be asked.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedded_zone.api import OPERATIONS
from embedded_zone.client import ZoneClient
from embedded_zone.wire import obfuscation
from embedded_zone.wire.frame import API_REQUEST, Decoder, Frame
from embedded_zone.wire.packing import Protocol, unpack
from tests.zone.hook_zone import HookZone

RECORDING = Path(__file__).parent / "traces" / "icommands.json"
AUTHENTICATION, USER_ADMIN = 110000, 714
CHUNK = 1 << 20

Connection = dict[str, Any]  # option, calls


def replay(running: HookZone, connections: list[Connection]) -> None:
    """Send recorded calls again, one connection after the other; error replies are part of the action."""
    arguments = running.zone.config.host, running.zone.port, ("rods", "tempZone"), running.zone.password
    for connection in connections:
        with ZoneClient(*arguments, option=connection["option"], timeout=60) as client:
            for number, request, stream in connection["calls"]:
                structure = OPERATIONS[number].request if number in OPERATIONS else None
                value = _map_texts(request, lambda text: text.format_map(_places(running)))
                if number == USER_ADMIN and value["arg2"] == "password":
                    text = obfuscation.pad_password(running.zone.password)
                    value["arg3"] = obfuscation.scramble_v2(text, running.zone.password, client.signature)
                data = _unwrapped(stream)
                client.exchange(number, _decoded(value), data, request_type=structure or "")


def _places(running: HookZone) -> dict[str, str]:
    return {"scratch": str(running.scratch), "vault": str(running.vault), "host": socket.gethostname()}


# --- recording


class RecordingProxy:
    """Passes connections on to a zone and keeps what clients ask; a context manager with a ``port``."""

    def __init__(self, running: HookZone) -> None:
        self._running = running
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[Connection] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> RecordingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def taken(self) -> list[Connection]:
        """The connections since the last call, after they ended."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        taken, self.connections = self.connections, []
        return taken

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._running.zone.port))
            connection: Connection = {"option": "", "calls": []}
            self.connections.append(connection)
            thread = threading.Thread(target=self._relay, args=(client, server, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _relay(self, client: socket.socket, server: socket.socket, connection: Connection) -> None:
        decoder = Decoder()
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector, client, server:
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    end: socket.socket = key.fileobj  # type: ignore[assignment]  # what was registered
                    data = end.recv(CHUNK)
                    if not data:
                        return
                    if end is client:
                        for frame in decoder.feed(data):
                            self._keep(connection, frame)
                    other[end].sendall(data)

    def _keep(self, connection: Connection, frame: Frame) -> None:
        if frame.type == "RODS_CONNECT":
            option = unpack("StartupPack_PI", frame.msg, Protocol.XML_PROT)["option"]
            connection["option"] = option.replace("request_server_negotiation", "").strip(";")
        elif frame.type == API_REQUEST and frame.int_info != AUTHENTICATION:
            connection["calls"].append((frame.int_info, self._request(frame), _wrapped(bytes(frame.bs))))

    def _request(self, frame: Frame) -> Any:
        operation = OPERATIONS.get(frame.int_info)
        if operation is None or operation.request is None or not frame.msg:
            return None
        name = "BinBytesBuf_PI" if operation.request == "json" else operation.request
        value = unpack(name, frame.msg, Protocol.NATIVE_PROT)
        if operation.request == "json":
            value = json.loads(value["buf"].rstrip(b"\0"))
        return _encoded(_map_texts(value, self._without_places))

    def _without_places(self, text: str) -> str:
        text = text.replace("{", "{{").replace("}", "}}")
        places = _places(self._running)
        for name in ("vault", "scratch"):
            text = text.replace(places[name], f"{{{name}}}")
        return text.replace(f"'{places['host']}", "'{host}")  # in the conditions of queries


def run_icommand(running: HookZone, port: int, command: str) -> int:
    """The real icommand, as the trace's ``command`` says it; its exit code."""
    home = running.scratch / "client"
    home.mkdir(exist_ok=True)
    values = json.loads(running.zone.environment_file.read_text(encoding="utf-8"))
    (home / "irods_environment.json").write_text(json.dumps({**values, "irods_port": port}), encoding="utf-8")
    # with its time: icommands refuse a password file that is much younger than its content
    shutil.copy2(running.zone.environment_file.with_name(".irodsA"), home)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "IRODS_ENVIRONMENT_FILE": str(home / "irods_environment.json"),
        "IRODS_AUTHENTICATION_FILE": str(home / ".irodsA"),
        "IRODS_HOME": str(running.scratch),
    }
    text = command.replace("$IRODS_HOME/Vault", str(running.vault))
    done = subprocess.run(
        ["bash", "-c", text], cwd=running.scratch, env=environment, capture_output=True, check=False, timeout=120
    )
    if done.returncode:
        print(f"{command}: {done.returncode} {(done.stdout + done.stderr).decode()[-300:]}")
    return done.returncode


# --- requests as JSON


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_texts(entry, change) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(entry, change) for entry in value]
    return value


def _encoded(value: Any) -> Any:
    """Bytes as ``{"base64": …}``."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {key: _encoded(entry) for key, entry in value.items()}
    return [_encoded(entry) for entry in value] if isinstance(value, list) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"])
        return {key: _decoded(entry) for key, entry in value.items()}
    return [_decoded(entry) for entry in value] if isinstance(value, list) else value


def _wrapped(data: bytes) -> Any:
    """A call's bytes: text where they are, a length where they are zeros."""
    if data and not data.strip(b"\0"):
        return len(data)
    return data.decode("latin-1")


def _unwrapped(stored: Any) -> bytes:
    return bytes(stored) if isinstance(stored, int) else str(stored).encode("latin-1")
