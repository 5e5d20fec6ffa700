"""What an operation makes of an object's metadata, name and first bytes."""

from __future__ import annotations

import random

import pytest

from python_rules.engine.codec.table import shrinkage
from python_rules.engine.encoding import Encoding, key_of, plan, read
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import from_json
from python_rules.jobs.record import Avu

ZSTD, GZIP, SEALED, TEXT = b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", bytes([40]) + bytes(15), b"text"
SHA = "sha2:abc="


def avus(encoding: str, key: str = "", name: str = "a.txt") -> list[Avu]:
    return Encoding(tuple(encoding.split("+")), key, 5, SHA, name).avus()


class Seen:
    """An object that begins so and shrinks to this part."""

    def __init__(self, start: bytes, part: float) -> None:
        self.start = lambda: start
        self.shrinks_to = lambda: part


def planned(operation: str, name: str, told: list[Avu] = (), start: bytes = TEXT, part: float = 1.0, **more: str):
    sealing = {"key": "k"} if "encrypt" in operation.split("_") else {}
    return plan(from_json({"operation": operation, "source": "/z/s", **sealing, **more}), name, told, Seen(start, part))


@pytest.mark.parametrize(
    ("operation", "name", "told", "run", "after", "result"),
    [
        ("compress", "a.txt", [], ("zstd",), "zstd", "a.txt.zst"),
        ("encrypt", "a.txt", [], ("aes256-gcm",), "aes256-gcm", "a.txt.tink"),
        ("compress_encrypt", "a.txt", [], ("zstd", "aes256-gcm"), "zstd+aes256-gcm", "a.txt.zst.tink"),
        ("encrypt", "b.zst", avus("zstd"), ("aes256-gcm",), "zstd+aes256-gcm", "b.zst.tink"),
        ("decompress", "b.zst", avus("zstd"), ("zstd",), "", "a.txt"),
        ("decrypt", "b.tink", avus("aes256-gcm", "k:1"), ("aes256-gcm",), "", "a.txt"),
        ("decrypt", "b.zst.tink", avus("zstd+aes256-gcm", "k:1"), ("aes256-gcm",), "zstd", "a.txt.zst"),
        ("decrypt_decompress", "b", avus("gzip+aes256-gcm", "k:1"), ("aes256-gcm", "gzip"), "", "a.txt"),
        ("decompress", "b.zst", avus("zstd", name="../a"), ("zstd",), "", "b"),
        ("decompress", "b.zst", avus("zstd", name="a/b"), ("zstd",), "", "b"),
    ],
)
def test_known_encodings(operation: str, name: str, told: list[Avu], run, after: str, result: str) -> None:
    """Encoding appends methods and suffixes; decoding takes them away and gives the plain name back."""
    change = planned(operation, name, told)
    assert (change.run, str(change.after), change.name) == (run, after, result)


@pytest.mark.parametrize(
    ("operation", "name", "told", "start", "run", "result"),
    [
        ("decompress", "a.txt.gz", [], GZIP, ("gzip",), "a.txt"),
        ("decompress", "a.txt", [], ZSTD, ("zstd",), "a.txt"),
        ("decrypt", "a.tink", [("sluice::key", "k:2", "")], SEALED, ("aes256-gcm",), "a"),
        ("decrypt", "a.zst.tink", [("sluice::key", "k:2", "")], SEALED, ("aes256-gcm",), "a.zst"),
        ("decrypt_decompress", "a.gz.tink", [("sluice::key", "k:2", "")], SEALED, ("aes256-gcm", "gzip"), "a"),
    ],
)
def test_unknown_encodings_are_recognised(operation: str, name: str, told, start: bytes, run, result: str) -> None:
    """Without metadata the first bytes and the suffixes tell."""
    change = planned(operation, name, told, start)
    assert (change.run, change.name) == (run, result)


@pytest.mark.parametrize(
    ("operation", "name", "told", "start", "says"),
    [
        ("decompress", "a.txt", [], TEXT, "not encoded"),
        ("decrypt", "a.zst", [], ZSTD, "not encoded"),
        ("decrypt", "a.tink", [], TEXT, "not encoded"),
        ("decrypt", "a.tink", [], SEALED, "which key"),
        ("decompress", "a.tink", avus("zstd+aes256-gcm", "k:1"), SEALED, "its encoding is zstd.aes256-gcm"),
        ("decrypt", "a.zst", avus("zstd"), ZSTD, "its encoding is zstd"),
        ("decrypt_decompress", "a.tink", avus("aes256-gcm", "k:1"), SEALED, "cannot be decompressed"),
        ("encrypt", "a.tink", avus("aes256-gcm", "k:1"), SEALED, "encrypted already"),
        ("decompress", "a", [("sluice::encoding", "rot13", "")], TEXT, "no sense"),
        ("decompress", "a", [("sluice::encoding", "zstd", ""), ("sluice::plain_size", "-4", "")], ZSTD, "no sense"),
    ],
)
def test_what_cannot_be_done_is_said(operation: str, name: str, told, start: bytes, says: str) -> None:
    """An object that is not what the operation needs is refused with the reason."""
    with pytest.raises(JobError, match=says) as caught:
        planned(operation, name, told, start)
    assert caught.value.code == "wrong_encoding"


def test_metadata_come_back() -> None:
    """What is written about an encoding is read again."""
    encoding = Encoding(("zstd", "aes256-gcm"), "k:3", 0, SHA, "a.txt")
    assert read(encoding.avus()) == encoding
    assert key_of(encoding) == ("k", 3)
    assert Encoding().avus() == []


def test_decrypting_keeps_what_is_known_of_the_plain_data() -> None:
    """Size and hash stay with the object until it is plain again; the key goes with the seal."""
    after = planned("decrypt", "b", avus("zstd+aes256-gcm", "k:1")).after
    assert (after.plain_size, after.plain_sha256, after.key) == (5, SHA, "")


@pytest.mark.parametrize(
    ("operation", "part", "run", "result", "why"),
    [
        ("compress", 0.23, ("zstd",), "a.zst", "zstd: samples shrink to 23%"),
        ("compress", 0.99, (), "a", "not compressed: samples shrink to 99%"),
        ("compress_encrypt", 0.5, ("zstd", "aes256-gcm"), "a.zst.tink", "zstd: samples shrink to 50%"),
        ("compress_encrypt", 1.0, ("aes256-gcm",), "a.tink", "not compressed: samples shrink to 100%"),
    ],
)
def test_auto_says_why(operation: str, part: float, run, result: str, why: str) -> None:
    """Only what shrinks is compressed; the result says what the samples told."""
    change = planned(operation, "a", part=part, compression="auto")
    assert (change.run, change.name) == (run, result)
    assert change.why.startswith(why)


def test_shrinkage() -> None:
    """Text shrinks, noise and nothing do not."""
    assert shrinkage([b"text " * 1000, b"more " * 1000]) < 0.1
    assert shrinkage([random.Random(1).randbytes(10000)]) > 0.95
    assert shrinkage([b""]) == shrinkage([]) == 1.0
