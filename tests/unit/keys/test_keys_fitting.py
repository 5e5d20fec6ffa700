"""Sealed data whose metadata name no version of the key: the version is found that they were sealed under."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from python_rules.engine.codec import Chain
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.keys import Keyring, KeyUse, Log, Who
from python_rules.engine.parallel import Workers
from python_rules.engine.seal import fitting
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs.errors import JobError
from tests.unit.engine.conftest import through

ALICE, PATH = Who("alice#z"), "/z/home/alice/data"
SIZES = [0, 1000, fitting.ENOUGH - 200, 3 * fitting.ENOUGH]
FITTING = [name for name, row in ENCRYPTIONS.items() if row.fits]


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(1) as made:
        yield made


@pytest.fixture
def use(keyring: Keyring, log: Log) -> KeyUse:
    """A key of three versions."""
    keyring.create("k", "alice#z")
    keyring.rotate("k")
    keyring.rotate("k")
    return KeyUse(keyring, log, ALICE)


def sealed(use: KeyUse, workers: Workers, version: int, applied: tuple[str, ...], data: bytes) -> bytes:
    key = use.opening_key("k", version, PATH)
    steps = [
        COMPRESSIONS[one].encoder(workers, 0) if one in COMPRESSIONS else ENCRYPTIONS[one].sealer(workers, key)
        for one in applied
    ]
    return through(Chain(*steps), data)


def found(use: KeyUse, workers: Workers, applied: tuple[str, ...], data: bytes) -> int:
    start = data[: fitting.ENOUGH]
    return fitting.opening_key(use, workers, "k", PATH, applied, lambda: start).version


@pytest.mark.parametrize("method", FITTING)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_version_that_sealed_is_found(use: KeyUse, workers: Workers, method: str, size: int, version: int) -> None:
    """Whichever it was, for data shorter and longer than what is looked at."""
    data = sealed(use, workers, version, (method,), os.urandom(size))

    assert found(use, workers, (method,), data) == version


@pytest.mark.parametrize("method", [name for name in ENCRYPTIONS if name not in FITTING])
def test_without_authentication_what_lies_under_it_tells(use: KeyUse, workers: Workers, method: str) -> None:
    """Compressed data begin as such under the right key alone; where nothing is to be seen nobody guesses."""
    data = sealed(use, workers, 1, ("zstd", method), b"text " * 1000)

    assert found(use, workers, ("zstd", method), data) == 1
    with pytest.raises(JobError) as caught:
        found(use, workers, (method,), data)
    assert (caught.value.code, caught.value.field) == ("wrong_encoding", "key")
    assert "k:<version>" in caught.value.remedy


def test_a_version_that_is_disabled_opens_nothing(use: KeyUse, workers: Workers, keyring: Keyring) -> None:
    """It is not tried, and the error names those that were."""
    data = sealed(use, workers, 2, ("aes256-gcm",), b"x" * 1000)
    keyring.set_status("k", "disabled", 2)

    with pytest.raises(JobError) as caught:
        found(use, workers, ("aes256-gcm",), data)

    assert caught.value.code == "corrupt_ciphertext"
    assert "versions 3, 1 of the key k" in caught.value.text


def test_each_version_that_is_tried_is_logged(use: KeyUse, workers: Workers, log: Log) -> None:
    """And none for a key of one version but that one, whose data nobody looks at."""
    data = sealed(use, workers, 2, ("aes256-gcm",), b"x" * 1000)
    before = len(list(log.entries()))

    found(use, workers, ("aes256-gcm",), data)

    assert [entry["key"] for entry in list(log.entries())[before:]] == ["k:3", "k:2"]
