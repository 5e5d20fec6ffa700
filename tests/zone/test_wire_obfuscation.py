"""Scrambling agrees with python-irodsclient in both directions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_zone.wire import codes, obfuscation

client = pytest.importorskip("irods.password_obfuscation")

PASSWORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
SIGNATURE = "00ff" * 8


@given(PASSWORDS, PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_first_form_agrees(text: str, key: str) -> None:
    """What the client scrambles is unscrambled here, and both scramble alike."""
    assert obfuscation.scramble(text, key) == client.scramble(text, key)
    assert obfuscation.unscramble(client.scramble(text, key), key) == text


@given(PASSWORDS, PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_password_changes_arrive(new: str, current: str) -> None:
    """A new password, padded and scrambled by the client, is found again with the current one."""
    sent = client.obfuscate_new_password(new, current, SIGNATURE)
    assert obfuscation.strip_pad(obfuscation.unscramble_v2(sent, current, SIGNATURE)) == new
    mine = obfuscation.scramble_v2(obfuscation.pad_password(new), current, SIGNATURE)
    assert obfuscation.strip_pad(obfuscation.unscramble_v2(mine, current, SIGNATURE)) == new


@given(PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_password_files_agree(password: str) -> None:
    """``.irodsA`` written by either side is read by the other."""
    assert obfuscation.decode_irods_a(client.encode(password)) == password
    assert client.decode(obfuscation.encode_irods_a(password)) == password


def test_response_has_no_nul_bytes() -> None:
    """The digest's NUL bytes become 1, as C strings demand."""
    for number in range(600):
        challenge = f"{number:064d}".encode()
        plain = hashlib.md5(challenge + b"rods".ljust(50, b"\0"), usedforsecurity=False).digest()
        assert obfuscation.digest_response(challenge, "rods") == plain.replace(b"\0", b"\1")


def test_codes_have_names() -> None:
    """A status is named with and without an errno."""
    assert codes.name_of(-808000) == "CAT_NO_ROWS_FOUND"
    assert codes.name_of(-510013) == "UNIX_FILE_OPEN_ERR"
    assert codes.errno_of(-510013) == 13
    assert codes.name_of(-5) == "-5"


def test_codes_are_those_of_the_client() -> None:
    """Every error of the client's table has the same number here."""
    exceptions = pytest.importorskip("irods.exception")
    for name, cls in vars(exceptions).items():
        code = getattr(cls, "code", None)
        if isinstance(code, int) and hasattr(codes, name):
            assert getattr(codes, name) == code
