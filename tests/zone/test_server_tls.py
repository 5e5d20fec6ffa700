"""TLS by negotiation, with the zone's own client and with python-irodsclient."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_zone.client import ZoneClient, trusting
from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire import codes
from tests.zone.server_zone import ADMIN, query


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    """A zone that requires TLS, with a certificate of its own."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "chain.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    values = {"tls_certificate_chain_file": str(certificate), "tls_certificate_key_file": str(key)}
    with EmbeddedZone(folder / "home", client_server_policy="CS_NEG_REQUIRE", **values) as running:
        yield running


def test_own_client(zone: EmbeddedZone) -> None:
    """The service account's client finds the certificate and logs in."""
    with ZoneClient.service(zone.config, timeout=20) as client:
        assert query(client, 102) == ["tempZone"]


def test_plain_client_is_refused(zone: EmbeddedZone) -> None:
    """A client without TLS gets no connection."""
    with pytest.raises(IrodsError) as caught:
        ZoneClient(zone.config.host, zone.port, ADMIN, zone.password, timeout=20)
    assert caught.value.code == codes.CLIENT_NEGOTIATION_ERROR


def test_wrong_certificate_is_noticed(zone: EmbeddedZone, tmp_path: Path) -> None:
    """The client checks whom it talks to."""
    other = tmp_path / "other.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x"
    command += f" -keyout {tmp_path}/k -out {other}"
    subprocess.run(command.split(), check=True, capture_output=True)
    with pytest.raises(Exception, match="TLS"):
        ZoneClient(zone.config.host, zone.port, ADMIN, zone.password, tls=trusting(str(other)), timeout=20)


def test_python_irodsclient(zone: EmbeddedZone) -> None:
    """python-irodsclient connects with the environment file that the zone wrote, and moves data."""
    session = pytest.importorskip("irods.session")
    options = {
        "irods_env_file": str(zone.environment_file),
        "irods_authentication_file": str(zone.environment_file.with_name(".irodsA")),
    }
    with session.iRODSSession(**options) as connected:
        path = "/tempZone/home/rods/tls.bin"
        data = bytes(range(256)) * 40000
        with connected.data_objects.open(path, "w") as target:
            target.write(data)
        with connected.data_objects.open(path, "r") as source:
            assert source.read() == data
        connected.data_objects.unlink(path, force=True)
