"""The encryption methods: a row here and a row in ``jobs/methods.py`` make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from python_rules.engine.codec import Codec
from python_rules.engine.keys.key import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal import tink


class Encryption(NamedTuple):
    """How a method seals and opens under a key, and the first bytes that its data begins with."""

    sealer: Callable[[Workers, Key], Codec]
    opener: Callable[[Workers, Key], Codec]
    magic: bytes


ENCRYPTIONS: dict[str, Encryption] = {
    "aes256-gcm": Encryption(tink.Sealer, tink.Opener, tink.MAGIC),
}
