"""The query APIs as the dispatcher calls them: statements of a connection, zones, error texts, packed replies."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Agent
from embedded_zone.api import OPERATIONS, query
from embedded_zone.errors import IrodsError
from embedded_zone.federation import hints
from embedded_zone.wire import codes
from embedded_zone.wire.packing import Protocol, pack, unpack
from tests.zone.catalog_zone import HOME, CatalogZone

REQUEST: dict[str, Any] = {"maxRows": 2, "InxIvalPair_PI": [(501, 1)], "InxValPair_PI": [], "KeyValPair_PI": {}}


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    zone = CatalogZone(tmp_path)
    return Agent(zone.config, zone.db, logging.getLogger("test"), zone.admin, zone.admin)


@pytest.mark.parametrize(("number", "pep"), [(702, "gen_query"), (722, "specific_query"), (10221, "genquery2")])
def test_registered(number: int, pep: str) -> None:
    """The three calls are in the table under the names of their hooks."""
    assert OPERATIONS[number].pep == f"api_{pep}"


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_reply_can_be_packed(agent: Agent, protocol: Protocol) -> None:
    """An answer survives the wire in both protocols."""
    body = query.gen_query(agent, REQUEST, b"").body
    assert unpack("GenQueryOut_PI", pack("GenQueryOut_PI", body, protocol), protocol)["SqlResult_PI"][0] == {
        "attriInx": 501,
        "reslen": 50,
        "value": ["/", "/tempZone"],
    }


def test_pages_of_a_connection(agent: Agent) -> None:
    """The second page continues where the first ended, on the same connection only."""
    first = query.gen_query(agent, REQUEST, b"").body
    second = query.gen_query(agent, REQUEST | {"continueInx": first["continueInx"]}, b"").body
    assert second["SqlResult_PI"][0]["value"] == [HOME, f"{HOME}/public"]
    agent.scratch.clear()
    with pytest.raises(IrodsError) as caught:
        query.gen_query(agent, REQUEST | {"continueInx": 1}, b"")
    assert caught.value.code == codes.CAT_NO_ROWS_FOUND


@pytest.mark.parametrize(
    ("request_", "zone"),
    [
        ({"KeyValPair_PI": {"zone": "otherZone"}}, "otherZone"),
        ({"KeyValPair_PI": {"zone": "/otherZone/home"}}, "otherZone"),
        ({"InxValPair_PI": [(501, "= '/otherZone/home'")]}, "otherZone"),
        ({"InxValPair_PI": [(501, "= '/otherZone'")]}, "otherZone"),
        ({"InxValPair_PI": [(501, "<>'/'"), (502, "like '/otherZone/%'")]}, "otherZone"),
        ({"InxValPair_PI": [(403, "= '/otherZone'")]}, ""),
        ({}, ""),
    ],
)
def test_zone_hint(request_: dict[str, Any], zone: str) -> None:
    """The zone is the keyword's, or that of the first path in a condition on a collection."""
    assert hints.of_query(request_) == zone


def test_unknown_zone(agent: Agent) -> None:
    """A zone that is named and unknown is an error, one that follows from a path is not."""
    with pytest.raises(IrodsError) as caught:
        query.gen_query(agent, REQUEST | {"KeyValPair_PI": {"zone": "otherZone"}}, b"")
    assert caught.value.code == codes.SYS_INVALID_ZONE_NAME
    with pytest.raises(IrodsError) as caught:
        query.gen_query(agent, REQUEST | {"InxValPair_PI": [(501, "= '/otherZone'")]}, b"")
    assert caught.value.code == codes.CAT_NO_ROWS_FOUND
    with pytest.raises(IrodsError) as caught:
        query.genquery2_api(agent, {"query_string": "select ZONE_NAME", "zone": "TEMPZONE"}, b"")
    assert caught.value.code == codes.SYS_INVALID_ZONE_NAME


def test_unknown_specific_query(agent: Agent) -> None:
    """The client gets a hint beside the code."""
    with pytest.raises(IrodsError) as caught:
        query.specific_query_api(agent, {"sql": "foo", "maxRows": 1}, b"")
    assert caught.value.code == codes.CAT_UNKNOWN_SPECIFIC_QUERY
    assert "not pre-defined" in agent.r_error[0][1]


def test_genquery2(agent: Agent) -> None:
    """Rows come as JSON text in a STR_PI."""
    body = query.genquery2_api(agent, {"query_string": "select ZONE_NAME", "zone": "tempZone"}, b"").body
    assert json.loads(body["myStr"]) == [["tempZone"]]


def test_a_value_too_long_to_read(agent: Agent) -> None:
    """901 characters of three bytes can be stored; from then on the AVU cannot be read."""
    zone_id = agent.db.value("select coll_id from R_COLL_MAIN where coll_name = ?", (HOME,))
    for number, value in ((1, "x" * 2700), (2, "€" * 901)):
        row = (number, "", f"a{number}", value, "", "", "0", "0")
        agent.db.execute("insert into R_META_MAIN values (?,?,?,?,?,?,?,?)", row)
        agent.db.execute("insert into R_OBJT_METAMAP values (?,?,'0','0')", (zone_id, number))
    request = REQUEST | {"InxIvalPair_PI": [(501, 1), (611, 1)]}
    assert query.gen_query(agent, request | {"InxValPair_PI": [(610, "= 'a1'")]}, b"").body["rowCnt"] == 1
    with pytest.raises(IrodsError) as caught:
        query.gen_query(agent, request, b"")
    assert caught.value.code == codes.CAT_GET_ROW_ERR
