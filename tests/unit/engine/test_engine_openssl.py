"""openssl's format against stock openssl, and that nobody takes it for authenticated."""

from __future__ import annotations

import os
import subprocess

import pytest

from python_rules.engine.keys import Key
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError

from .conftest import through

STOCK = {
    "openssl-ctr": "openssl enc -aes-256-ctr -pbkdf2 -iter 1000",
    "openssl-cbc": "openssl enc -aes-256-cbc -pbkdf2",
}
SIZES = [0, 1, 15, 16, 17, 47, 48, 100_000]


@pytest.fixture(scope="module")
def passphrase() -> Key:
    return Key("lexis", 1, b"a project's passphrase")


def stock(method: str, options: str, data: bytes) -> bytes:
    """What stock openssl makes of data."""
    command = [*STOCK[method].split(), *options.split(), "-pass", "env:SECRET"]
    environment = {**os.environ, "SECRET": "a project's passphrase"}
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, env=environment).stdout


@pytest.mark.parametrize("method", STOCK)
@pytest.mark.parametrize("wrong", [b"", b"Salted_", b"Salted__1234567", b"no magic at all...", b"U2FsdGVkX1!!!!!"])
def test_what_is_not_openssls(method: str, wrong: bytes, workers, passphrase: Key) -> None:
    """Data without a header are refused."""
    with pytest.raises(JobError, match="at byte"):
        through(ENCRYPTIONS[method].opener(workers, passphrase), wrong)


def test_a_cut_of_cbc_is_noticed(workers, passphrase: Key) -> None:
    """Its padding tells, mostly; nothing else does."""
    sealed = through(ENCRYPTIONS["openssl-cbc"].sealer(workers, passphrase), bytes(100))
    with pytest.raises(JobError, match="at byte"):
        through(ENCRYPTIONS["openssl-cbc"].opener(workers, passphrase), sealed[:-1])


@pytest.mark.parametrize("method", STOCK)
def test_it_is_said_that_it_is_not_authenticated(method: str) -> None:
    """Whoever lists the methods reads it."""
    assert not ENCRYPTIONS[method].authenticated
    assert "NOT AUTHENTICATED" in methods.ENCRYPTIONS[method].read_by
