"""A transit service for tests: the part of Vault's and OpenBao's HTTP API that wraps and unwraps.

No registry that the tests may use (PyPI, npm, Debian) has the real server: Debian 12 packages neither, npm's
``vault-bin`` and PyPI's ``vault-dev`` only download it from its maker. This one answers hvac, the real client, with
the routes, status codes, JSON shapes and ciphertext form (``vault:v<n>:<base64 of nonce, ciphertext, tag>``, AES-256-
GCM, ``associated_data``) that the API documentation of the transit engine gives.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    """An answer other than 200: its status and what stands in ``errors``."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status)
        self.status = status
        self.errors = list(errors)


class Transit:
    """The engine mounted at ``transit/``: keys by name, the versions of each."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.keys: dict[str, list[bytes]] = {}
        self.sealed = False  # as after a restart: every request is 503

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The ``data`` of an answer; None for 204."""
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        if token != self.token:
            raise Refused(403, "permission denied")
        verb, _, name = path.removeprefix("/v1/transit/").partition("/")
        name, _, more = name.partition("/")
        act = {
            ("GET", "keys", ""): self.read,
            ("POST", "keys", ""): self.create,
            ("POST", "keys", "rotate"): self.rotate,
            ("POST", "encrypt", ""): self.encrypt,
            ("POST", "decrypt", ""): self.decrypt,
        }.get((method, verb, more))
        if act is None:
            raise Refused(404)
        return act(name, body)

    def read(self, name: str, _body: dict[str, Any]) -> dict[str, Any]:
        if name not in self.keys:
            raise Refused(404)
        return {"name": name, "type": "aes256-gcm96", "latest_version": len(self.keys[name]), "exportable": False}

    def create(self, name: str, _body: dict[str, Any]) -> None:
        self.keys.setdefault(name, [os.urandom(32)])

    def rotate(self, name: str, _body: dict[str, Any]) -> None:
        self.keys[name].append(os.urandom(32))

    def encrypt(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self.create(name, {})  # as the real one: encrypt makes the key if the policy allows creation
        nonce = os.urandom(12)
        sealed = AESGCM(self.keys[name][-1]).encrypt(nonce, _bytes(body["plaintext"]), _associated(body))
        version = len(self.keys[name])
        return {"ciphertext": f"vault:v{version}:{_text(nonce + sealed)}", "key_version": version}

    def decrypt(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name not in self.keys:
            raise Refused(400, "encryption key not found")
        try:
            mark, version, text = body["ciphertext"].split(":")
            sealed, key = _bytes(text), self.keys[name][int(version.removeprefix("v")) - 1]
        except (ValueError, IndexError):
            raise Refused(400, "invalid ciphertext: no prefix") from None
        if mark != "vault":
            raise Refused(400, "invalid ciphertext: no prefix")
        try:
            return {"plaintext": _text(AESGCM(key).decrypt(sealed[:12], sealed[12:], _associated(body)))}
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None


@contextmanager
def served(token: str) -> Iterator[tuple[str, Transit]]:
    """A service on a port of its own: its address, and the engine behind it."""
    engine = Transit(token)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            try:
                data = engine.answer(self.command, self.path, self.headers.get("X-Vault-Token", ""), body)
            except Refused as refused:
                return self._send(refused.status, {"errors": refused.errors})
            return self._send(204 if data is None else 200, {"lease_id": "", "data": data} if data else None)

        do_GET = do_POST = do_PUT = _answer

        def _send(self, status: int, content: Any) -> None:
            text = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: requests hold secrets."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _associated(body: dict[str, Any]) -> bytes:
    return _bytes(body.get("associated_data") or "")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
