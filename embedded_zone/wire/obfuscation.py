"""iRODS's password scrambling: not encryption, but what clients send and what lies in ``.irodsA``.

Both sides rotate each character through a wheel of 77 by amounts that derive from a key. Three uses:
the catalogue's own form and a group admin's new user (``scramble``), a password change on the wire
(``scramble_v2``, keyed with the current password and the session's signature), and the ``.irodsA`` file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import string
import time

WHEEL = string.digits + string.ascii_uppercase + string.ascii_lowercase + "!\"#$%&'()*+,-./"
DEFAULT_KEY = "a9_3fker"
PREFIX = ".E_"
V2_PREFIX = "A.ObfV2"
MAX_PASSWORD_LEN = 50
PAD = "1gCBizHWbwIYyWLoysGzTe6SyzqFKMniZX05faZHWAwQKXf6Fs"
_PAD_START = PAD[:16]  # what a server looks for to find the password's end
_PLACE = {character: index for index, character in enumerate(WHEEL)}
_RING = 61  # bytes of the ring that are used, of 64
_SEQUENCES = (
    0xD768B678, 0xEDFDAF56, 0x2420231B, 0x987098D8, 0xC1BDFEEE, 0xF572341F, 0x478DEF3A, 0xA830D343,
    0x774DFA2A, 0x6720731E, 0x346FA320, 0x6FFDF43A, 0x7723A320, 0xDF67D02E, 0x86AD240A, 0xE76D342E,
)  # fmt: skip


def md5_hex(text: str) -> str:
    """MD5 of a text padded with NUL to 100 bytes, in hex: iRODS's way to derive a key or a temporary password."""
    return hashlib.md5(_padded(text), usedforsecurity=False).hexdigest()


def _padded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0")


def _ring(key: str) -> bytes:
    first = hashlib.md5(_padded(key), usedforsecurity=False).digest()
    second = hashlib.md5(first, usedforsecurity=False).digest()
    third = hashlib.md5(first + second, usedforsecurity=False).digest()
    return first + second + third + third


def _rotate(text: str, key: str, direction: int, chained: bool) -> str:
    ring, chain, result = _ring(key), 0, []
    for index, character in enumerate(text):
        place = _PLACE.get(character)
        if place is None:
            result.append(character)
            continue
        turned = WHEEL[(place + direction * (ring[index % _RING] + chain)) % len(WHEEL)]
        result.append(turned)
        if chained:
            chain = ord(turned if direction > 0 else character)
    return "".join(result)


def scramble(text: str, key: str = DEFAULT_KEY, prefix: str = PREFIX) -> str:
    """The first form; with the default key and prefix that of the catalogue's R_USER_PASSWORD."""
    return prefix + _rotate(text, key or DEFAULT_KEY, 1, chained=False)


def unscramble(text: str, key: str = DEFAULT_KEY, prefix: str = PREFIX) -> str:
    """Undo ``scramble``; a text without the prefix is returned as it is."""
    if not text.startswith(prefix):
        return text
    return _rotate(text[len(prefix) :], key or DEFAULT_KEY, -1, chained=False)


def _v2_key(password: str, signature: str) -> str:
    return md5_hex(password[:90] + signature[:100])


def scramble_v2(text: str, password: str, signature: str) -> str:
    """The second form: chained, keyed with a password and a session signature, first character random."""
    marked = secrets.choice(string.ascii_letters) + V2_PREFIX[1:] + text[:150]
    return _rotate(marked, _v2_key(password, signature), 1, chained=True)


def unscramble_v2(text: str, password: str, signature: str) -> str:
    """Undo ``scramble_v2``; what is not of that form is taken as the first form, as a real server does.

    With a wrong password the result is garbage, not an error: that is what iRODS stores then.
    """
    plain = _rotate(text, _v2_key(password, signature), -1, chained=True)
    if plain[1 : len(V2_PREFIX)] != V2_PREFIX[1:]:
        return _rotate(text, password or DEFAULT_KEY, -1, chained=False)
    return plain[len(V2_PREFIX) :][:MAX_PASSWORD_LEN]


def pad_password(password: str) -> str:
    """A new password as clients lengthen it before scrambling, so that its length does not show."""
    room = MAX_PASSWORD_LEN - 10 - len(password)
    return password[:MAX_PASSWORD_LEN] + (PAD[:room] if room > 15 else "")


def strip_pad(text: str) -> str:
    """The password in front of the padding."""
    return text.partition(_PAD_START)[0]


def digest_response(challenge: bytes, password: str) -> bytes:
    """The answer to a login challenge: MD5 of challenge and NUL-padded password, without NUL bytes (16 bytes)."""
    secret = password.encode("utf-8", "surrogateescape")[:MAX_PASSWORD_LEN].ljust(MAX_PASSWORD_LEN, b"\0")
    return hashlib.md5(challenge + secret, usedforsecurity=False).digest().replace(b"\0", b"\1")


def signature_of(challenge: bytes) -> str:
    """The session signature: hex of the first sixteen challenge bytes."""
    return challenge[:16].hex()


# --- the .irodsA file


def _irods_a(text: str, sequence: int, uid: int, direction: int, start_shift: int) -> str:
    shift, result = start_shift, []
    for character in text:
        offset = ((sequence >> shift) & 0x1F) + (uid & 0xF5F)
        shift = 0 if shift + 3 > 28 else shift + 3
        place = _PLACE.get(character)
        result.append(character if place is None else WHEEL[(place + direction * offset) % len(WHEEL)])
    return "".join(result)


def encode_irods_a(password: str, uid: int | None = None, mtime: int | None = None) -> str:
    """The content of a ``.irodsA`` file; ``mtime`` must be the file's within 20 s, or C clients refuse it."""
    owner = os.getuid() if uid is None else uid
    stamp = int(time.time()) if mtime is None else mtime
    lead = "S" + "".join(chr(((stamp >> bits) & 0xF) + ord("a")) for bits in (4, 0, 12, 8))
    turned = _irods_a(lead + password, _SEQUENCES[0], owner, 1, 0)
    return f".{turned[:5]}e{turned[5:]}\0"


def decode_irods_a(content: str, uid: int | None = None) -> str:
    """The password in a ``.irodsA`` file; a content that was not encoded is returned as it is."""
    text = content.partition("\0")[0]
    number = ord(text[6]) - ord("e") if len(text) > 6 else -1
    if not text.startswith(".") or not 0 <= number < len(_SEQUENCES):
        return text
    return _irods_a(text[7:], _SEQUENCES[number], os.getuid() if uid is None else uid, -1, 15)
