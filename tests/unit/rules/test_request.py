"""A request is checked before anything is created."""

from __future__ import annotations

import json

import pytest

from python_rules.jobs import model, paths
from python_rules.jobs.errors import CODES, RequestError

GOOD = {"operation": "compress_encrypt", "source": "/tempZone/home/alice/data", "key": "project-x"}


def refused(**changes: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        model.from_json({**GOOD, **changes})
    return caught.value


def test_defaults_are_filled_in() -> None:
    """The smallest request gets zstd at its default level, AES-256-GCM, and keeps original and target."""
    request = model.from_json(GOOD)

    assert (request.compression, request.level, request.encryption) == ("zstd", 3, "aes256-gcm")
    assert (request.existing, request.original) == ("refuse", "keep")
    assert request.ending() == ".zst.tink"


@pytest.mark.parametrize("given", [True, "true"])
def test_a_packed_collection_has_a_name_of_its_own(given: object) -> None:
    """Rule files give strings; the suffix says that it is a tar."""
    request = model.from_json({**GOOD, "pack": given})

    assert request.pack is True
    assert request.ending() == ".tar.zst.tink"
    assert model.from_json({**GOOD, "pack": ""}).pack is False


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"operation": "shred"}, "unknown_operation", "operation"),
        ({"operation": 7}, "unknown_operation", "operation"),
        ({"compression": "rar"}, "unknown_method", "compression"),
        ({"encryption": "rot13"}, "unknown_method", "encryption"),
        ({"level": 99}, "bad_value", "level"),
        ({"level": True}, "bad_value", "level"),
        ({"key": "correct horse battery staple"}, "bad_value", "key"),
        ({"key": None}, "missing_field", "key"),
        ({"source": None}, "missing_field", "source"),
        ({"sauce": "/tempZone/a"}, "unknown_field", "sauce"),
        ({"existing": "overwrite"}, "bad_value", "existing"),
        ({"id": "42"}, "bad_value", "id"),
        ({"idempotency_key": "a\nb"}, "bad_value", "idempotency_key"),
        ({"target": GOOD["source"]}, "target_exists", "target"),
        ({"target": GOOD["source"] + "/inside"}, "bad_value", "target"),
        ({"objects": ["../x"]}, "bad_path", "objects"),
        ({"pack": "perhaps"}, "bad_value", "pack"),
        ({"pack": 1}, "bad_value", "pack"),
    ],
)
def test_a_wrong_field_is_named_with_a_remedy(changes: dict[str, object], code: str, field: str) -> None:
    """Whatever is wrong, the error says which field it is in and what to do."""
    error = refused(**changes)

    assert (error.code, error.field) == (code, field)
    assert error.remedy


@pytest.mark.parametrize(
    "path",
    [
        "relative/path",
        "/tempZone/home/../secret",
        "/tempZone/./a",
        "/tempZone//a",
        "/",
        "/tempZone/a\nb",
        "/tempZone/a\x00b",
        "/tempZone/a\tb",
        "/tempZone/\ud800",
        "/tempZone/" + "n" * 241,
        "/tempZone" + "/d" * 600,
    ],
)
def test_a_path_that_no_object_may_have_is_refused(path: str) -> None:
    """Dots, control characters, empty components and over-long names are bad paths, in source and target."""
    assert refused(source=path).code == "bad_path"
    assert refused(target=path).code == "bad_path"


@pytest.mark.parametrize("name", ["it's", 'a "b"', "50%", "Übung 数据 🧬", "a=b;c", "$x *y `z`", "back\\slash"])
def test_unusual_names_are_legal(name: str) -> None:
    """Quotes, percent signs and any Unicode are ordinary characters of a name."""
    assert paths.checked(f"/tempZone/home/{name}/", "source") == f"/tempZone/home/{name}"


@pytest.mark.parametrize("text", ["", "{", "[]", "nonsense", '{"operation": }', "[" * 100_000])
def test_text_that_is_no_json_object_is_malformed(text: str) -> None:
    """Anything but a JSON object is malformed_json; deep nesting does not crash."""
    with pytest.raises(RequestError) as caught:
        model.parse(text)

    assert caught.value.code in {"malformed_json", "bad_value"}


def test_json_that_irule_cut_is_recognised() -> None:
    """irule cuts a parameter at 1,084 bytes; the error says so and names the way around."""
    whole = json.dumps({**GOOD, "target": "/tempZone/" + "t" * 200 + "/u" * 500})

    with pytest.raises(RequestError) as caught:
        model.parse(whole[:1084])

    assert caught.value.code == "cut_json"
    assert "irule" in caught.value.text


@pytest.mark.parametrize(
    ("operation", "field", "value"),
    [("decrypt", "compression", "zstd"), ("decrypt", "encryption", "aes256-gcm"), ("decompress", "key", "project")],
)
def test_a_decoding_request_takes_no_method(operation: str, field: str, value: str) -> None:
    """How an object was encoded is known from the object, so naming a method there is refused."""
    with pytest.raises(RequestError) as caught:
        model.from_json({"operation": operation, "source": "/tempZone/a", field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("operation", ["decrypt", "decrypt_decompress"])
def test_a_key_may_be_named_for_what_names_none_itself(operation: str) -> None:
    """Objects that no Sluice sealed do not tell their key."""
    request = model.from_json({"operation": operation, "source": "/tempZone/a", "key": "project"})
    assert request.key == "project"


def test_every_error_code_has_an_http_status() -> None:
    """The shim answers every code with a client or server error."""
    assert all(400 <= status < 600 for status in CODES.values())
