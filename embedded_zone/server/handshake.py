"""From the first byte to the version reply: startup pack, negotiation, TLS (facts 1.2)."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from embedded_zone.config import ZoneConfig
from embedded_zone.connection import Connection
from embedded_zone.wire import codes, frame
from embedded_zone.wire.frame import Frame
from embedded_zone.wire.packing import PackError, Protocol, unpack

REQUEST_NEGOTIATION = "request_server_negotiation"
REQUIRE = "CS_NEG_REQUIRE"
REFUSE = "CS_NEG_REFUSE"
POLICIES = (REFUSE, REQUIRE, "CS_NEG_DONT_CARE")
USE_TLS = "CS_NEG_USE_SSL"
USE_TCP = "CS_NEG_USE_TCP"
FAILURE = "CS_NEG_FAILURE"
_RESULT_KEY = "cs_neg_result_kw"
_STATUS_SUCCESS = 1

API_VERSION = "d"
MAX_CONNECT_COUNT = 7  # of servers in a chain
MAX_SECRET = 1024
HANDSHAKE_SECONDS = 100.0  # READ_STARTUP_PACK_TOUT_SEC


class Refused(Exception):
    """The connection ends here; ``code`` was or shall be told to the client in the version reply."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Startup:
    """What a client said of itself; names are not yet proven."""

    protocol: Protocol
    connect_count: int
    proxy: tuple[str, str]
    client: tuple[str, str]
    version: tuple[int, ...]
    option: str
    negotiate: bool


def parse_version(text: str) -> tuple[int, ...]:
    """'rods5.0.2' as (5, 0, 2)."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def read_startup(connection: Connection) -> Startup | None:
    """The client's first message; None if it was only a heartbeat. Raises Refused for anything else."""
    first = connection.read()
    if first.type == frame.HEARTBEAT:
        return None
    if first.type != frame.CONNECT:
        raise Refused(codes.SYS_HEADER_TYPE_LEN_ERR, f"first message is {first.type}")
    try:
        pack = unpack("StartupPack_PI", first.msg, Protocol.XML_PROT)
    except PackError as error:
        raise Refused(error.code, error.message) from None
    if pack["option"] == frame.HEARTBEAT:
        return None
    if pack["connectCnt"] > MAX_CONNECT_COUNT:
        raise Refused(codes.SYS_EXCEED_CONNECT_CNT, f"{pack['connectCnt']} servers in the chain")
    option, found, _ = pack["option"].partition(REQUEST_NEGOTIATION)
    return Startup(
        protocol=Protocol.XML_PROT if pack["irodsProt"] == Protocol.XML_PROT.value else Protocol.NATIVE_PROT,
        connect_count=pack["connectCnt"] + 1,
        proxy=(pack["proxyUser"], pack["proxyRcatZone"]),
        client=(pack["clientUser"], pack["clientRcatZone"]),
        version=parse_version(pack["relVersion"]),
        option=option,
        negotiate=bool(found),
    )


def answer_heartbeat(connection: Connection) -> None:
    """Echo the word, as load balancers expect."""
    connection.send_raw(frame.HEARTBEAT.encode())


def negotiate(connection: Connection, startup: Startup, policy: str) -> bool:
    """Agree on plain or TLS; answers whether TLS was chosen. Raises Refused where the two cannot agree."""
    if not startup.negotiate:
        if policy == REQUIRE:
            raise Refused(codes.SYS_INVALID_INPUT_PARAM, "TLS is required, the client asked for no negotiation")
        return False
    offer = frame.body("CS_NEG_PI", {"status": _STATUS_SUCCESS, "result": policy})
    connection.write(Frame(frame.NEGOTIATION, offer))
    answer = connection.read()
    if answer.type != frame.NEGOTIATION:
        raise Refused(codes.SYS_HEADER_TYPE_LEN_ERR, f"{answer.type} instead of a negotiation")
    choice = unpack("CS_NEG_PI", answer.msg, Protocol.XML_PROT)
    result = _result(choice["result"])
    if choice["status"] != _STATUS_SUCCESS or result not in (USE_TLS, USE_TCP):
        raise Refused(codes.SERVER_NEGOTIATION_ERROR, f"the client answered {result!r}")
    if (policy, result) in {(REQUIRE, USE_TCP), (REFUSE, USE_TLS)}:
        raise Refused(codes.SERVER_NEGOTIATION_ERROR, f"{result} where the zone says {policy}")
    return result == USE_TLS


def _result(text: str) -> str:
    """The choice in ``cs_neg_result_kw=…;cs_neg_sid_kw=…;``; iRODS 4.0 sent it bare."""
    if "=" not in text:
        return text
    pairs = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    return pairs.get(_RESULT_KEY, "")


def send_version(connection: Connection, config: ZoneConfig, status: int = 0) -> None:
    """The reply that ends the handshake; a negative status tells why the client is refused."""
    value = {"status": status, "relVersion": config.report_version, "apiVersion": API_VERSION}
    connection.write(Frame(frame.VERSION, frame.body("Version_PI", value), int_info=status))


def tls_context(config: ZoneConfig) -> ssl.SSLContext:
    """The server's TLS settings; raises OSError if the certificate or its key cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.tls_certificate_chain_file, config.tls_certificate_key_file)
    return context


def start_tls(connection: Connection, context: ssl.SSLContext) -> None:
    """TLS handshake, then the client's two headers: how it would encrypt portal traffic, and a shared secret.

    The lengths in the first header are key size, salt size and hash rounds. Without portals nothing uses them.
    """
    connection.upgrade(context)
    connection.read_header()
    secret = connection.read_header()
    if not 0 <= secret.msg_len <= MAX_SECRET:
        raise Refused(codes.SYS_HEADER_READ_LEN_ERR, "shared secret too long")
    connection.read_bytes(secret.msg_len)


def agree(connection: Connection, config: ZoneConfig, startup: Startup, policy: Callable[[], str]) -> None:
    """Negotiation, version reply and TLS; a refusal is told to the client and raised again."""
    try:
        wanted = policy()
        use_tls = negotiate(connection, startup, wanted)
        context = tls_context(config) if use_tls else None
    except Refused as refusal:
        send_version(connection, config, refusal.code)
        raise
    except (PackError, OSError) as error:
        send_version(connection, config, codes.SERVER_NEGOTIATION_ERROR)
        raise Refused(codes.SERVER_NEGOTIATION_ERROR, str(error)) from error
    send_version(connection, config)
    if context is not None:
        start_tls(connection, context)
