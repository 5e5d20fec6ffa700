"""A blocking client: what the delay server and federation use to talk to a zone, in either body protocol.

with ZoneClient.service(config, client=("alice", "tempZone"), option="irodsDelayServer") as zone:
    zone.call(1206, {...}, request_type="ExecRuleExpression_PI")
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from embedded_zone.config import ZoneConfig
from embedded_zone.connection import ClientGone, Connection
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes, frame
from embedded_zone.wire.frame import Frame, Header, encode_header
from embedded_zone.wire.obfuscation import decode_irods_a, digest_response, signature_of
from embedded_zone.wire.packing import Protocol, pack, unpack

VERSION = "rods5.0.2"
KEY_SIZE, SALT_SIZE, HASH_ROUNDS = 32, 8, 16
AUTHENTICATION = 110000
CONNECT_SECONDS = 30.0


@dataclass
class Answer:
    """A server's reply to one call: a status of 0 or more, the structure, the bytes after it, the error stack."""

    status: int = 0
    body: Any = None
    stream: bytes | memoryview = b""
    errors: list[tuple[int, str]] = field(default_factory=list)


class ZoneClient:
    """One connection to a zone, logged in unless ``password`` is None (only what needs no login works then).

    Raises IrodsError with the server's code, SYS_SOCK_CONNECT_ERR when there is no server, and
    SYS_SOCK_READ_ERR when it went away.
    """

    def __init__(
        self,
        host: str,
        port: int,
        proxy: tuple[str, str],
        password: str | None,
        *,
        client: tuple[str, str] | None = None,
        protocol: Protocol = Protocol.NATIVE_PROT,
        option: str = "",
        tls: ssl.SSLContext | None = None,
        timeout: float | None = None,
        connect_count: int = 0,
    ) -> None:
        self.proxy, self.client = proxy, client or proxy
        self.protocol = protocol
        self.signature = ""
        self.server_version = ""
        try:
            sock = socket.create_connection((host, port), timeout or CONNECT_SECONDS)
        except OSError as error:
            raise IrodsError(codes.SYS_SOCK_CONNECT_ERR - (error.errno or 0), f"{host}:{port}: {error}") from None
        self._connection = Connection(sock)
        try:
            self._start(host, option, tls, connect_count)
            if password is not None:
                self._log_in(password)
        except BaseException:
            self._connection.close()
            raise
        self._connection.socket.settimeout(timeout)

    @classmethod
    def service(cls, config: ZoneConfig, **options: Any) -> ZoneClient:
        """A connection of the zone's service account to its own zone; ``options`` as of the constructor."""
        values = json.loads(config.service_environment.read_text(encoding="utf-8"))
        if config.tls_certificate_chain_file:
            options.setdefault("tls", trusting(config.tls_certificate_chain_file))
        user = (values["irods_user_name"], values["irods_zone_name"])
        return cls(values["irods_host"], values["irods_port"], user, service_password(config), **options)

    def __enter__(self) -> ZoneClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and close; a connection that is broken already is just closed."""
        with contextlib.suppress(ClientGone):
            self._connection.write(Frame(frame.DISCONNECT))
        self._connection.close()

    # --- calls

    def call(
        self,
        number: int,
        request: Any = None,
        stream: bytes | memoryview = b"",
        *,
        request_type: str = "",
        reply_type: str = "",
    ) -> Answer:
        """One API call; raises IrodsError for a negative status, whose ``reply`` is the body sent with it.

        ``request_type`` and ``reply_type`` name pack instructions, or are "json".
        """
        answer = self.exchange(number, request, stream, request_type=request_type, reply_type=reply_type)
        if answer.status < 0:
            text = answer.errors[0][1] if answer.errors else f"API {number}"
            raise IrodsError(answer.status, text, answer.body)
        answer.stream = bytes(answer.stream)
        return answer

    def exchange(
        self,
        number: int,
        request: Any = None,
        stream: bytes | memoryview = b"",
        *,
        request_type: str = "",
        reply_type: str = "",
    ) -> Answer:
        """As ``call``, but a negative status is answered, and ``stream`` is a view that the next call overwrites."""
        msg = self._packed(request_type, request) if request_type else b""
        self._write(Frame(frame.API_REQUEST, msg, b"", stream, number))
        reply = self._read()
        body = self._unpacked(reply_type, reply.msg) if reply_type and reply.msg else None
        return Answer(reply.int_info, body, reply.bs, self._errors(reply.error))

    def _packed(self, name: str, value: Any) -> bytes:
        if name == "json":
            text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
            return pack("BinBytesBuf_PI", {"buf": text}, self.protocol)
        return pack(name, value, self.protocol)

    def _unpacked(self, name: str, msg: bytes) -> Any:
        if name != "json":
            return unpack(name, msg, self.protocol)
        buffer = unpack("BinBytesBuf_PI", msg, self.protocol)["buf"]
        return json.loads(buffer.rstrip(b"\0").decode("utf-8", "surrogateescape"))

    def _errors(self, data: bytes) -> list[tuple[int, str]]:
        if not data:
            return []
        stack = unpack("RError_PI", data, self.protocol)["RErrMsg_PI"]
        return [(entry["status"], entry["msg"]) for entry in stack]

    def _write(self, message: Frame) -> None:
        try:
            self._connection.write(message)
        except ClientGone as gone:
            raise IrodsError(codes.SYS_SOCK_READ_ERR, str(gone)) from None

    def _read(self) -> Frame:
        try:
            return self._connection.read()
        except ClientGone as gone:
            raise IrodsError(codes.SYS_SOCK_READ_ERR, str(gone)) from None

    # --- start

    def _start(self, host: str, option: str, tls: ssl.SSLContext | None, connect_count: int) -> None:
        startup = {
            "irodsProt": self.protocol.value,
            "connectCnt": connect_count,
            "proxyUser": self.proxy[0],
            "proxyRcatZone": self.proxy[1],
            "clientUser": self.client[0],
            "clientRcatZone": self.client[1],
            "relVersion": VERSION,
            "apiVersion": "d",
            "option": f"{option}request_server_negotiation",
        }
        self._write(Frame(frame.CONNECT, frame.body("StartupPack_PI", startup)))
        answer, encrypted = self._read(), False
        if answer.type == frame.NEGOTIATION:
            encrypted = self._negotiate(answer, tls)
            answer = self._read()
        version = unpack("Version_PI", answer.msg, Protocol.XML_PROT)
        if version["status"] < 0:
            raise IrodsError(version["status"], f"{host} refuses the connection")
        self.server_version = version["relVersion"]
        if encrypted and tls is not None:
            self._encrypt(tls, host)

    def _negotiate(self, offer: Frame, tls: ssl.SSLContext | None) -> bool:
        policy = unpack("CS_NEG_PI", offer.msg, Protocol.XML_PROT)["result"]
        if policy == "CS_NEG_REQUIRE" and tls is None:
            raise IrodsError(codes.CLIENT_NEGOTIATION_ERROR, "the zone requires TLS, no certificate is configured")
        encrypted = policy == "CS_NEG_REQUIRE"
        choice = "CS_NEG_USE_SSL" if encrypted else "CS_NEG_USE_TCP"
        body = frame.body("CS_NEG_PI", {"status": 1, "result": f"cs_neg_result_kw={choice};"})
        self._write(Frame(frame.NEGOTIATION, body))
        return encrypted

    def _encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        self._connection.upgrade(tls, server=False, host=host if tls.check_hostname else None)
        settings = Header("AES-256-CBC", KEY_SIZE, SALT_SIZE, HASH_ROUNDS)
        secret = encode_header(Header("SHARED_SECRET", KEY_SIZE)) + secrets.token_bytes(KEY_SIZE)
        self._connection.send_raw(encode_header(settings) + secret)

    def _log_in(self, password: str) -> None:
        common = {"scheme": "native", "user_name": self.proxy[0], "zone_name": self.proxy[1]}
        ask = {**common, "next_operation": "auth_agent_auth_request"}
        answer = self.call(AUTHENTICATION, ask, request_type="json", reply_type="json").body
        challenge = answer["request_result"].encode("utf-8")
        digest = base64.b64encode(digest_response(challenge, password)).decode("ascii")
        respond = {**answer, "next_operation": "auth_agent_auth_response", "digest": digest}
        self.call(AUTHENTICATION, respond, request_type="json", reply_type="json")
        self.signature = signature_of(challenge)


def service_password(config: ZoneConfig) -> str:
    """The password of the zone's service account, from its ``.irodsA``."""
    return decode_irods_a(config.service_environment.with_name(".irodsA").read_text(encoding="utf-8"))


def trusting(certificate: str) -> ssl.SSLContext:
    """TLS settings that accept exactly the chain in a file, whatever the host is called."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    return context
