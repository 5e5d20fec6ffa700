"""Every structure survives both body protocols, and python-irodsclient and the zone understand each other."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedded_zone.wire import codes
from embedded_zone.wire.instructions import INSTRUCTIONS
from embedded_zone.wire.layout import INTEGER_SIZES, RAW_KINDS, TEXT_KINDS, Field, counters, layout, resolve
from embedded_zone.wire.packing import PackError, Protocol, empty, pack, unpack

XML, NATIVE = Protocol.XML_PROT, Protocol.NATIVE_PROT
BOTH = pytest.mark.parametrize("protocol", [XML, NATIVE])
PARAMETERS = [
    {"label": "*a", "type": None, "inOutStruct": None, "BinBytesBuf_PI": None},
    {"label": "*b", "type": "STR_PI", "inOutStruct": {"myStr": "it's"}, "BinBytesBuf_PI": None},
    {"label": "", "type": "INT_PI", "inOutStruct": {"myInt": -1}, "BinBytesBuf_PI": {"buf": b"\0\1"}},
]
# Two pointers of one name, the first of them null, look alike in XML, for C as well.
AMBIGUOUS_IN_XML = {"Rei_PI", "ReiAndArg_PI"}
UNAMBIGUOUS = [(n, p) for n in sorted(INSTRUCTIONS) for p in (XML, NATIVE) if p is NATIVE or n not in AMBIGUOUS_IN_XML]
RECURSIVE = {"rescQuota_PI"}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=7)


def _integers(size: int) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1)


def _element(field: Field, depth: int) -> st.SearchStrategy[Any]:
    if field.kind in INTEGER_SIZES:
        return _integers(INTEGER_SIZES[field.kind])
    if field.kind in TEXT_KINDS:
        return TEXT
    return structures(field.name, depth + 1)


def _values(field: Field, depth: int, nullable: bool = True) -> st.SearchStrategy[Any]:
    """Values of one field; a counted one has the fixed length 2 so that shared counts agree."""
    if field.kind == "?":
        return st.none()
    if field.kind in RAW_KINDS:
        size = 2
        if field.fixed():
            size = 1
            for dimension in field.counts:
                size *= resolve(dimension, {})
        return st.binary(min_size=size, max_size=size)
    if field.kind == "struct" and nullable and (depth > 2 or (field.name in RECURSIVE and depth > 0)):
        return st.just([] if field.many else None) if field.pointer else st.just(empty(field.name))
    element = _element(field, depth)
    if field.many:
        return st.lists(element, min_size=2, max_size=2)
    return st.none() | element if field.pointer and nullable else element


def structures(name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a structure as ``pack`` takes them."""
    if name == "MsParam_PI":
        return st.sampled_from(PARAMETERS)
    if name == "KeyValPair_PI":
        return st.dictionaries(TEXT, TEXT, max_size=3)
    if name == "InxIvalPair_PI":
        return st.lists(st.tuples(_integers(4), _integers(4)), max_size=3)
    if name == "InxValPair_PI":
        return st.lists(st.tuples(_integers(4), TEXT), max_size=3)
    fields: dict[str, Any] = {}
    skipped = set(counters(name)) | {str(d) for f in layout(name) for d in (*f.counts, f.limit)}
    for field in layout(name):
        if field.name in skipped:
            continue
        if field.occurrence >= 0:
            same = [f for f in layout(name) if f.name == field.name]
            fields[field.name] = st.tuples(*[_values(f, depth, nullable=depth > 2) for f in same]).map(list)
        elif not any(dimension == "rowCnt" for dimension in field.counts):
            fields[field.name] = _values(field, depth)
    return st.fixed_dictionaries(fields)


def _contains(actual: Any, expected: Any) -> bool:
    """Whether what came back holds all that was sent; counts that packing filled in may be there too."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(_contains(actual.get(key), value) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) <= len(actual):
        return all(_contains(a, e) for a, e in zip(actual, expected, strict=False))
    return bool(actual == expected)


@pytest.mark.parametrize(("name", "protocol"), UNAMBIGUOUS)
def test_every_structure_comes_back_as_it_was_sent(name: str, protocol: Protocol) -> None:
    """Pack and unpack are inverse for every instruction of the table."""

    @settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(structures(name))
    def check(value: Any) -> None:
        assert _contains(unpack(name, pack(name, value, protocol), protocol), value)

    check()


@pytest.mark.parametrize(("name", "protocol"), UNAMBIGUOUS)
def test_empty_structures_pack(name: str, protocol: Protocol) -> None:
    """A structure of which nothing is given is sent with zeros, empty strings and null pointers."""
    again = unpack(name, pack(name, None, protocol), protocol)
    assert _contains(again, empty(name))


@BOTH
@given(TEXT)
@settings(max_examples=50, deadline=None)
def test_texts_are_exact(protocol: Protocol, text: str) -> None:
    """Control characters, markup, quotes and any script come through unchanged."""
    assert unpack("STR_PI", pack("STR_PI", {"myStr": text}, protocol), protocol)["myStr"] == text


@BOTH
def test_bytes_that_are_no_utf8_survive(protocol: Protocol) -> None:
    """A name in Latin-1 comes back byte for byte."""
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    data = pack("STR_PI", {"myStr": name}, protocol)
    assert b"caf\xe9" in data
    assert unpack("STR_PI", data, protocol)["myStr"] == name


@BOTH
@pytest.mark.parametrize(("length", "fits"), [(0, True), (1, True), (1087, True), (1088, False), (1089, False)])
def test_string_limits_count_bytes_and_the_nul(protocol: Protocol, length: int, fits: bool) -> None:
    """A path of MAX_NAME_LEN - 1 bytes fits, one more is USER_PACKSTRUCT_INPUT_ERR."""
    value = {"collName": "x" * length}
    if fits:
        assert unpack("CollInpNew_PI", pack("CollInpNew_PI", value, protocol), protocol)["collName"] == "x" * length
        return
    with pytest.raises(PackError) as caught:
        pack("CollInpNew_PI", value, protocol)
    assert caught.value.code == codes.USER_PACKSTRUCT_INPUT_ERR


@BOTH
def test_over_long_string_from_a_peer_is_refused(protocol: Protocol) -> None:
    """What is too long is refused on the way in as well."""
    data = pack("CollInpNew_PI", {"collName": "PLACE"}, protocol).replace(b"PLACE", "ü".encode() * 600)
    with pytest.raises(PackError) as caught:
        unpack("CollInpNew_PI", data, protocol)
    assert caught.value.code == codes.USER_PACKSTRUCT_INPUT_ERR


def test_native_form_is_the_documented_one() -> None:
    """Big-endian integers, NUL-terminated strings, and the marker for a null pointer."""
    value = {"objPath": "/z/a", "openFlags": 2, "dataSize": -1, "KeyValPair_PI": {"k": "v"}}
    assert pack("DataObjInp_PI", value, NATIVE) == (
        b"/z/a\0" + b"\0\0\0\0" + b"\0\0\0\2" + bytes(8) + b"\xff" * 8 + bytes(8)
        + b"%@#ANULLSTR$%\0" + b"\0\0\0\1k\0v\0"
    )  # fmt: skip


def test_missing_xml_elements_are_zero_or_none() -> None:
    """A sender may leave elements out; those after them are still found."""
    data = b"<DataObjInp_PI><objPath>/z</objPath><dataSize>7</dataSize></DataObjInp_PI>"
    value = unpack("DataObjInp_PI", data, XML)
    assert (value["objPath"], value["openFlags"], value["dataSize"]) == ("/z", 0, 7)
    assert (value["SpecColl_PI"], value["KeyValPair_PI"]) == (None, {})


def test_genquery_out_has_fifty_columns() -> None:
    """C clients expect MAX_SQL_ATTR results whatever the number of attributes."""
    rows = {"rowCnt": 2, "attriCnt": 1, "SqlResult_PI": [{"attriInx": 501, "value": ["a", "bcd"]}]}
    for protocol in (XML, NATIVE):
        value = unpack("GenQueryOut_PI", pack("GenQueryOut_PI", rows, protocol), protocol)
        assert len(value["SqlResult_PI"]) == 50
        assert value["SqlResult_PI"][0] == {"attriInx": 501, "reslen": 4, "value": ["a", "bcd"]}


def test_parameter_types_choose_the_structure() -> None:
    """The structure behind ``?type`` is the one that the type names."""
    out = {"BinBytesBuf_PI": [{"buf": b"said\0"}, {"buf": b""}], "status": 0}
    value = {"MsParam_PI": [{"label": "ruleExecOut", "type": "ExecCmdOut_PI", "inOutStruct": out}, {"label": "*a"}]}
    for protocol in (XML, NATIVE):
        first, second = unpack("MsParamArray_PI", pack("MsParamArray_PI", value, protocol), protocol)["MsParam_PI"]
        assert first["inOutStruct"]["BinBytesBuf_PI"][0]["buf"] == b"said\0"
        assert (second["type"], second["inOutStruct"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("KeyValPair_PI", b"\x7f\xff\xff\xff"),
        ("KeyValPair_PI", b"\0\0\0\2a\0"),
        ("BinBytesBuf_PI", b"\x7f\xff\xff\xffxx"),
        ("STR_PI", b"no end"),
        ("DataObjInp_PI", b""),
        ("MsParam_PI", b"l\0Nonsense_PI\0x"),
        ("rescQuota_PI", (b"r\0u\0" + bytes(24)) * 500),
    ],
)
def test_malformed_native_messages_are_refused(name: str, data: bytes) -> None:
    """Counts beyond the data, cut strings, unknown types and endless nesting are errors, nothing else."""
    with pytest.raises(PackError):
        unpack(name, data, NATIVE)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("STR_PI", b"<myStr>a</myStr>"),
        ("STR_PI", b"<STR_PI><myStr>a"),
        ("KeyValPair_PI", b"<KeyValPair_PI><ssLen>3</ssLen><keyWord>a</keyWord></KeyValPair_PI>"),
        ("BinBytesBuf_PI", b"<BinBytesBuf_PI><buflen>4</buflen><buf>abc</buf></BinBytesBuf_PI>"),
        ("DataObjInp_PI", b""),
    ],
)
def test_malformed_xml_messages_are_refused(name: str, data: bytes) -> None:
    """A wrong outer tag, a missing end, too few elements and bad base64 are errors, nothing else."""
    with pytest.raises(PackError):
        unpack(name, data, XML)


@BOTH
@given(st.binary(max_size=200), st.sampled_from(sorted(INSTRUCTIONS)))
@settings(max_examples=300, deadline=None)
def test_noise_is_never_more_than_a_pack_error(protocol: Protocol, data: bytes, name: str) -> None:
    """Arbitrary bytes unpack to something or raise PackError."""
    with contextlib.suppress(PackError):
        unpack(name, data, protocol)
