"""Who wraps the keys of a keyring: the interface, and the provider whose master key is a file."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from python_rules.jobs.errors import JobError

MASTER_SIZE = 32
NONCE_SIZE = 12


class Provider(Protocol):
    """Wraps secrets so that they may be written down; ``context`` is bound to what it wraps."""

    @property
    def name(self) -> str:
        """What a keyring says about who wrapped it; no secret."""

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """The secret, wrapped; raises JobError ``configuration`` if the master key cannot be used."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The secret again; raises JobError ``configuration`` if it was not wrapped so."""

    def create(self) -> str:
        """Make the master key where it is to be kept, once; what was made. Raises JobError if it is there."""


class FileProvider:
    """A master key of 32 bytes in a file of its own, which only the service account may read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"file {path}"

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """As Provider.wrap: a random nonce, then AES-256-GCM."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher().encrypt(nonce, secret, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """As Provider.unwrap."""
        try:
            return self._cipher().decrypt(wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], context)
        except (InvalidTag, ValueError):
            raise not_wrapped(f"the master key in {self.path}") from None

    def create(self) -> str:
        """As Provider.create."""
        create_master_key(self.path)
        return f"{self.path} made; back it up where the keyring is not"

    def _cipher(self) -> AESGCM:
        # Read for each use: a master key that stays in memory is one that a core file holds.
        return AESGCM(_decoded(read_private(self.path), self.path))


def create_master_key(path: str) -> None:
    """Write a new master key with mode 0600; raises JobError ``configuration`` if the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unusable(path, f"cannot be made: {error.strerror}", "a master key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(os.urandom(MASTER_SIZE)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_private(path: str, largest: int = 4096) -> bytes:
    """The content of a file that nobody else can read or write, checked on the open file; raises JobError."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _unusable(path, "is not a regular file", "name the file of the master key")
            if status.st_uid != os.geteuid():
                raise _unusable(path, f"belongs to user {status.st_uid}", "it must belong to the service account")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise _unusable(path, f"has mode {stat.S_IMODE(status.st_mode):04o}", "others may read it: chmod 0600")
            return file.read(largest)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}", "check keys.* in the settings") from None


def not_wrapped(who: str) -> JobError:
    """The error about a secret that the provider did not wrap, or not for this key."""
    return JobError(
        "configuration",
        f"{who} did not wrap this key, or the keyring is damaged",
        field="key",
        remedy="an administrator must restore the keyring or its master key from a back-up",
    )


def _decoded(text: bytes, path: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != MASTER_SIZE:
        raise _unusable(path, f"does not hold {MASTER_SIZE} bytes in base64", "restore it from a back-up")
    return secret


def _unusable(path: str, what: str, remedy: str) -> JobError:
    return JobError("configuration", f"the master key file {path} {what}", remedy=remedy)
