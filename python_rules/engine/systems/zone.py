"""An iRODS zone as a place: the zone itself as the job's user, or another one through an account of its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from irods.exception import CAT_INVALID_AUTHENTICATION, NetworkException, PycommandsException, iRODSException
from irods.session import iRODSSession

from python_rules.engine import encoding
from python_rules.engine.blocks import TRANSFER, Block
from python_rules.engine.encoding import Encoding
from python_rules.engine.pipeline import Passed
from python_rules.engine.systems.place import FILE, FOLDER, Fence, Item, unfenced
from python_rules.engine.systems.system import System, checked_path, earlier, hidden_name
from python_rules.engine.transfer import queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.healing import STALE
from python_rules.engine.transfer.streams import Reader, Writer
from python_rules.engine.transfer.trees import TreeZone
from python_rules.engine.transfer.zone import Zone
from python_rules.engine.undoing import undone_by
from python_rules.jobs import paths
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Avu
from python_rules.names import ENGINE_OPTION

_PORT = 1247


class ZonePlace:
    """A Place below a collection ('' for the whole zone), in a session that somebody else closes."""

    def __init__(self, session: iRODSSession, base: str = "", job: str = "") -> None:
        self._base = base.rstrip("/")
        self._job = job
        self.zone = TreeZone(session, job)

    def check(self) -> str:
        """As Place.check."""
        session = self.zone.session
        with told(self._base):
            if not queries.collection_exists(session, self._base):
                raise JobError("system_error", f"there is no collection {self._base}, or it may not be seen")
            release = ".".join(map(str, session.server_version))
        return f"iRODS {release}, zone {session.zone}, as {session.username}"

    def find(self, path: str) -> Item | None:
        """As Place.find."""
        where = self._where(path)
        with told(where):
            found = queries.replicas(self.zone.session, where)
            if not found:
                return Item(path, FOLDER) if queries.collection_exists(self.zone.session, where) else None
        return self._file(path, found)

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk."""
        where = self._where(path)
        listing = self.zone.list(where)
        items = {one.relative: self._listed(path, one) for one in listing.objects}
        items.update({name: Item(f"{path}/{name}".lstrip("/"), FOLDER) for name in listing.collections})
        for name in sorted(items, key=lambda name: name.split("/")):
            yield items[name]

    def read(self, path: str, offset: int = 0) -> Reader:
        """As Place.read."""
        where = self._where(path)
        reader = Reader(self.zone.session, where)
        with undone_by(reader.close):
            if offset:
                reader.seek(offset)
        return reader

    def write(self, path: str, size: int | None = None, resume: str = "") -> ZoneWriting:
        """As Place.write."""
        where = paths.checked(self._where(path), "target")
        above, name = paths.split(where)
        self.zone.existing(where)  # a collection is never replaced
        hidden = f"{above}/{hidden_name(resume)}"
        is_small = size is not None and size <= TRANSFER
        return ZoneWriting(self.zone, hidden, f"{above}/{name}", 0 if is_small else self._held(hidden, resume, size))

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder."""
        self.zone.make_collections(paths.checked(self._where(path), "target"), ())

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise JobError(
            "bad_value",
            f"{path} is a symbolic link, which a zone cannot keep",
            field="links",
            remedy="set links to 'skip', or pack the tree",
            object_path=self._where(path),
        )

    def remove(self, path: str, trash: bool = False) -> None:
        """As Place.remove."""
        where = self._where(path)
        with told(where):
            there = queries.replicas(self.zone.session, where)
            if not there and not queries.collection_exists(self.zone.session, where):
                return
            if there:
                self.zone.remove(where, trash)
            else:
                self.zone.session.collections.remove(where, recurse=False, force=not trash)

    def clean(self, path: str, job: str) -> None:
        """As Place.clean."""
        where = self._where(path)
        places = [where, paths.split(where)[0]] if path else [where]
        for place in places:
            with told(place):
                found = list(queries.replicas_below(self.zone.session, place, paths.HIDDEN_PREFIX + job))
            for row in found:
                self.zone.discard(row.path)

    def free(self) -> int | None:
        """As Place.free: a resource is chosen by the zone, when the object is made."""
        return None

    def close(self) -> None:
        """As Place.close; the session is not ours."""

    def encoding(self, path: str) -> Encoding:
        """How an object is encoded."""
        where = self._where(path)
        return encoding.read(self.zone.attributes(self.zone.list(where).objects[0]))

    def _where(self, path: str) -> str:
        return f"{self._base}/{path}".rstrip("/")

    def _held(self, hidden: str, resume: str, size: int | None) -> int:
        """Bytes in whole blocks that this attempt or an earlier one left, by now under this attempt's hidden name.
        One block less where all may be there: a replica that nobody writes to stays stale."""
        above = paths.split(hidden)[0]
        for token in (resume, *earlier(resume)) if resume else ():
            left = f"{above}/{hidden_name(token)}"
            with told(left):
                found = queries.replicas(self.zone.session, left)
            if any(one.status not in (queries.GOOD, STALE) for one in found):
                if token == resume:
                    raise _in_use(left)
                continue  # its agent was killed, or its writer lives
            if found:
                if token != resume:
                    self.zone.publish(left, hidden, replace=False)
                is_all = size is None or found[0].size >= size
                return max(0, found[0].size - is_all) // TRANSFER * TRANSFER if len(found) == 1 else 0
        return 0

    def _file(self, path: str, found: list[queries.Replica]) -> Item:
        good = [replica for replica in found if replica.status == queries.GOOD]
        taken = (good or found)[0]
        return Item(path, FILE, taken.size, seconds(taken.modified), taken.checksum if good else "")

    def _listed(self, path: str, one: Any) -> Item:
        return Item(f"{path}/{one.relative}".lstrip("/"), FILE, one.size, seconds(one.modified), one.checksum)


class OtherZone(ZonePlace):
    """Another zone, with a session of its own."""

    def __init__(self, system: System) -> None:
        self._system = system
        host, port = system.address(_PORT)
        given = system.settings
        secured: dict[str, Any] = {}
        if given["authority"]:
            context = ssl.create_default_context(cafile=given["authority"])
            secured = {"client_server_policy": "CS_NEG_REQUIRE", "ssl_context": context}
        session = iRODSSession(
            host=host,
            port=port,
            user=given["user"],
            password=system.secret("password_file"),
            zone=given["zone"],
            application_name=ENGINE_OPTION,
            connection_timeout=system.timeout,
            **secured,
        )
        super().__init__(session, system.base, "")
        self._login()

    def close(self) -> None:
        """As Place.close."""
        self.zone.session.cleanup()

    def _where(self, path: str) -> str:
        return super()._where(checked_path(self._system, path))

    def _login(self) -> None:
        try:
            self.zone.session.pool.get_connection().release()
        except CAT_INVALID_AUTHENTICATION:
            raise self._system.error("system_refused", "it does not accept the account's password") from None
        except (NetworkException, OSError) as error:
            text = f"it cannot be reached: {type(error).__name__}"
            raise self._system.error("system_unavailable", text) from None
        except (iRODSException, PycommandsException) as error:
            text = f"it refused the login: {type(error).__name__}"
            raise self._system.error("system_refused", text) from None


class ZoneWriting:
    """A data object that is written under a hidden name beside its final one."""

    def __init__(self, zone: Zone, hidden: str, final: str, held: int = 0) -> None:
        self._zone = zone
        self._hidden = hidden
        self._final = final
        self.held = held
        self._writer: Writer | None = None if held else zone.writer(hidden)
        self.avus: list[Avu] = []  # what the object is given before it has its name

    def reread(self) -> Reader | None:
        """As Outgoing.reread."""
        return self._zone.reader(self._hidden) if self.held else None

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at; what cannot be cut back to an offset is begun anew by the next attempt."""
        if offset == self.held or not offset:
            self._writer = self._zone.writer(self._hidden, offset)
            return
        self._zone.discard(self._hidden)
        text = "what an earlier attempt left is something else"
        raise JobError("zone_unavailable", f"{self._final}: {text}", remedy="the job begins it anew by itself")

    def write(self, block: Block) -> None:
        """As Sink.write."""
        if self._writer is None:
            self._writer = self._zone.writer(self._hidden, self.held)
        self._writer.write(block)

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish."""
        self._end()
        self._zone.verify(self._hidden, Passed(size, sha256, size, sha256))
        self._zone.give(self._hidden, self.avus)
        if modified is not None:
            self._zone.touch(self._hidden, modified)
        fence()
        self._zone.publish(self._hidden, self._final, replace=True)
        return "the zone's checksum"

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        writer, self._writer = self._writer, None
        with suppress(JobError):
            if writer is not None:
                writer.abandon()
        if not keep:
            self._zone.discard(self._hidden)

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _in_use(hidden: str) -> JobError:
    text = "the server has not noticed yet that its writer is gone"
    return JobError("zone_unavailable", f"{hidden}: {text}", remedy="it is tried again by itself", object_path=hidden)


def seconds(modified: str) -> float | None:
    """A time of the catalogue as seconds since 1970."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
