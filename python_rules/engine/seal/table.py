"""The encryption methods: a row here and a row in ``jobs/methods.py`` make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from python_rules.engine.codec import Codec
from python_rules.engine.keys.key import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal import crypt4gh, openssl, tink


class Encryption(NamedTuple):
    """How a method seals and opens under a key, and the first bytes that its data begin with (b'': it has none)."""

    sealer: Callable[[Workers, Key], Codec]
    opener: Callable[[Workers, Key], Codec]
    magic: bytes
    authenticated: bool = True  # whether every change of the data is noticed
    fits: Callable[[Key, bytes], bool] | None = None  # whether a key opens data that begin so; None: nothing tells


ENCRYPTIONS: dict[str, Encryption] = {
    "aes256-gcm": Encryption(tink.Sealer, tink.Opener, tink.MAGIC, fits=tink.fits),
    "openssl-ctr": Encryption(openssl.lexis_sealer, openssl.lexis_opener, b"", False),
    "openssl-cbc": Encryption(openssl.stock_sealer, openssl.stock_opener, b"", False),
    "crypt4gh": Encryption(crypt4gh.Sealer, crypt4gh.Opener, crypt4gh.MAGIC, fits=crypt4gh.fits),
}
