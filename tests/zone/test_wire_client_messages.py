"""python-irodsclient's own message classes as the other side of the XML protocol."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

message = pytest.importorskip("irods.message")

from irods.message.message import Message  # noqa: E402

from embedded_zone.wire.instructions import INSTRUCTIONS  # noqa: E402
from embedded_zone.wire.layout import layout  # noqa: E402
from embedded_zone.wire.packing import Protocol, empty, pack, unpack  # noqa: E402

XML = Protocol.XML_PROT


def _classes() -> list[Any]:
    found = [c for _, c in inspect.getmembers(message, inspect.isclass) if issubclass(c, Message)]
    return sorted({c for c in found if getattr(c, "_name", None) in INSTRUCTIONS}, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", _classes(), ids=lambda c: c.__name__)
def test_fields_of_the_client_are_those_of_the_table_in_order(cls: Any) -> None:
    """Each class of the client sends its elements in the order that the instruction has."""
    names = [name for name, _ in cls._ordered_properties]
    known = [field.name for field in layout(cls._name)]
    places = [known.index(name) for name in names if name in known]
    assert places == sorted(places)


def test_client_reads_what_the_zone_packs() -> None:
    """A query result packed here is what the client's class shows."""
    rows = {
        "rowCnt": 2,
        "attriCnt": 2,
        "SqlResult_PI": [{"attriInx": 1, "value": ["a&b", "<c>"]}, {"attriInx": 2, "value": ["'", "ü"]}],
    }
    reply = message.GenQueryResponse()
    reply.unpack(message.ET().fromstring(pack("GenQueryOut_PI", rows, XML)))
    assert reply.SqlResult_PI[0].value == ["a&b", "<c>"]
    assert reply.SqlResult_PI[1].value == ["'", "ü"]
    assert reply.continueInx == 0


def test_zone_reads_what_the_client_packs() -> None:
    """An open request with keywords arrives field by field."""
    request = message.FileOpenRequest(
        objPath="/z/home/it's <x>&y", createMode=0, openFlags=577, offset=0, dataSize=-1, numThreads=0, oprType=0,
        KeyValPair_PI=message.StringStringMap({"destRescName": "demoResc", "a": "\"b\""}),
    )  # fmt: skip
    value = unpack("DataObjInp_PI", request.pack().encode(), XML)
    assert value["objPath"] == "/z/home/it's <x>&y"
    assert (value["openFlags"], value["dataSize"]) == (577, -1)
    assert value["KeyValPair_PI"] == {"destRescName": "demoResc", "a": '"b"'}


def test_query_request_of_the_client_is_understood() -> None:
    """Selected columns and conditions arrive as pairs."""
    query = message.GenQueryRequest(
        maxRows=500, continueInx=0, partialStartIndex=0, options=0,
        KeyValPair_PI=message.StringStringMap({"zone": "tempZone"}),
        InxIvalPair_PI=message.IntegerIntegerMap({501: 1, 403: 1}),
        InxValPair_PI=message.IntegerStringMap({501: "= '/tempZone'"}),
    )  # fmt: skip
    value = unpack("GenQueryInp_PI", query.pack().encode(), XML)
    assert sorted(value["InxIvalPair_PI"]) == [(403, 1), (501, 1)]
    assert value["InxValPair_PI"] == [(501, "= '/tempZone'")]
    assert value["KeyValPair_PI"] == {"zone": "tempZone"}


@pytest.mark.parametrize("cls", _classes(), ids=lambda c: c.__name__)
def test_client_parses_every_empty_structure_of_the_zone(cls: Any) -> None:
    """The client's parser takes the zone's form of each structure that it has a class for."""
    text = pack(cls._name, empty(cls._name), XML)
    root = message.ET().fromstring(text)
    assert root.tag == cls._name
