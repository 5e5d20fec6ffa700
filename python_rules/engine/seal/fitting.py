"""Which version of a key opens sealed data whose metadata do not say it: the newest under which their start opens."""

from __future__ import annotations

from collections.abc import Callable

from python_rules.engine.blocks import MIB
from python_rules.engine.codec.table import READERS, recognised
from python_rules.engine.keys import Key, KeySource
from python_rules.engine.keys.key import Passphrase
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.seal.tink import corrupt
from python_rules.jobs.errors import JobError

ENOUGH = MIB  # bytes of the start: the first segment of aes256-gcm, the largest header of crypt4gh


def opening_key(
    keys: KeySource, workers: Workers, name: str, path: str, applied: tuple[str, ...], start: Callable[[], bytes]
) -> Key:
    """The version of the key that opens what was made by the ``applied`` methods, the last of which sealed it;
    ``start`` is asked for the first ENOUGH bytes only if there are several. Each version that is tried is a use, and
    logged. Raises JobError ``corrupt_ciphertext`` if none fits, ``wrong_encoding`` if the format does not tell."""
    numbers = keys.versions(name)
    if len(numbers) == 1:
        return keys.opening_key(name, numbers[0], path)
    method, under = applied[-1], applied[-2] if len(applied) > 1 else ""
    if ENCRYPTIONS[method].fits is None and under not in READERS:
        text = f"the key {name} has several versions, and {method} does not tell which of them sealed this"
        remedy = f"take it into the zone as it is, set sluice::key to {name}:<version> there, and decrypt it then"
        raise JobError("wrong_encoding", text, field="key", remedy=remedy)
    begin = start()
    for number in numbers:
        key = keys.opening_key(name, number, path)
        if _fits(method, under, workers, key, begin):
            return key
    raise corrupt(f"none of the versions {', '.join(map(str, numbers))} of the key {name} opens this", 0)


def _fits(method: str, under: str, workers: Workers, key: Key, start: bytes) -> bool:
    row = ENCRYPTIONS[method]
    if row.fits is None:
        return recognised(b"".join(bytes(piece) for piece in row.opener(workers, key).feed(start))) == under
    return not isinstance(key, Passphrase) and row.fits(key, start)
