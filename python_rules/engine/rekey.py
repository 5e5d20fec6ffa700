"""Another version, or another key, for what is sealed already: only what must be rewritten is.

``crypt4gh``: the header is exchanged in place, the body is not touched. Every other method: one pass that opens and
seals again, written beside, verified and put in the place of the old object. What is under the wanted version is
left alone, so that a broken job goes on where it ended.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace

from python_rules import names
from python_rules.engine import encoding
from python_rules.engine.blocks import Block
from python_rules.engine.codec import Chain
from python_rules.engine.convert import Conversion, Converted, Made
from python_rules.engine.encoding import Change, Encoding
from python_rules.engine.keys import Key
from python_rules.engine.seal import crypt4gh
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split
from python_rules.jobs.record import Avu

# A header on its way: should the process be killed while it writes, the next attempt writes it again.
HEADER_ATTRIBUTE = "sluice::header"
_FIRST = 64 * 1024  # bytes: some 600 readers
_AVU_ROOM = 2000  # bytes of a header that fit an AVU in base64


def kind_of(request: JobRequest) -> type[Conversion]:
    """Who does the steps of one object: of a rekey, or of any other conversion."""
    return _Rekeying if methods.REKEY in request.steps else Conversion


class _Rekeying(Conversion):
    """The steps of one object."""

    def begin(self) -> Made | Converted:
        """As Conversion.begin; what needs nothing is left as it is, and where the header is exchanged that is all."""
        avus = self._zone.attributes(self._source)
        before = encoding.read(avus)
        if not before.methods or before.methods[-1] not in ENCRYPTIONS:
            return self._left("it is not sealed, or its sluice:: metadata are lost")
        name, version = encoding.key_of(before)
        wanted = self._request.key or name
        keys, path = self._tools.keyring, self._source.path
        if (name, version) == (wanted, keys.present(wanted)) and not _header_on_its_way(avus):
            return self._left(f"it is under {before.key} already")
        old, new = keys.both_keys(name, version, wanted, path)
        if before.methods[-1] == "crypt4gh" and (header := self._header(old, new, avus)):
            return self._header_exchanged(before, header)
        return self._sealed_again(before, old, new, avus)

    def _sealed_again(self, before: Encoding, old: Key, new: Key, avus: list[Avu]) -> Made:
        method, workers = before.methods[-1], self._tools.workers
        row, known = ENCRYPTIONS[method], before.plain_sha256 if len(before.methods) == 1 else ""
        chain = Chain(row.opener(workers, old), _Checked(known, row.authenticated), row.sealer(workers, new))
        change = Change(before, replace(before, key=new.reference), (method,), False, split(self._source.path)[1])
        return self._written(self._source.path, change, chain, new.reference, avus)

    def _header(self, old: Key, new: Key, avus: list[Avu]) -> Avu | None:
        """The header to be written, as an AVU notes it; None if it cannot take the place of the old one."""
        if waiting := _header_on_its_way(avus):
            return waiting
        size, header = crypt4gh.rewritten(self._start_of(_FIRST), old, [crypt4gh.public_key(new)])
        # The server writes one replica and makes the others stale: then the whole object is made anew.
        if len(header) != size or size > _AVU_ROOM or self._zone.check_unchanged(self._source) != 1:
            return None
        waiting = (HEADER_ATTRIBUTE, base64.b64encode(header).decode(), new.reference)
        self._zone.change_avus(self._source.path, [], [waiting])
        return waiting

    def _header_exchanged(self, before: Encoding, waiting: Avu) -> Converted:
        path = self._source.path
        _, header, reference = waiting
        self._watch.check()
        self._zone.write_start(path, base64.b64decode(header))
        told = (names.KEY_ATTRIBUTE, reference, "")
        self._zone.change_avus(path, [waiting, (names.KEY_ATTRIBUTE, before.key, "")], [told])
        return Converted(path, path, encoding=str(before), key=reference)

    def _start_of(self, size: int) -> bytes:
        buffer, reader = bytearray(size), self._zone.reader(self._source.path)
        try:
            return bytes(buffer[: reader.readinto(buffer)])
        finally:
            reader.close()

    def _left(self, why: str) -> Converted:
        return Converted(self._source.path, self._source.path, skipped=True, reason=why)


class _Checked:
    """Between opening and sealing: plain data pass, and must be those that were recorded when they were sealed."""

    def __init__(self, known: str, authenticated: bool) -> None:
        if not known and not authenticated:
            remedy = "decrypt it, look at it, and encrypt it with another method"
            raise encoding.wrong("its method notices no change, and no hash of it is recorded", remedy)
        self._known = known
        self._hash = hashlib.sha256()

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        if self._known:
            self._hash.update(block)
        yield block

    def finish(self) -> Iterator[Block]:
        """As Codec.finish; raises JobError ``verification_failed``."""
        found = "sha2:" + base64.b64encode(self._hash.digest()).decode()
        if self._known.startswith("sha2:") and self._known != found:
            raise JobError(
                "verification_failed",
                "the plain data are not those that were recorded: their SHA-256 is another",
                remedy="restore the object from a good replica or a copy",
            )
        yield from ()


def _header_on_its_way(avus: list[Avu]) -> Avu | None:
    return next((avu for avu in avus if avu[0] == HEADER_ATTRIBUTE), None)
