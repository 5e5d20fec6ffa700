"""A host with rsync as a system: files and folders as over SFTP, and of a file whose older version is at the other end
only what differs, by rsync's own protocol with the rsync there.

Both go through one connection of OpenSSH, which the sessions of rsync share. New files gain nothing from rsync and go
over SFTP; so does the rest of a file whose session was cut.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from python_rules.engine.systems import rsync_files, sftp_files, ssh
from python_rules.engine.systems import rsync_wire as rsync
from python_rules.engine.systems import sftp_wire as wire
from python_rules.engine.systems.place import FILE, Item, Old, Outgoing
from python_rules.engine.systems.rsync_wire import Session
from python_rules.engine.systems.sftp import Sftp
from python_rules.engine.systems.sftp_wire import Attributes, Refused, number, string
from python_rules.engine.systems.ssh_process import Lost
from python_rules.engine.systems.system import System, earlier, hidden_name
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import JobError

_DELTA = ".delta"  # what the hidden folder's name ends with that rsync writes in
_PROGRAM = re.compile(r"[A-Za-z0-9_./+-]+")  # a command line is read by a shell there
_NOT_FOUND = (126, 127)  # what a shell says of a program that it cannot run
_OF_SSH = 255  # what ssh itself ends with
_INSTALL = "an administrator must have rsync (3.0 or later) installed there, set 'program', or use type sftp"
_SEE = "see the system with: sluice systems NAME"
_MEANINGS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("No space left", "quota exceeded"), "no_space", "the file system is full, or a quota is reached"),
    (("Permission denied", "not permitted", "Read-only"), "not_permitted", "rsync there may not read or write it"),
    (("vanished", "No such file"), "source_not_found", "it went while it was moved"),
    (("name too long",), "bad_path", "the server cannot hold such a name"),
)


class Rsync(Sftp):
    """A Place behind an SFTP server beside an rsync."""

    def __init__(self, system: System) -> None:
        if not _PROGRAM.fullmatch(system.settings["program"]):
            raise system.configuration("program", "must be a path of letters, digits and _./+-")
        self.least = int(system.settings["delta_kib"]) << 10  # read back it would cost what the delta saves
        self._hidden: dict[str, str] = {}  # hidden folders of this place's writers, by path
        super().__init__(system)

    @property
    def trusts_times(self) -> bool:
        """As Comparing.trusts_times."""
        return bool(self._system.settings["unchanged"] == "time")

    def check(self) -> str:
        """As Place.check."""
        session = self._begun(rsync.RECEIVER)
        try:
            with self.said("", session):
                version = session.greet(os.fsencode(self._base))
        finally:
            session.close()
        return f"{super().check()}; rsync answers (protocol {version})"

    def read_against(self, path: str, old: Old) -> rsync_files.Reading:
        """As Comparing.read_against."""
        where = self.where_file(path)
        session = self._begun(rsync.SENDER)
        with undone_by(session.close), self.said(path, session):
            session.greet(os.fsencode(where))
            session.send(bytes(4))  # no filters
        return rsync_files.Reading(self, path, session, old)

    def write(self, path: str, size: int | None = None, resume: str = "") -> Outgoing:
        """As Place.write."""
        if not self.pays(size) or not self._is_old(path) or self._taken_up(path, resume):
            return super().write(path, size, resume)
        folder = f"{self._folder(path)}/{hidden_name(resume)}{_DELTA}"
        with self._told(path):
            self.wire.call(wire.MKDIR, string(folder), Attributes(mode=0o700).packed())
        self._hidden[path] = folder
        session = self._begun(rsync.RECEIVER)

        def undo() -> None:
            session.close()
            with suppress(JobError):
                self.discard(path)

        with undone_by(undo), self.said(path, session):
            built_on = f"--compare-dest={self._folder(path)}"  # absolute: newer versions refuse '..'
            session.greet(os.fsencode(folder), os.fsencode(built_on))
        return rsync_files.Writing(self, path, session, size)

    def sha256(self, item: Item) -> str:
        """As Comparing.sha256."""
        told = self.sha256_there(self.where_file(item.path), item.size) if self.pays(item.size) else ""
        return sftp_files.as_irods(told) if told else ""

    def pays(self, size: int | None) -> bool:
        """Whether a file of a size is large enough for a session of its own."""
        return size is None or size >= self.least

    @contextmanager
    def finished(self, path: str, size: int) -> Iterator[sftp_files.Writing]:
        """What rsync wrote, to be verified and named; the hidden folder goes afterwards."""
        where = self.where(path)
        hidden = f"{self._hidden[path]}/{path.rpartition('/')[2]}"
        with self._told(path):
            self.wire.call(wire.SETSTAT, string(hidden), Attributes(mode=0o600).packed())
            flags = number(wire.F_READ | wire.F_WRITE) + Attributes().packed()
            handle = self.wire.call(wire.OPEN, string(hidden), flags, gives=wire.HANDLE).body
        inner = sftp_files.Writing(self, path, where, hidden, handle, size)
        with undone_by(inner.abandon):
            yield inner
        self.discard(path)

    def discard(self, path: str) -> None:
        """Remove the hidden folder of a path's writer."""
        if folder := self._hidden.pop(path, ""):
            with self._told(path), suppress(Refused):
                self._discard(folder, True)

    @contextmanager
    def said(self, path: str, session: Session) -> Iterator[None]:
        """Turn what rsync says, or that it says nothing, into a JobError about ``path``."""
        try:
            yield
        except rsync.Mistaken as mistaken:
            raise self._system.error("system_unavailable", f"{mistaken}; it is tried again", path) from None
        except rsync.Refused as refused:
            raise self._complaint(str(refused), path) from None
        except Lost as lost:
            words = session.last_words()
            if session.status() in _NOT_FOUND:
                raise self._system.error("system_error", "there is no rsync", path, _INSTALL) from None
            if "rsync" in words and session.status() != _OF_SSH:
                raise self._complaint(words, path) from None
            raise ssh.meaning(self._system, words, f"the connection was lost ({lost})") from None

    def where_file(self, path: str) -> str:
        """The path of a file as the server knows it, once it was seen to be one."""
        found = self.find(path)
        if found is None:
            raise self._system.missing(path)
        if found.kind != FILE:
            raise self._system.error("bad_path", "it is no file", path)
        return self.where(path)

    def _begun(self, arguments: str) -> Session:
        remote = f"{self._system.settings['program']} {arguments}"
        return Session(ssh.command(self._system, remote, control=self._control), self._system.timeout)

    def _folder(self, path: str) -> str:
        return self.where(path).rpartition("/")[0]

    def _is_old(self, path: str) -> bool:
        """Whether there is an older version that is worth to be built on."""
        found = self.find(path)
        return found is not None and found.kind == FILE and found.size >= self.least

    def _taken_up(self, path: str, resume: str) -> bool:
        """Whether this attempt wrote some of it before a cut, which then goes on over SFTP. What earlier attempts left
        goes: another delta against the older version costs less than to compare that."""
        with self._told(path):
            folder, name = self._folder(path), path.rpartition("/")[2]
            for token in earlier(resume):
                self._drop(f"{folder}/{hidden_name(token)}")
            if not resume:
                return False
            own = f"{folder}/{hidden_name(resume)}"
            with suppress(Refused):
                self.wire.call(wire.LSTAT, string(own), gives=wire.ATTRS)
                return True
            with suppress(Refused):
                self.wire.call(wire.SETSTAT, string(f"{own}{_DELTA}/{name}"), Attributes(mode=0o600).packed())
                self.rename(f"{own}{_DELTA}/{name}", own)
                self.wire.call(wire.RMDIR, string(own + _DELTA))
                return True
            self._drop(own)
        return False

    def _drop(self, hidden: str) -> None:
        """Remove what a writer left, in either way."""
        with suppress(Refused):
            self._discard(hidden, False)
        with suppress(Refused):
            self._discard(hidden + _DELTA, True)

    def _complaint(self, words: str, path: str) -> JobError:
        for signs, code, text in _MEANINGS:
            if any(sign in words for sign in signs):
                return self._system.error(code, text, path)
        first = words.strip().partition("\n")[0]
        return self._system.error("system_error", f"rsync says: {ascii(first)[:200]}", path, _SEE)
