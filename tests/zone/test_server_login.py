"""Connecting and logging in: both protocols, both flows, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.client import ZoneClient
from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire import codes, frame
from embedded_zone.wire.frame import Decoder, Frame, encode
from embedded_zone.wire.obfuscation import digest_response, md5_hex
from embedded_zone.wire.packing import Protocol, unpack
from tests.zone.server_zone import ADMIN, connect, query, raw

BOTH = pytest.mark.parametrize("protocol", list(Protocol))
ZONE_NAME = 102


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    """A running zone, shared by the tests of this module."""
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        yield running


@BOTH
def test_login_and_query(zone: EmbeddedZone, protocol: Protocol) -> None:
    """The administrator logs in and gets an answer in either protocol."""
    with connect(zone, protocol) as client:
        assert client.server_version == zone.config.report_version
        assert query(client, ZONE_NAME) == ["tempZone"]


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        (ADMIN, "wrong", codes.CAT_INVALID_AUTHENTICATION),
        (("nobody", "tempZone"), "rods", codes.CAT_INVALID_USER),
        (("rods", "otherZone"), "rods", codes.CAT_INVALID_USER),
    ],
)
def test_refused_logins(zone: EmbeddedZone, user: tuple[str, str], password: str, code: int) -> None:
    """Wrong passwords and unknown users get iRODS's own codes."""
    with pytest.raises(IrodsError) as caught:
        ZoneClient(zone.config.host, zone.port, user, password, timeout=20)
    assert caught.value.code == code


def test_administrator_may_not_act_for_nobody(zone: EmbeddedZone) -> None:
    """An unknown client user behind the administrator is named as such."""
    with pytest.raises(IrodsError) as caught:
        ZoneClient(zone.config.host, zone.port, ADMIN, zone.password, client=("nobody", "tempZone"), timeout=20)
    assert caught.value.code == codes.CAT_INVALID_CLIENT_USER


@BOTH
def test_unknown_api_is_answered(zone: EmbeddedZone, protocol: Protocol) -> None:
    """An API that the zone lacks fails at once, and the connection goes on."""
    with connect(zone, protocol) as client:
        with pytest.raises(IrodsError) as caught:
            client.call(4242)
        assert caught.value.code == codes.SYS_UNMATCHED_API_NUM
        assert query(client, ZONE_NAME) == ["tempZone"]


def test_malformed_request_is_answered(zone: EmbeddedZone) -> None:
    """A body that is not the expected structure is an error of that call only."""
    with connect(zone) as client:
        with pytest.raises(IrodsError) as caught:
            client.call(702, {"myStr": "no query"}, request_type="STR_PI")
        assert caught.value.code == codes.SYS_PACK_INSTRUCT_FORMAT_ERR
        assert query(client, ZONE_NAME) == ["tempZone"]


def test_temporary_password_works_once(zone: EmbeddedZone) -> None:
    """A temporary password logs in a single time."""
    with connect(zone) as client:
        seed = client.call(709, reply_type="getTempPasswordOut_PI").body["stringToHashWith"]
    password = md5_hex(seed + zone.password)
    connect(zone, password=password).close()
    with pytest.raises(IrodsError) as caught:
        connect(zone, password=password)
    assert caught.value.code == codes.CAT_INVALID_AUTHENTICATION


def test_limited_password_lifetime_is_checked(zone: EmbeddedZone) -> None:
    """A limited password works more than once; too long a life is refused."""
    with connect(zone) as client:
        call: dict[str, Any] = {"request_type": "getLimitedPasswordInp_PI", "reply_type": "getLimitedPasswordOut_PI"}
        seed = client.call(726, {"ttl": 1}, **call).body["stringToHashWith"]
        with pytest.raises(IrodsError) as caught:
            client.call(726, {"ttl": 24 * 15}, **call)
        assert caught.value.code == codes.PAM_AUTH_PASSWORD_INVALID_TTL
    for _ in range(2):
        connect(zone, password=md5_hex(seed + zone.password)).close()


class Talker:
    """A client by hand: frames out, frames in."""

    def __init__(self, zone: EmbeddedZone) -> None:
        self.socket = raw(zone)
        self.decoder = Decoder()

    def say(self, message: Frame) -> None:
        """Send one frame."""
        self.socket.sendall(b"".join(bytes(part) for part in encode(message)))

    def hear(self) -> Frame:
        """Receive one frame."""
        while True:
            data = self.socket.recv(65536)
            assert data, "closed"
            for message in self.decoder.feed(data):
                return message

    def start(self, **values: Any) -> Frame:
        """Send a startup pack and return the first answer."""
        pack = {"irodsProt": 1, "proxyUser": "rods", "proxyRcatZone": "tempZone", "clientUser": "rods",
                "clientRcatZone": "tempZone", "relVersion": "rods5.0.2", "apiVersion": "d"}  # fmt: skip
        self.say(Frame(frame.CONNECT, frame.body("StartupPack_PI", {**pack, **values})))
        return self.hear()


def test_legacy_login(zone: EmbeddedZone) -> None:
    """Challenge and response of iRODS before 4.3 are still accepted."""
    talker = Talker(zone)
    assert talker.start().type == frame.VERSION
    talker.say(Frame(frame.API_REQUEST, int_info=703))
    challenge = unpack("authRequestOut_PI", talker.hear().msg, Protocol.XML_PROT)["challenge"]
    assert len(challenge) == 64
    response = {"response": digest_response(challenge, zone.password), "username": "rods#tempZone"}
    talker.say(Frame(frame.API_REQUEST, frame.body("authResponseInp_PI", response), int_info=704))
    assert talker.hear().int_info == 0
    talker.say(Frame(frame.DISCONNECT))
    assert talker.socket.recv(1) == b""


def test_strangers_have_no_privileges(zone: EmbeddedZone) -> None:
    """Before the login every other call is SYS_NO_API_PRIV."""
    talker = Talker(zone)
    talker.start()
    talker.say(Frame(frame.API_REQUEST, b"x", int_info=702))
    assert talker.hear().int_info == codes.SYS_NO_API_PRIV


def test_negotiation_agrees_on_tcp(zone: EmbeddedZone) -> None:
    """The zone offers its policy and takes the client's choice; its keyword is cut from the option."""
    talker = Talker(zone)
    offer = talker.start(option="irequest_server_negotiation")
    assert unpack("CS_NEG_PI", offer.msg, Protocol.XML_PROT) == {"status": 1, "result": "CS_NEG_DONT_CARE"}
    choice = frame.body("CS_NEG_PI", {"status": 1, "result": "cs_neg_result_kw=CS_NEG_USE_TCP;"})
    talker.say(Frame(frame.NEGOTIATION, choice))
    assert unpack("Version_PI", talker.hear().msg, Protocol.XML_PROT)["status"] == 0


@pytest.mark.parametrize(
    "result", ["cs_neg_result_kw=CS_NEG_FAILURE;", "", "CS_NEG_WHAT", "cs_neg_result_kw=CS_NEG_USE_SSL;"]
)
def test_failed_negotiation_is_told(zone: EmbeddedZone, result: str) -> None:
    """No agreement, or TLS without a certificate, ends in a version reply with the error."""
    talker = Talker(zone)
    talker.start(option="request_server_negotiation")
    talker.say(Frame(frame.NEGOTIATION, frame.body("CS_NEG_PI", {"status": 1, "result": result})))
    status = unpack("Version_PI", talker.hear().msg, Protocol.XML_PROT)["status"]
    assert status == codes.SERVER_NEGOTIATION_ERROR


def test_long_server_chains_are_refused(zone: EmbeddedZone) -> None:
    """A connection that came through eight servers is a loop."""
    version = unpack("Version_PI", Talker(zone).start(connectCnt=8).msg, Protocol.XML_PROT)
    assert version["status"] == codes.SYS_EXCEED_CONNECT_CNT


def test_heartbeat_is_echoed(zone: EmbeddedZone) -> None:
    """A load balancer's probe gets its word back."""
    talker = Talker(zone)
    talker.say(Frame(frame.CONNECT, frame.body("StartupPack_PI", {"option": frame.HEARTBEAT})))
    assert talker.socket.recv(64) == b"RODS_HEARTBEAT"


def test_broken_rule_base_refuses_connections(tmp_path: Path) -> None:
    """A core.py that cannot be imported refuses every connection, as on a real server."""
    with EmbeddedZone(tmp_path / "home") as zone:
        (zone.config.etc / "core.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
        with pytest.raises(IrodsError):
            connect(zone)
        (zone.config.etc / "core.py").write_text("", encoding="utf-8")
        connect(zone).close()
