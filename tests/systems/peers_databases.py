"""The databases of the contract suite: their files have a form, and lie in a folder that all tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.systems.peers import Peer
from tests.systems.servers_databases import Couch, Postgres

_UNREACHABLE = "127.0.0.1:1"
_ROW = 64 * 1024  # bytes of a row, about
_LONG = "x" * 300


@contextmanager
def postgresql(home: Path) -> Iterator[Peer]:
    with Postgres() as server:
        server.start()
        address = f"127.0.0.1:{server.port}"
        settings = {"address": address, "base": "postgres", "user": "sluice", "tls": "disable", "listed": "csv"}
        wrong = {
            "system_unavailable": {"address": _UNREACHABLE},
            "system_refused": {"user": "nobody"},
            "system_error": {"base": "no_such_database"},
        }
        yield Peer(
            "postgresql",
            settings,
            **_LIKE_ALL,
            form=_table,
            ending=".csv",
            parent="public",
            bad_names=(_LONG,),
            names=("plain", 'a b it\'s "q" ünï☃', "-rf", "100%_<x>&|;$`", "back\\slash"),
            wrong=wrong,
        )


@contextmanager
def couchdb(home: Path) -> Iterator[Peer]:
    with Couch() as server:
        server.start()
        yield Peer(
            "couchdb",
            {"address": server.url},
            **_LIKE_ALL,
            form=_documents,
            ending=".jsonl",
            parent="",
            shown=_by_id,
            bad_names=(_LONG, "Capital", "ünï", "a b"),
            names=("plain", "a_$(b)+-c"),
            wrong={"system_unavailable": {"address": f"http://{_UNREACHABLE}"}},
        )


_LIKE_ALL = {"folders": False, "links": False, "times": False, "resumes": False, "seeks": False}


def _rows(size: int) -> list[str]:
    """Texts of so many bytes together, about."""
    return [os.urandom(min(_ROW, size - start) // 2 + 1).hex() for start in range(0, size, _ROW)]


def _table(size: int) -> bytes:
    rows = (f"{number},{text}\n" for number, text in enumerate(_rows(size)))
    return ("n::integer,t::text\n" + "".join(rows)).encode()


def _documents(size: int) -> bytes:
    rows = (
        f'{{"_id":"{number:06}","_rev":"1-{number:032x}","t":"{text}"}}\n' for number, text in enumerate(_rows(size))
    )
    return "".join(rows).encode()


def _by_id(data: bytes) -> list[object]:
    """The documents of a file: a store may write each in its own way."""
    return sorted((json.loads(line) for line in data.splitlines()), key=lambda row: str(row["_id"]))


DATABASE_PEERS = {"postgresql": postgresql, "couchdb": couchdb}
