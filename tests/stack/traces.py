"""Where a secret could have gone: files, process lists, environments; and how it could be spelled there."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_OVERLAP = 4096
_BLOCK = 1 << 22


def spellings(secret: bytes) -> dict[str, bytes]:
    """Raw, hex, base64 of both kinds at each of the three alignments, Python's repr, a list of numbers."""
    told = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "repr": repr(secret)[2:-1].encode(),
        "numbers": ", ".join(map(str, secret)).encode(),
        "json numbers": ",".join(map(str, secret)).encode(),
    }
    for how, text in [*list(told.items())[:2], ("base64", base64.b64encode(secret).rstrip(b"="))]:
        inside = "" if how == "raw" else f" of {how}"  # as a message's body holds a text that holds the secret
        for shift in range(3):
            encoded = base64.b64encode(bytes(shift) + text)[4 * (shift > 0) :].rstrip(b"=")[:-1]
            told[f"base64+{shift}{inside}"] = encoded
            told[f"base64url+{shift}{inside}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))
    return told


def found_in(what: dict[str, bytes], secrets: dict[str, bytes]) -> list[str]:
    """'name (spelling) in place', for every secret in one of these texts: place -> content."""
    wanted = [(f"{name} ({how})", text) for name, secret in secrets.items() for how, text in spellings(secret).items()]
    return [f"{name} in {place}" for place, content in what.items() for name, text in wanted if text in content]


def found_in_files(places: Iterable[Path], secrets: dict[str, bytes]) -> list[str]:
    """'name (spelling) in path', for every secret that lies in a file below these places."""
    wanted = [(f"{name} ({how})", text) for name, secret in secrets.items() for how, text in spellings(secret).items()]
    hits = []
    for path in (path for place in places for path in sorted(place.rglob("*")) if path.is_file()):
        for what, text in wanted:
            if any(text in block for block in _blocks(path)):
                hits.append(f"{what} in {path}")
    return hits


@contextmanager
def watched_processes(secrets: dict[str, bytes]) -> Iterator[list[str]]:
    """Look again and again, until the block ends, at every process's command line and environment; the hits."""
    hits: list[str] = []
    texts = [(name, text) for name, secret in secrets.items() for text in spellings(secret).values()]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for file in (f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"):
                    content = _content(file)
                    hits.extend(f"{name} in {file}" for name, text in texts if text in content)

    thread = threading.Thread(target=look, name="traces")
    thread.start()
    try:
        yield hits
    finally:
        done.set()
        thread.join()


def _blocks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        kept = b""
        while block := file.read(_BLOCK):
            yield kept + block
            kept = block[-_OVERLAP:]


def _content(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError:  # it has ended meanwhile, or is another user's
        return b""
