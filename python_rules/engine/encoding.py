"""What an object's sluice:: metadata say about it, and what an operation makes of that. Pure: no I/O.

The encoding is the list of methods in the order in which they were applied, 'zstd+aes256-gcm'; an operation that
encodes appends to it, one that decodes takes from its end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from python_rules import names
from python_rules.engine.codec.table import READERS, recognised
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError, RequestError
from python_rules.jobs.methods import DECOMPRESS, ENCRYPT
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import checked
from python_rules.jobs.record import Avu

OWN_PREFIX = "sluice::"
SOURCE_ATTRIBUTE = "sluice::source"  # data id of the object that this one was made from
WORTH_IT = 0.95  # 'auto' compresses what a sample says will shrink to this part of its size, or less
PRESENT = 0  # stands for a version that nothing tells: the one that fits, or that seals now
ENOUGH_TO_RECOGNISE = 32  # bytes: longer than the magic of every method
TAR = "tar"  # a packed collection: not a codec, but what the pipeline reads from or writes to
SUFFIXES = {
    TAR: ".tar",
    **{name: reader.suffix for name, reader in READERS.items()},
    **{name: methods.ENCRYPTIONS[name].suffix for name in ENCRYPTIONS},
}


@dataclass(frozen=True)
class Encoding:
    """How an object is encoded: its methods, the key of the sealing one, and what its plain data are.

    ``plain_size`` (bytes) and ``plain_sha256`` are unknown (None, '') where no Sluice wrote them down.
    """

    methods: tuple[str, ...] = ()
    key: str = ""
    plain_size: int | None = None
    plain_sha256: str = ""
    plain_name: str = ""

    def __str__(self) -> str:
        return "+".join(self.methods)

    @property
    def suffix(self) -> str:
        """What the methods append to a name."""
        return "".join(SUFFIXES[method] for method in self.methods)

    def avus(self) -> list[Avu]:
        """The metadata that say so; none for plain data."""
        if not self.methods:
            return []
        told = {
            names.ENCODING_ATTRIBUTE: str(self),
            names.KEY_ATTRIBUTE: self.key,
            names.PLAIN_SIZE_ATTRIBUTE: "" if self.plain_size is None else str(self.plain_size),
            names.PLAIN_SHA256_ATTRIBUTE: self.plain_sha256,
            names.PLAIN_NAME_ATTRIBUTE: self.plain_name,
        }
        return [(attribute, value, "") for attribute, value in told.items() if value]


@dataclass(frozen=True)
class Change:
    """What an operation does to one object: the methods to run, in that order, and what it is before and after."""

    before: Encoding
    after: Encoding
    run: tuple[str, ...]
    decodes: bool
    name: str  # of the result, without its collection
    why: str = ""  # what 'auto' found

    @property
    def yields_plain(self) -> bool:
        """Whether the result is the plain data themselves, whose size and hash may be known."""
        return self.decodes and not self.after.methods


def read(avus: Iterable[Avu]) -> Encoding:
    """The encoding that an object's metadata tell; raises JobError ``wrong_encoding`` if they make no sense."""
    told = {attribute: value for attribute, value, _ in avus}
    size = told.get(names.PLAIN_SIZE_ATTRIBUTE, "")
    applied = tuple(filter(None, told.get(names.ENCODING_ATTRIBUTE, "").split("+")))
    if any(method not in SUFFIXES for method in applied) or not (not size or (size.isascii() and size.isdigit())):
        raise wrong("its sluice:: metadata make no sense", "restore its metadata (imeta)")
    return Encoding(
        applied,
        told.get(names.KEY_ATTRIBUTE, ""),
        int(size) if size else None,
        told.get(names.PLAIN_SHA256_ATTRIBUTE, ""),
        _component(told.get(names.PLAIN_NAME_ATTRIBUTE, "")),
    )


class Look(Protocol):
    """A look into the object itself, taken only where metadata do not tell enough."""

    def start(self) -> bytes:
        """Its first bytes."""

    def shrinks_to(self) -> float:
        """What part of its size samples of it shrink to when they are compressed."""


def plan(request: JobRequest, name: str, avus: Iterable[Avu], look: Look) -> Change:
    """What the operation does to an object of this name; raises JobError ``wrong_encoding`` if it cannot."""
    before = read(avus)
    if methods.OPERATIONS[request.operation].encodes:
        return _encoded(request, name, before, look)
    if request.key and not before.key:
        before = replace(before, key=f"{request.key}:{PRESENT}")
    return _decoded(request, name, before if before.methods else _guessed(request, name, before, look))


def key_of(encoding: Encoding) -> tuple[str, int]:
    """Name and version of the key that an object says it is sealed under."""
    name, _, version = encoding.key.partition(":")
    if not (name and version.isascii() and version.isdigit()):
        remedy = f"name the key in the request, or set {names.KEY_ATTRIBUTE} to <key>:<version>"
        raise wrong("it does not say which key it is sealed under", remedy)
    return name, int(version)


def wrong(text: str, remedy: str) -> JobError:
    """The error about an object that is not encoded so that the operation can be done."""
    return JobError("wrong_encoding", text, remedy=remedy)


def _encoded(request: JobRequest, name: str, before: Encoding, look: Look) -> Change:
    if ENCRYPT in request.steps and any(method in ENCRYPTIONS for method in before.methods):
        raise wrong("it is encrypted already", "decrypt it first to seal it under another key")
    compression, why = _compression(request, look)
    chosen = tuple(filter(None, (compression, request.encryption)))
    plain_name = before.plain_name or (name if not before.methods else "")
    after = replace(before, methods=before.methods + chosen, plain_name=plain_name if chosen else before.plain_name)
    if any(method in ENCRYPTIONS and not ENCRYPTIONS[method].authenticated for method in chosen):
        why = "; ".join(filter(None, (why, f"warning: {request.encryption} is not authenticated")))
    ending = Encoding(chosen).suffix if request.suffix else ""
    return Change(before, after, chosen, False, name + ending, why)


def _compression(request: JobRequest, look: Look) -> tuple[str, str]:
    """The method to compress with ('' for none), and why, if it was not asked for by name."""
    if request.compression != methods.AUTO:
        return request.compression.replace(methods.NONE, ""), ""
    part = look.shrinks_to()
    chosen, said = ("zstd", "zstd: ") if part <= WORTH_IT else ("", "not compressed: ")
    return chosen, f"{said}samples shrink to {part:.0%} of their size"


def _decoded(request: JobRequest, name: str, before: Encoding) -> Change:
    taken: list[str] = []
    left = list(before.methods)
    for step in request.steps:
        kinds: Container[str] = READERS if step == DECOMPRESS else ENCRYPTIONS
        if not left or left[-1] not in kinds:
            raise _cannot(step, Encoding(tuple(left)))
        taken.append(left.pop())
    after = replace(before, methods=tuple(left), key=before.key if set(left) & set(ENCRYPTIONS) else "")
    return Change(before, after, tuple(taken), True, _decoded_name(name, before, after, taken))


def _decoded_name(name: str, before: Encoding, after: Encoding, taken: list[str]) -> str:
    if before.plain_name:
        return before.plain_name + after.suffix
    for method in taken:
        name = name.removesuffix(SUFFIXES[method])
    return name


def _guessed(request: JobRequest, name: str, told: Encoding, look: Look) -> Encoding:
    """The encoding of an object that no Sluice made, or that lost its metadata: by its first bytes and its name."""
    start = look.start()
    found = recognised(start)
    sealed = next((method for method, row in methods.ENCRYPTIONS.items() if name.endswith(row.suffix)), None)
    if request.steps[0] == DECOMPRESS and found:
        return replace(told, methods=(found,))
    if told.key and (applied := sealed_as(name, start)):
        return replace(told, methods=applied)
    if sealed and start.startswith(ENCRYPTIONS[sealed].magic) and request.steps[0] != DECOMPRESS:
        key_of(told)  # raises: without the key's name there is nothing to be done
    return told


def sealed_as(name: str, start: bytes) -> tuple[str, ...]:
    """The methods that a name's suffixes tell of, if the last one encrypts and the first bytes are its own; else ()."""
    sealed = next((method for method, row in methods.ENCRYPTIONS.items() if name.endswith(row.suffix)), None)
    if sealed is None or not start.startswith(ENCRYPTIONS[sealed].magic):
        return ()
    inner = name.removesuffix(SUFFIXES[sealed])
    under = next((method for method in READERS if inner.endswith(SUFFIXES[method])), None)
    return (under, sealed) if under else (sealed,)


def _cannot(step: str, encoding: Encoding) -> JobError:
    if not encoding.methods:
        return wrong(f"it cannot be {step}ed: it is not encoded in a way that is known here", "leave it out")
    does = "decrypt_decompress or decrypt" if encoding.methods[-1] in ENCRYPTIONS else "decompress"
    return wrong(f"it cannot be {step}ed: its encoding is {encoding}", f"use {does}")


def _component(name: str) -> str:
    """The name if it is one: metadata are the user's to write, so '../x' or 'a/b' in them count as none."""
    try:
        return name if name and "/" not in name and checked(f"/zone/{name}", "name") else ""
    except RequestError:
        return ""
