"""An SFTP server as a system. Requests go many at a time, as large as the server takes them.

Names are resolved by the server; that a folder lies below the base is asked of it (REALPATH) before anything is read
or written there, and a link is never followed as the last name.
"""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from python_rules.engine.blocks import TRANSFER
from python_rules.engine.systems import sftp_wire as wire
from python_rules.engine.systems import ssh
from python_rules.engine.systems.place import FILE, FOLDER, LINK, Item, Outgoing
from python_rules.engine.systems.posix import leads_out
from python_rules.engine.systems.sftp_files import Reading, Writing
from python_rules.engine.systems.sftp_wire import Attributes, Fields, Refused, Wire, number, string
from python_rules.engine.systems.ssh_process import Lost
from python_rules.engine.systems.system import System, checked_path, earlier, hidden_name
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX

_LARGE = 8 << 20  # bytes; from here on a program run there is faster than reading back
# A fixed text: the path goes to its standard input. Where there is an openssl it uses the processor's instructions.
_HASH = """xargs -0 sh -c 'openssl dgst -sha256 -r "$0" 2>&- || sha256sum -- "$0"'"""
_SHA256 = re.compile(r"\\?([0-9a-f]{64}) ")
_HASH_RATE = 50 << 20  # bytes per second that even a slow host hashes

_MEANINGS: dict[int, tuple[str, str]] = {
    wire.NO_SUCH_FILE: ("source_not_found", "it does not exist"),
    wire.PERMISSION_DENIED: ("not_permitted", "the server does not permit this to the account"),
    wire.BAD_MESSAGE: ("bad_path", "the server cannot hold such a name"),
    wire.NO_CONNECTION: ("system_unavailable", "the server lost its storage"),
    wire.LOST: ("system_unavailable", "the server lost its storage"),
    wire.UNSUPPORTED: ("system_error", "the server cannot do this"),
}


class Sftp:
    """A Place behind an SFTP server."""

    least = _LARGE

    def __init__(self, system: System) -> None:
        self._system = system
        room = tempfile.mkdtemp(prefix="sluice-ssh-")
        self._clear = weakref.finalize(self, shutil.rmtree, room, ignore_errors=True)
        self._control = f"{room}/s"  # the socket by which programs there are run over this connection
        self._safe: set[str] = set()  # folders that were seen to lie below the base
        self._base = system.base
        self._runs_programs = system.settings["verify"] == "auto"
        self.wire = Wire(ssh.command(system, "-s", "sftp", control=self._control, shares=True), system.timeout)
        with undone_by(self.close), self._told(""):
            self.wire.greet()
            self._base = self._real(system.base or ".")

    def check(self) -> str:
        """As Place.check."""
        with self._told(""):
            self._listed(self._base)
        return f"SFTP answers, the base is {self._base}; {self.free()} bytes are free"

    def find(self, path: str) -> Item | None:
        """As Place.find."""
        try:
            with self._told(path):
                where = self.where(path)
                body = self.wire.call(wire.LSTAT, string(where), gives=wire.ATTRS).body
                return self._item(path, where, Fields(body).attributes())
        except JobError as error:
            if error.code != "source_not_found":
                raise
            return None

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk."""
        with self._told(path):
            if path:
                self._require_below(path)
            found = self._listed(f"{self._base}/{path}".rstrip("/"))
            items = [
                self._item(f"{path}/{name}".lstrip("/"), f"{self._base}/{path}/{name}", attributes)
                for name, attributes in sorted(found)
                if not name.startswith(HIDDEN_PREFIX)
            ]
        for item in items:
            if item is not None:
                yield item
                if item.kind == FOLDER:
                    yield from self.walk(item.path)

    def read(self, path: str, offset: int = 0) -> Reading:
        """As Place.read."""
        with self._told(path):
            where = self.where(path)
            looked = self.wire.ask(wire.LSTAT, string(where))
            opened = self.wire.ask(wire.OPEN, string(where), number(wire.F_READ) + Attributes().packed())
            attributes = Fields(self._after(looked, opened).body).attributes()
            handle = self.wire.wait(opened, wire.HANDLE).body
            if not stat.S_ISREG(attributes.mode or 0):
                self.wire.call(wire.CLOSE, handle)
                raise self._system.error("bad_path", "it is no file", path)
        return Reading(self, path, handle, offset, attributes.size)

    def write(self, path: str, size: int | None = None, resume: str = "") -> Outgoing:
        """As Place.write."""
        with self._told(path):
            where = self.where(path)
            hidden = f"{where.rpartition('/')[0]}/{hidden_name(resume)}"
            for token in earlier(resume):
                with suppress(Refused):
                    self.rename(f"{where.rpartition('/')[0]}/{hidden_name(token)}", hidden)
                    break
            flags = number(wire.F_READ | wire.F_WRITE | wire.F_CREAT) + Attributes(mode=0o600).packed()
            handle = self.wire.call(wire.OPEN, string(hidden), flags, gives=wire.HANDLE).body
            held = 0
            if resume:
                held = Fields(self.wire.call(wire.FSTAT, handle, gives=wire.ATTRS).body).attributes().size or 0
        return Writing(self, path, where, hidden, handle, held)

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder."""
        done = ""
        for part in filter(None, checked_path(self._system, path).split("/")):
            done = f"{done}/{part}".lstrip("/")
            with self._told(done):
                try:
                    self.wire.call(wire.MKDIR, string(self.where(done)), Attributes(mode=mode or 0o750).packed())
                except Refused as refused:
                    found = self.find(done)
                    if found is None:
                        raise
                    if found.kind != FOLDER:
                        raise self._system.error("target_exists", "it is no folder", done) from refused

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        if leads_out(path, target):
            raise self._system.error("bad_path", f"the link's target {target!a} leads out of the base", path)
        with self._told(path):
            where = self.where(path)
            hidden = f"{where.rpartition('/')[0]}/{hidden_name('')}"
            self.wire.call(wire.SYMLINK, string(target), string(hidden))  # OpenSSH has the two the other way round
            self.rename(hidden, where)

    def remove(self, path: str) -> None:
        """As Place.remove."""
        found = self.find(path)
        if found is not None:
            with self._told(path):
                self._safe.discard(path)
                self.wire.call(wire.RMDIR if found.kind == FOLDER else wire.REMOVE, string(self.where(path)))

    def clean(self, path: str, job: str) -> None:
        """As Place.clean."""
        found = self.find(path) if path else Item("", FOLDER)
        folders = [path.rpartition("/")[0]]
        if found is not None and found.kind == FOLDER:
            folders += [path, *(item.path for item in self.walk(path) if item.kind == FOLDER)]
        for folder in dict.fromkeys(folders):
            where = f"{self._base}/{folder}".rstrip("/")
            with self._told(folder), suppress(FileNotFoundError):
                for name, attributes in self._listed(where):
                    if name.startswith(HIDDEN_PREFIX + job):
                        self._discard(f"{where}/{name}", stat.S_ISDIR(attributes.mode or 0))

    def free(self) -> int | None:
        """As Place.free."""
        if self.wire.extensions.get("statvfs@openssh.com") != "2":
            return None
        with self._told(""):
            asked = (string("statvfs@openssh.com"), string(self._base))
            fields = Fields(self.wire.call(wire.EXTENDED, *asked, gives=wire.EXTENDED_REPLY).body)
            numbers = [fields.number64() for _ in range(5)]
            return numbers[1] * numbers[4]

    def close(self) -> None:
        """As Place.close."""
        self.wire.close()
        self._clear()

    def where(self, path: str) -> str:
        """The path as the server knows it, once the folder that it lies in was seen to be below the base."""
        folder, _, name = checked_path(self._system, path).rpartition("/")
        if folder:
            self._require_below(folder)
        return f"{self._base}/{folder}/{name}" if folder else f"{self._base}/{name}".rstrip("/")

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of what has it."""
        if "posix-rename@openssh.com" in self.wire.extensions:
            self.wire.call(wire.EXTENDED, string("posix-rename@openssh.com"), string(old), string(new))
            return
        with suppress(Refused):
            self.wire.call(wire.REMOVE, string(new))
        self.wire.call(wire.RENAME, string(old), string(new))

    def sha256_there(self, where: str, size: int) -> str:
        """The hash of a file, as a program there computes it (hexadecimal); '' where none can be run."""
        if not self._runs_programs or size < self.least:
            return ""
        name = where.encode("utf-8", "surrogateescape") + b"\0"
        said = ssh.answer(self._system, _HASH, name, self._patience(size), self._control)
        found = _SHA256.match(said or "")
        self._runs_programs = found is not None
        return found[1] if found else ""

    def error(self, code: str, text: str, path: str) -> JobError:
        """An error about a path."""
        return self._system.error(code, text, path)

    @contextmanager
    def told(self, path: str) -> Iterator[None]:
        """Turn what the server says, or that it says nothing, into a JobError about ``path``."""
        with self._told(path):
            yield

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except Lost as lost:
            raise ssh.meaning(self._system, self.wire.complaints(), f"the connection was lost ({lost})") from None
        except Refused as refused:
            raise self._refusal(refused, path) from None
        except ValueError:
            raise self._system.error("bad_path", "the name is not valid Unicode", path) from None

    def _refusal(self, refused: Refused, path: str) -> JobError:
        code, text = _MEANINGS.get(refused.status, ("system_error", f"the server says: {ascii(str(refused))[:80]}"))
        if refused.status == wire.FAILURE:  # the version 3 word for everything else, a full disk among it
            with suppress(JobError, Refused):
                room = self.free()
                if room is not None and room < TRANSFER:
                    code, text = "no_space", "the file system is full, or a quota is reached"
            if len(path.rpartition("/")[2].encode("utf-8", "surrogateescape")) > 255:
                code, text = "bad_path", "the server cannot hold such a name"
        return self._system.error(code, text, path)

    def _discard(self, where: str, is_folder: bool) -> None:
        """Remove what has a hidden name, with what it holds."""
        for name, _ in self._listed(where) if is_folder else ():
            self.wire.call(wire.REMOVE, string(f"{where}/{name}"))
        self.wire.call(wire.RMDIR if is_folder else wire.REMOVE, string(where))

    def _require_below(self, folder: str) -> None:
        if folder in self._safe:
            return
        expected = f"{self._base.rstrip('/')}/{checked_path(self._system, folder)}"
        attributes = Fields(self.wire.call(wire.STAT, string(expected), gives=wire.ATTRS).body).attributes()
        if self._real(expected) != expected or not stat.S_ISDIR(attributes.mode or 0):
            raise self._system.error("bad_path", "the path leads through a link or a file", folder)
        self._safe.add(folder)

    def _real(self, path: str) -> str:
        fields = Fields(self.wire.call(wire.REALPATH, string(path), gives=wire.NAME).body)
        fields.number()
        return fields.text().rstrip("/")

    def _listed(self, where: str) -> list[tuple[str, Attributes]]:
        handle = self.wire.call(wire.OPENDIR, string(where or "/"), gives=wire.HANDLE).body
        found: list[tuple[str, Attributes]] = []
        try:
            while True:
                fields = Fields(self.wire.call(wire.READDIR, handle, gives=wire.NAME).body)
                for _ in range(fields.number()):
                    name = fields.text()
                    fields.bytes()  # the line that 'ls -l' would show
                    found.append((name, fields.attributes()))
        except Refused as refused:
            if refused.status != wire.EOF:
                raise
        self.wire.call(wire.CLOSE, handle)
        return [row for row in found if row[0] not in (".", "..")]

    def _item(self, path: str, where: str, attributes: Attributes) -> Item | None:
        mode = attributes.mode or 0
        if stat.S_ISREG(mode):
            return Item(path, FILE, attributes.size or 0, attributes.modified, mode=stat.S_IMODE(mode))
        if stat.S_ISDIR(mode):
            return Item(path, FOLDER, 0, attributes.modified, mode=stat.S_IMODE(mode))
        if stat.S_ISLNK(mode):
            fields = Fields(self.wire.call(wire.READLINK, string(where), gives=wire.NAME).body)
            fields.number()
            return Item(path, LINK, 0, attributes.modified, link=fields.text())
        return None

    def _after(self, looked: int, opened: int) -> wire.Reply:
        """The reply to the first of two requests; if it is a refusal, the second one's is taken as well."""
        try:
            return self.wire.wait(looked, wire.ATTRS)
        except Refused:
            with suppress(Refused):
                self.wire.call(wire.CLOSE, self.wire.wait(opened, wire.HANDLE).body)
            raise

    def _patience(self, size: int) -> float:
        return self._system.timeout + size / _HASH_RATE
