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
from python_rules.engine.convert import Conversion, Converted, Tools, Watch, convert_object
from python_rules.engine.encoding import Change, Encoding
from python_rules.engine.keys import Key
from python_rules.engine.seal import crypt4gh
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split
from python_rules.jobs.record import Avu

# A header on its way: should the process be killed while it writes, the next attempt writes it again.
HEADER_ATTRIBUTE = "sluice::header"
_FIRST = 64 * 1024  # bytes: some 600 readers
_AVU_ROOM = 2000  # bytes of a header that fit an AVU in base64


def work_on(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    source: SourceObject,
    tools: Tools,
    watch: Watch = UNWATCHED,
) -> Converted:
    """Do any operation on one object, ``rekey`` among them; raises JobError with ``object_path``."""
    if methods.REKEY not in request.steps:
        return convert_object(zone, request, listing, source, tools, watch)
    try:
        watch.check()
        if source.trouble:
            raise source.trouble
        return _Rekeying(zone, request, listing, source, tools, watch).run()
    except JobError as error:
        error.object_path = error.object_path or source.path
        raise


class _Rekeying(Conversion):
    """The steps of one object."""

    def run(self) -> Converted:
        """All of it; what needs none is left as it is."""
        avus = self._zone.attributes(self._source)
        before = encoding.read(avus)
        if not before.methods or before.methods[-1] not in ENCRYPTIONS:
            return self._left("it is not sealed, or its sluice:: metadata are lost")
        name, version = encoding.key_of(before)
        wanted = self._request.key or name
        keys, path = self._tools.keyring, self._source.path
        if (name, version) == (wanted, keys.present(wanted)) and not _header_on_its_way(avus):
            return self._left(f"it is under {before.key} already")
        old, new = keys.opening_key(name, version, path), keys.sealing_key(wanted, path)
        if before.methods[-1] == "crypt4gh" and self._zone.replica_count(self._source) == 1:
            return self._header_exchanged(before, old, new, avus)
        return self._sealed_again(before, old, new, avus)

    def _sealed_again(self, before: Encoding, old: Key, new: Key, avus: list[Avu]) -> Converted:
        method, workers = before.methods[-1], self._tools.workers
        row, known = ENCRYPTIONS[method], before.plain_sha256 if len(before.methods) == 1 else ""
        chain = Chain(row.opener(workers, old), _Checked(known, row.authenticated), row.sealer(workers, new))
        change = Change(before, replace(before, key=new.reference), (method,), False, split(self._source.path)[1])
        return self._made(self._source.path, change, chain, new.reference, avus)

    def _header_exchanged(self, before: Encoding, old: Key, new: Key, avus: list[Avu]) -> Converted:
        path, waiting = self._source.path, _header_on_its_way(avus)
        if waiting is None:
            start = self._start_of(_FIRST)
            size, header = crypt4gh.rewritten(start, old, [crypt4gh.public_key(new)])
            if len(header) != size or size > _AVU_ROOM:
                return self._sealed_again(before, old, new, avus)
            waiting = (HEADER_ATTRIBUTE, base64.b64encode(header).decode(), new.reference)
            self._zone.check_unchanged(self._source)
            self._zone.change_avus(path, [], [waiting])
        _, header_text, reference = waiting
        self._watch.check()
        self._zone.write_start(path, base64.b64decode(header_text))
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
