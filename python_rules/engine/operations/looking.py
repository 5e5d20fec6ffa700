"""Operations that change nothing: whether objects are what is recorded of them, and how much there is."""

from __future__ import annotations

from typing import Any

from python_rules.engine import encoding, pipeline
from python_rules.engine.blocks import Block
from python_rules.engine.codec import Chain
from python_rules.engine.convert import Conversion, Converted, Tools, closing, compare
from python_rules.engine.encoding import TAR, Encoding
from python_rules.engine.pipeline import Passed
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.transfer import checksums
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest

NOTHING_RECORDED = "no checksum is recorded: there is nothing to compare with"


def verify(
    zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """Compare all good replicas with their checksums, and what is encoded with what was encoded."""
    if source.trouble:
        raise source.trouble
    return _Verification(zone, request, listing, source, tools, watch).run()


def size(
    zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """What one object holds, as the catalogue knows it."""
    told = encoding.read(zone.attributes(source))
    watch.advanced(source.size, 0)
    plain = told.plain_size if told.methods else source.size
    return Converted(source.path, "", plain_size=plain, stored_size=source.size, encoding=str(told))


def sized(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums; ``plain_unknown`` objects say nothing of their plain size, and are in no plain sum."""
    good = [row for row in rows if row["state"] != "failed"]
    plain = [row["plain_size"] for row in good if "plain_size" in row]
    return {
        "objects": len(good),
        "stored_bytes": sum(row["stored_size"] for row in good),
        "plain_bytes": sum(plain),
        "plain_unknown": len(good) - len(plain),
        "encoded": sum(1 for row in good if row.get("encoding")),
    }


def verified(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many are good, how many have nothing to be compared with, how many failed; the results name them."""
    states = [row["state"] for row in rows]
    return {
        "good": states.count("succeeded"),
        "not_comparable": states.count("skipped"),
        "failed": states.count("failed"),
        "decoded": sum(1 for row in rows if row["state"] == "succeeded" and row.get("encoding")),
    }


class _Verification(Conversion):
    """One object: its replicas by the server, then its encoding by decoding it to nowhere."""

    def run(self) -> Converted:
        """Raises JobError ``verification_failed``, or what the decoder has to say."""
        path = self._source.path
        found = checksums.verified(self._zone.session, path)
        if found.wrong:
            remedy = "restore it from a good replica or a copy (ils -l tells the replicas)"
            raise JobError("verification_failed", f"{path}: {'; '.join(found.wrong)}", remedy=remedy)
        told = encoding.read(self._zone.attributes(self._source))
        if told.methods:
            self._decode(told)
        elif not found.recorded:
            return Converted(path, "", skipped=True, stored_size=self._source.size, reason=NOTHING_RECORDED)
        else:
            self._watch.advanced(self._source.size, 0)
        return Converted(
            path,
            "",
            plain_size=told.plain_size if told.methods else self._source.size,
            plain_sha256=told.plain_sha256,
            stored_size=self._source.size,
            stored_sha256=self._source.checksum,
            encoding=str(told),
            key=told.key,
        )

    def _decode(self, told: Encoding) -> None:
        passed = self._read(told)
        compare("stored bytes", self._source.checksum, passed.read_sha256)
        compare("plain data", told.plain_sha256, passed.written_sha256)
        if told.plain_size not in (None, passed.written_size):
            text = f"there are {passed.written_size} bytes of plain data, recorded are {told.plain_size}"
            raise JobError("verification_failed", text, remedy="restore the object from a good replica or a copy")

    def _read(self, told: Encoding) -> Passed:
        reader = self._zone.reader(self._source.path)
        with closing(reader.close):
            return pipeline.run(reader, self._decoder(told), _Nowhere(), size=self._source.size, watch=self._watch)

    def _decoder(self, told: Encoding) -> Chain:
        sealed = set(told.methods) & set(ENCRYPTIONS)
        try:
            key = self._tools.keyring.opening_key(*encoding.key_of(told), self._source.path) if sealed else None
        except JobError as error:
            text = f"the stored bytes are good, but the plain data cannot be checked: {error.text}"
            raise JobError(error.code, text, field=error.field, remedy=error.remedy) from None
        applied = [method for method in told.methods if method != TAR]
        return Chain(*(self._step(method, True, key) for method in reversed(applied)))


class _Nowhere:
    """A sink for what only its hash is wanted of."""

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
