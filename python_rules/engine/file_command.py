"""``sluice-file`` (and ``sluice open|seal|info``): seal and open plain files, with no zone at all."""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from python_rules import config
from python_rules.engine import pipeline, progress
from python_rules.engine.codec import Chain, Codec
from python_rules.engine.codec.sniffing import Sniffing
from python_rules.engine.codec.table import COMPRESSIONS, READERS, recognised, shrinkage
from python_rules.engine.encoding import ENOUGH_TO_RECOGNISE, SUFFIXES, TAR, WORTH_IT
from python_rules.engine.files import STREAM, FileSource, made
from python_rules.engine.keys import FileProvider, Key, Keyring
from python_rules.engine.keys.memory import harden
from python_rules.engine.keys.provider import read_private
from python_rules.engine.pack import local
from python_rules.engine.pack.packing import Packing
from python_rules.engine.pack.reading import Archive
from python_rules.engine.pack.unpacking import Unpacking
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import Passed
from python_rules.engine.ranges import open_sealed
from python_rules.engine.seal import openssl
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.undoing import undone_by
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError

NONE = "none"
LARGEST_SHARE = 64 * 1024  # bytes of a header that is read
SAMPLE = 1 << 20  # what 'auto' looks at
_SNIFFED = "sniffed"
Options = argparse.Namespace


def main(arguments: list[str] | None = None) -> int:
    """Do one command; 0 if it was done, 1 with a message on the error output if not."""
    options = _parser().parse_args(arguments)
    try:
        COMMANDS[options.command].run(options)
    except JobError as error:
        print(f"sluice: {error.text}" + (f"; {error.remedy}" if error.remedy else ""), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"sluice: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _seal(options: Options) -> None:
    key = _key(options)
    encryption = options.encryption or ("aes256-gcm" if key else NONE)
    if (key is None) != (encryption == NONE):
        raise _usage("encryption needs a key, and a key encryption", "give --key or --secret, or --encryption none")
    packs = os.path.isdir(options.file)
    source: Any = Packing(local.members(options.file), local.opened) if packs else FileSource(options.file)
    compression = _compression(options, source)
    applied = [name for name in (TAR if packs else NONE, compression, encryption) if name != NONE]
    suffix = "".join(SUFFIXES[name] for name in applied)
    out = options.out or (STREAM if options.file == STREAM else options.file.rstrip("/") + suffix)
    with Workers(options.threads) as workers, made(out, options.force) as sink:
        codecs = [_encoder(name, options, workers, key) for name in applied if name != TAR]
        passed = _passed(source, Chain(*codecs), sink, options, None if packs or source.is_stream else source.size)
    told = f"+{key.reference}" if key else ""
    _say(options, f"{'+'.join(applied) or 'plain'}{told}: {_numbers(passed)}")


def _open(options: Options) -> None:
    key = _key(options)
    source = FileSource(options.file)
    applied = _applied(options, source)
    if options.member or options.list:
        return _member(options, source, key, applied)
    with Workers(options.threads) as workers:
        codecs = [_decoder(name, options, workers, key) for name in reversed(applied) if name != TAR]
        if applied[:1] == [TAR] and options.out != STREAM and not options.packed:
            return _unpack(options, source, Chain(*codecs), _bare(options.file, applied))
        out = options.out or (STREAM if options.file == STREAM else _bare(options.file, applied, options.packed))
        with made(out, options.force) as sink:
            passed = _passed(source, Chain(*codecs), sink, options, None, options.limit)
            _expect(options, passed)
    _say(options, f"opened {'+'.join(applied)}: {_numbers(passed)}")
    return None


def _info(options: Options) -> None:
    source = FileSource(options.file)
    print(f"{options.file}: {'+'.join(_applied(options, source)) or 'plain'}, {source.size} bytes")


def _unpack(options: Options, source: FileSource, codec: Codec, target: str) -> None:
    folder = local.Folder(options.out or target)
    with undone_by(folder.discard):
        sink = Unpacking(folder)
        passed = _passed(source, codec, sink, options, None, options.limit)
        sink.finish()
        _expect(options, passed)
        folder.publish()
    _say(options, f"unpacked: {_numbers(passed)}")


def _member(options: Options, source: FileSource, key: Key | None, applied: list[str]) -> None:
    """One member, or the list of all, at the cost of the blocks that hold it."""
    if source.is_stream:
        raise _usage("a member is read out of a file, not out of a stream", "name a file")
    archive = Archive(open_sealed(source, key if set(applied) & set(ENCRYPTIONS) else None))
    if options.list:
        for name, place in archive.members.items():
            print(f"{place.size:>12}  {name}")
        return
    place = archive.place(options.member)
    with made(options.out or STREAM, options.force) as sink:
        for start in range(0, place.size, SAMPLE):
            sink.write(archive.read(options.member, start, SAMPLE))


def _passed(
    source: Any, codec: Codec, sink: Any, options: Options, size: int | None, limit: int | None = None
) -> Passed:
    with progress.shown(options.quiet) as watch:
        return pipeline.run(source, codec, sink, size=size, limit=limit, watch=watch)


def _compression(options: Options, source: Any) -> str:
    if options.compression != methods.AUTO or isinstance(source, Packing):
        return str(options.compression).replace(methods.AUTO, "zstd")
    if source.is_stream:
        samples = [source.start(SAMPLE)]
    else:
        samples = [source.read(at, SAMPLE) for at in (0, source.size // 2, max(0, source.size - SAMPLE))]
    part = shrinkage(samples)
    _say(options, f"auto: samples shrink to {part:.0%} of their size")
    return "zstd" if part <= WORTH_IT else NONE


def _encoder(name: str, options: Options, workers: Workers, key: Key | None) -> Codec:
    if name in COMPRESSIONS:
        low, default, high = methods.COMPRESSIONS[name].levels or (0, 0, 0)
        level = default if options.level is None else options.level
        if not low <= level <= high:
            raise _usage(f"level {level} is not one of {name}", f"give {low} to {high}")
        return COMPRESSIONS[name].encoder(workers, level)
    if not ENCRYPTIONS[name].authenticated:
        _say(options, f"{name} is NOT AUTHENTICATED: keep the hash that is told here, or nobody notices a change")
    assert key is not None  # noqa: S101  (for the type checker)
    if name in openssl.VARIANTS:
        return openssl.Sealer(_variant(name, options), workers, key)
    return ENCRYPTIONS[name].sealer(workers, key)


def _variant(name: str, options: Options) -> openssl.Variant:
    """What openssl is told on its command line and does not write down."""
    variant = openssl.VARIANTS[name]._replace(armoured=getattr(options, "armour", False))
    most = openssl.LARGEST_ITERATIONS
    if options.iterations is not None and not 0 < options.iterations <= most:
        raise _usage(f"{options.iterations} iterations are none of openssl's", f"give 1 to {most}")
    return variant._replace(iterations=options.iterations or variant.iterations)


def _decoder(name: str, options: Options, workers: Workers, key: Key | None) -> Codec:
    if name == _SNIFFED:
        return Sniffing(workers)
    if name in READERS:
        return READERS[name].decoder(workers)
    if key is None:
        raise _usage(f"it is sealed with {name}, and no key is given", "give --keyring and --key, or --secret")
    if name in openssl.VARIANTS:
        return openssl.Opener(_variant(name, options), workers, key)
    return ENCRYPTIONS[name].opener(workers, key)


def _applied(options: Options, source: FileSource) -> list[str]:
    """The methods that made the file, in the order in which they were applied."""
    if options.methods:
        applied = options.methods.split("+")
        if unknown := [name for name in applied if name not in SUFFIXES]:
            raise _usage(f"unknown method {unknown[0]}", "known are " + ", ".join(SUFFIXES))
        return applied
    start = source.start(ENOUGH_TO_RECOGNISE)
    return _named(os.path.basename(options.file), start) or _recognised(start)


def _named(name: str, start: bytes) -> list[str]:
    """What a name's suffixes say, so far as the first bytes do not say otherwise."""
    applied: list[str] = []
    while method := _last(name, start if not applied else None):
        applied.insert(0, method)
        name = name.removesuffix(SUFFIXES[method])
    return applied


def _last(name: str, start: bytes | None) -> str | None:
    fitting = [method for method, suffix in SUFFIXES.items() if name.endswith(suffix)]
    if start is None or not fitting:
        return fitting[0] if fitting else None
    if set(fitting) <= set(READERS):
        return recognised(start)
    magic = ENCRYPTIONS[fitting[0]].magic if fitting[0] in ENCRYPTIONS else b""
    return fitting[0] if start.startswith(magic) else None


def _recognised(start: bytes) -> list[str]:
    if found := recognised(start):
        return [found]
    sealed = [name for name, method in ENCRYPTIONS.items() if method.magic and start.startswith(method.magic)]
    return [_SNIFFED, *sealed] if sealed else []


def _bare(path: str, applied: list[str], packed: bool = False) -> str:
    if _SNIFFED in applied or not applied:
        raise _usage(f"nobody knows what to call the plain data of {path}", "give --out")
    for method in reversed(applied[1:] if packed and applied[0] == TAR else applied):
        path = path.removesuffix(SUFFIXES[method])
    return path


def _key(options: Options) -> Key | None:
    """The key that the options name; raises JobError if there is none, None if they name none."""
    if options.secret:
        key = Key(os.path.basename(options.secret), 1, _secret(read_private(options.secret)))
        return _shared(options.share, key) if options.share else key
    if not options.key:
        return None
    name, _, version = options.key.partition(":")
    if options.keyring and options.master:
        keyring = Keyring(options.keyring, FileProvider(options.master))
    elif options.config:
        keyring = Keyring.of(config.load(options.config))
    else:
        raise _usage("a key lies in a keyring", "give --keyring with --master, or --config")
    return keyring.version(name, int(version)) if version else keyring.primary(name)


def _shared(path: str, key: Key) -> Key:
    """The key of one object, out of a header that somebody shared."""
    from python_rules.engine.sharing import received  # it knows zones, and nothing else here does

    return received(_header(path), key)


def _header(path: str) -> bytes:
    """A shared header: as it is, in base64, or in the JSON that the zone answered."""
    with open(path, "rb") as file:
        content = file.read(LARGEST_SHARE)
    try:
        text = json.loads(content)["header"] if content.startswith(b"{") else content
        return content if content.startswith(b"crypt4gh") else base64.b64decode(text, validate=False)
    except (ValueError, KeyError, TypeError):
        raise _usage(f"{path} is no shared header", "give what the zone answered to the request to share") from None


def _secret(content: bytes) -> bytes:
    """32 bytes, as they are or in base64; anything else is a passphrase, as openssl reads one: the first line."""
    try:
        decoded = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        decoded = b""
    return next((found for found in (content, decoded) if len(found) == 32), content.split(b"\n")[0])


def _expect(options: Options, passed: Passed) -> None:
    wanted = options.expect
    hexadecimal = base64.b64decode(passed.written_sha256.removeprefix("sha2:")).hex()
    if wanted and wanted not in (passed.written_sha256, hexadecimal):
        raise JobError("verification_failed", "the plain data are not those that were expected: their SHA-256 is "
                       + passed.written_sha256, remedy="nothing was made")  # fmt: skip


def _numbers(passed: Passed) -> str:
    read, written = (passed.read_size, passed.read_sha256), (passed.written_size, passed.written_sha256)
    return f"read {read[0]} bytes {read[1]}, wrote {written[0]} bytes {written[1]}"


def _say(options: Options, text: str) -> None:
    if not options.quiet:
        print(f"sluice: {text}", file=sys.stderr)


def _usage(text: str, remedy: str) -> JobError:
    return JobError("bad_value", text, remedy=remedy)


class Command(NamedTuple):
    """A command, what it is for, and which options it has."""

    run: Callable[[Options], None]
    about: str
    takes: tuple[str, ...] = ()


KEYS = ("--keyring", "--master", "--config", "--key", "--secret", "--share")
COMMANDS = {
    "open": Command(
        _open,
        "decrypt, decompress and unpack: what the file's name, its first bytes or --as tell",
        (*KEYS, "--out", "--force", "--as", "--expect", "--limit", "--member", "--list", "--packed", "--iterations"),
    ),
    "seal": Command(
        _seal,
        "pack (a folder), compress and encrypt (with a key)",
        (*KEYS, "--out", "--force", "--compression", "--level", "--encryption", "--iterations", "--armour"),
    ),
    "info": Command(_info, "say how a file is encoded", ("--as",)),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "--keyring": {"metavar": "FILE", "help": "a keyring of sluice-keys"},
    "--master": {"metavar": "FILE", "help": "the file of the keyring's master key"},
    "--config": {"metavar": "FILE", "help": "a sluice.json that names the keyring, whoever wraps its keys"},
    "--key": {"metavar": "NAME[:VERSION]", "help": "the key; an object's sluice::key tells (default version: newest)"},
    "--secret": {"metavar": "FILE", "help": "instead: a private file with the key itself, or openssl's passphrase"},
    "--share": {"metavar": "FILE", "help": "with the reader's --secret: a header that the object was shared by"},
    "--out": {"metavar": "FILE", "help": "what to make; '-' is standard output (default: by the file's name)"},
    "--force": {"action": "store_true", "help": "replace a file that exists"},
    "--as": {"dest": "methods", "default": "", "metavar": "METHODS", "help": "how it was made: tar+zstd+aes256-gcm"},
    "--expect": {"metavar": "SHA256", "help": "of the plain data, hex or sha2:<base64>: refuse others"},
    "--limit": {"type": int, "metavar": "BYTES", "help": "refuse more plain data than this"},
    "--member": {"metavar": "NAME", "help": "only this member of a packed collection"},
    "--list": {"action": "store_true", "help": "only list the members of a packed collection"},
    "--packed": {"action": "store_true", "help": "leave the tar packed"},
    "--compression": {"default": "zstd", "choices": [*methods.COMPRESSIONS], "help": "default: zstd"},
    "--level": {"type": int, "metavar": "N", "help": "of the compression"},
    "--iterations": {"type": int, "metavar": "N", "help": "openssl's -iter (default: 1000 with ctr, 10000 with cbc)"},
    "--armour": {"action": "store_true", "help": "openssl's -a: write text in base64"},
    "--encryption": {"choices": [NONE, *ENCRYPTIONS], "help": "default: aes256-gcm, if there is a key"},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice-file",
        description="Seal and open files in Sluice's formats (docs/FORMAT.md), without a zone.",
        epilog="Example: sluice-file open data.csv.zst.tink --keyring keyring.json --master master --key project-42",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="open|seal|info")
    for name, command in COMMANDS.items():
        made_here = commands.add_parser(name, help=command.about, description=command.about)
        made_here.add_argument("file", nargs="?", default=STREAM, help="default: '-', standard input")
        for option in command.takes:
            made_here.add_argument(option, **OPTIONS[option])
        made_here.add_argument("--quiet", "-q", action="store_true", help="say nothing but errors")
        made_here.add_argument("--threads", type=int, default=0, metavar="N", help="default: all cores")
    return parser


def _terminated(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # so that hidden files go before the process does


def command(arguments: list[str] | None = None) -> int:
    """The installed command: ``main`` in a process that guards its memory and cleans up when it is ended."""
    harden()
    signal.signal(signal.SIGTERM, _terminated)
    return main(arguments)


if __name__ == "__main__":
    sys.exit(command())
