"""A document store that speaks CouchDB's interface: each database is a file of JSON Lines, one document on each line.

Ids and revisions are kept, attachments come along; of documents in conflict the winning revision alone. A database has
no rename: what comes in is filled and verified under a name of ours, then copied to its own, closed until it is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from python_rules.engine.blocks import MIB, Block
from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.keys import Listed, tree
from python_rules.engine.systems.place import FILE, FOLDER, Fence, Item, unfenced
from python_rules.engine.systems.system import System, checked_path
from python_rules.engine.systems.web import Web
from python_rules.jobs.errors import JobError

_FORM = ".jsonl"
_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]{0,230}")  # CouchDB's own rule
_HIDDEN = "sluice-unpublished-"
_MARK = "_local/sluice-unpublished"  # a document of a database that is being filled
_CLOSED = {"admins": {"names": [], "roles": ["_admin"]}, "members": {"names": [], "roles": ["_admin"]}}
_BATCH = 4 * MIB  # bytes of one request, about
_LONGEST_LINE = 64 * MIB  # bytes of a document with its attachments
_MODULUS = 1 << 256


class CouchDb:
    """A Place of databases."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._prefix = system.base.strip("/")
        self.store = Store(system)

    def check(self) -> str:
        """As Place.check."""
        said = self.store.get("", "")
        known = sum(1 for _ in self._names())
        return f"{said.get('vendor', {}).get('name', 'CouchDB')} {said.get('version', '')} with {known} databases"

    def find(self, path: str) -> Item | None:
        """As Place.find; how large a database is as a file is not known before it was read."""
        if not checked_path(self._system, path):
            return Item("", FOLDER)
        if path.endswith(_FORM) and self._exists(self._name(path)):
            return Item(path, FILE, -1)
        return Item(path, FOLDER) if next(self.walk(path), None) else None

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk."""
        start = f"{checked_path(self._system, path)}/" if path else ""
        names = (name for name in self._names() if name.startswith(start))
        return tree((Listed(name + _FORM, -1, None, "") for name in names), path)

    def read(self, path: str, offset: int = 0) -> Reading:
        """As Place.read; a database may have changed when it is asked for again, so it is read from its start alone."""
        if offset:
            remedy = "the job is tried again from the start"
            raise self._system.error("system_unavailable", "it cannot be read from its middle", path, remedy)
        name = self._name(path)
        if not self._exists(name):
            raise self._system.missing(path)
        return Reading(self._system, self.store, path, name)

    def write(self, path: str, size: int | None = None, resume: str = "") -> Writing:
        """As Place.write."""
        token = re.sub(r"[^a-z0-9-]", "_", (resume or uuid.uuid4().hex).lower())
        short = hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:16]
        return Writing(self._system, self.store, path, self._name(path), f"{self._prefix}{_HIDDEN}{token}-{short}")

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder: a '/' in a database's name is all there is to a folder."""
        checked_path(self._system, path)

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise self._system.error("bad_value", "a document store has no symbolic links", path, "let links be followed")

    def remove(self, path: str) -> None:
        """As Place.remove."""
        if checked_path(self._system, path).endswith(_FORM):
            self.store.remove(self._name(path), path)

    def clean(self, path: str, job: str) -> None:
        """As Place.clean: all that attempts of the job left in this system."""
        start = f"{self._prefix}{_HIDDEN}{job.lower()}"
        for name in self.store.get("_all_dbs", ""):
            if name.startswith(start):
                self.store.remove(name, path)

    def free(self) -> None:
        """As Place.free."""

    def close(self) -> None:
        """As Place.close."""
        self.store.web.close()

    def _names(self) -> Iterator[str]:
        """The databases below the base, without those that are being filled and the server's own."""
        for name in sorted(self.store.get("_all_dbs", "")):
            own = name[len(self._prefix) :]
            ours = name.startswith(self._prefix) and own and not own.startswith(("_", _HIDDEN))
            if ours and not self.store.is_filled(name):
                yield own

    def _exists(self, name: str) -> bool:
        return self.store.exists(name) and not self.store.is_filled(name)

    def _name(self, path: str) -> str:
        """The database of a path."""
        name = self._prefix + checked_path(self._system, path).removesuffix(_FORM)
        if not path.endswith(_FORM) or not _NAME.fullmatch(name) or _HIDDEN in name:
            remedy = f"name it with small letters, digits and _$()+-, a letter first, and {_FORM} at its end"
            raise self._system.error("bad_path", f"{ascii(path)[:80]} is no name of a database", remedy=remedy)
        return name


class Store:
    """The requests of CouchDB's interface."""

    def __init__(self, system: System) -> None:
        self.web = Web(system)
        self._batch = int(system.settings["batch"])
        self._address = str(system.settings["address"]).rstrip("/")
        if system.settings["user"]:
            self.web.session.auth = (str(system.settings["user"]), system.secret("password_file"))

    def ask(self, method: str, what: str, about: str, allow: tuple[int, ...] = (), **options: Any) -> Any:
        """The JSON of an answer; None for a status that is allowed and not good."""
        answer = self.web.ask(method, f"{self._address}/{what}", about, allow, **options)
        return answer.json() if answer.status_code // 100 == 2 and answer.content else None

    def get(self, what: str, about: str, **params: Any) -> Any:
        """What is read."""
        shown = {key: json.dumps(value) for key, value in params.items()}
        return self.ask("GET", what, about, params=shown)

    def exists(self, name: str) -> bool:
        """Whether there is such a database."""
        return self.ask("GET", quote(name, safe=""), name, allow=(404,)) is not None

    def is_filled(self, name: str) -> bool:
        """Whether a database is being filled, or was when somebody's attempt broke."""
        return self.ask("GET", f"{quote(name, safe='')}/{_MARK}", name, allow=(404,)) is not None

    def make(self, name: str, about: str) -> None:
        """Make a database that only administrators see, anew."""
        self.remove(name, about)
        quoted = quote(name, safe="")
        self.ask("PUT", quoted, about)
        self.ask("PUT", f"{quoted}/_security", about, json=_CLOSED)
        self.ask("PUT", f"{quoted}/{_MARK}", about, json={})

    def open(self, name: str, about: str, security: Any) -> None:
        """Let everybody see a database who may."""
        quoted = quote(name, safe="")
        self.ask("PUT", f"{quoted}/_security", about, json=security)
        mark = self.get(f"{quoted}/{_MARK}", about)
        self.ask("DELETE", f"{quoted}/{_MARK}", about, params={"rev": mark["_rev"]})

    def security(self, name: str, about: str) -> Any:
        """Who may see a database; {} if it is not there, as for a new one."""
        return self.ask("GET", f"{quote(name, safe='')}/_security", about, allow=(404,)) or {}

    def remove(self, name: str, about: str) -> None:
        """Remove a database; that it is not there is no error."""
        self.ask("DELETE", quote(name, safe=""), about, allow=(404,))

    def state(self, name: str, about: str) -> tuple[int, Any]:
        """How many documents there are, and a number that grows with every change."""
        said = self.get(quote(name, safe=""), about)
        return int(said["doc_count"]), said["update_seq"]

    def documents(self, name: str, about: str) -> Iterator[dict[str, Any]]:
        """All documents by id, with their attachments."""
        asked: dict[str, Any] = {"include_docs": True, "attachments": True, "limit": self._batch}
        while True:
            page = self.get(f"{quote(name, safe='')}/_all_docs", about, **asked)["rows"]
            yield from (row["doc"] for row in page)
            if len(page) < self._batch:
                return
            asked.update(startkey=page[-1]["id"], skip=1)

    def put(self, name: str, about: str, documents: list[dict[str, Any]]) -> list[Any]:
        """Write documents with the revisions that they have; those that the server refuses."""
        refused: list[Any] = []
        for start in range(0, len(documents), self._batch):
            body = {"docs": documents[start : start + self._batch], "new_edits": False}
            answer = self.ask("POST", f"{quote(name, safe='')}/_bulk_docs", about, json=body)
            refused += [row for row in answer or () if "error" in row]
        return refused


class Reading:
    """A database that is read; place.Incoming."""

    def __init__(self, system: System, store: Store, path: str, name: str) -> None:
        self._system = system
        self._store = store
        self._path = path
        self._name = name
        self._lines = self._read()
        self._line = memoryview(b"")
        self._stopped = False

    def readinto(self, buffer: bytearray) -> int:
        """As Source.readinto."""
        view, filled = memoryview(buffer), 0
        while filled < len(view) and not self._stopped:
            if not self._line:
                self._line = memoryview(next(self._lines, b""))
            count = min(len(view) - filled, len(self._line))
            if not count:
                break
            view[filled : filled + count] = self._line[:count]
            self._line = self._line[count:]
            filled += count
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt: it ends after the request that is under way, within the system's timeout."""
        self._stopped = True

    def close(self) -> None:
        """As Incoming.close."""
        self._lines.close()

    def _read(self) -> Any:
        before = self._store.state(self._name, self._path)
        count = 0
        for document in self._store.documents(self._name, self._path):
            count += 1
            yield json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if self._store.state(self._name, self._path) != before or count != before[0]:
            text = f"the database was changed while it was read, or gave {count} of {before[0]} documents"
            remedy = "submit the job again when nobody writes to it"
            raise self._system.error("source_changed", text, self._path, remedy)


class Writing:
    """A database that is filled; place.Outgoing."""

    held = 0

    def __init__(self, system: System, store: Store, path: str, name: str, hidden: str) -> None:
        self._system = system
        self._store = store
        self._path = path
        self._name = name
        self._hidden = hidden
        self._rest = bytearray()  # of a line that is not complete
        self._waiting: list[dict[str, Any]] = []
        self._waiting_size = 0
        self._lines = 0
        self._sent = Digest()
        self._tally = Tally()
        store.make(hidden, path)

    def reread(self) -> None:
        """As Outgoing.reread."""

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at: nothing is ever held."""

    def write(self, block: Block) -> None:
        """As Sink.write."""
        self._tally.add(block)
        self._rest += block
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            self._take(line)
        if len(rest) > _LONGEST_LINE:
            raise self._unfit("is longer than 64 MiB")

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish: every document that comes back is compared with the one that was sent."""
        if self._rest:
            self._take(self._rest)
            self._rest = bytearray()
        self._send()
        if (self._tally.size, self._tally.sha256) != (size, sha256):
            raise self._system.error("verification_failed", "what arrived is not what was read", self._path)
        self._verify(self._hidden)
        security = self._store.security(self._name, self._path)
        fence()
        self._store.make(self._name, self._path)
        self._copy()
        self._verify(self._name)
        self._store.open(self._name, self._path, security)
        self._store.remove(self._hidden, self._path)
        return "read back"

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        self._store.remove(self._hidden, self._path)

    def _take(self, line: bytearray) -> None:
        self._lines += 1
        if not line.strip():
            return
        try:
            document = json.loads(line)
        except ValueError:
            raise self._unfit("is no JSON") from None
        if not isinstance(document, dict):
            raise self._unfit("is no JSON object")
        own = hashlib.sha256(b"%d:" % self._lines + line).hexdigest()[:32]
        document.setdefault("_id", own)
        document.setdefault("_rev", f"1-{own}")
        self._sent.add(document)
        self._waiting.append(document)
        self._waiting_size += len(line)
        if self._waiting_size >= _BATCH:
            self._send()

    def _send(self) -> None:
        refused = self._store.put(self._hidden, self._path, self._waiting)
        if refused:
            text = f"the store refuses {str(refused[0].get('id'))[:80]!a}: {str(refused[0].get('error'))[:80]}"
            raise self._system.error("bad_value", text, self._path, "correct the document, or leave it out")
        self._waiting, self._waiting_size = [], 0

    def _copy(self) -> None:
        batch: list[dict[str, Any]] = []
        for document in self._store.documents(self._hidden, self._path):
            batch.append(document)
            if len(batch) >= 100:
                self._store.put(self._name, self._path, batch)
                batch = []
        self._store.put(self._name, self._path, batch)

    def _verify(self, name: str) -> None:
        held = Digest()
        for document in self._store.documents(name, self._path):
            held.add(document)
        if (held.count, held.value) != (self._sent.count, self._sent.value):
            text = f"the store gave back {held.count} of {self._sent.count} documents, or others than were sent"
            remedy = "two lines may have one id, or a number more digits than the store keeps"
            raise self._system.error("verification_failed", text, self._path, remedy)

    def _unfit(self, what: str) -> JobError:
        return self._system.error("wrong_encoding", f"line {self._lines} {what}", self._path, "give one object a line")


class Digest:
    """A hash over documents in any order; what the store makes up itself does not count."""

    def __init__(self) -> None:
        self.value = 0
        self.count = 0

    def add(self, document: dict[str, Any]) -> None:
        """Take a document."""
        text = json.dumps(_plain(document), sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).digest()
        self.value = (self.value + int.from_bytes(digest, "big")) % _MODULUS
        self.count += 1


def _plain(value: Any) -> Any:
    """A value without what differs between equal documents: 1.0 and 1, and notes about attachments."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        attachments = value.get("_attachments")
        shown = {key: _plain(one) for key, one in value.items() if key != "_attachments"}
        if isinstance(attachments, dict):
            shown["_attachments"] = {
                name: {key: one.get(key) for key in ("content_type", "data")} for name, one in attachments.items()
            }
        return shown
    return value
