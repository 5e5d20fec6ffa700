"""A folder of this host as a system; over NFS as well: no locks, a rename is what publishes.

Every path is resolved name by name from the base's descriptor without following links: neither '..' nor a link, made
before or meanwhile, leads out of the base.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from python_rules.engine.blocks import Block
from python_rules.engine.pipeline import Tally, read_blocks
from python_rules.engine.systems.place import FILE, FOLDER, LINK, Fence, Item, unfenced
from python_rules.engine.systems.system import System, checked_path, earlier, hidden_name
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not make us wait

# errno to the code and the text of a JobError; the first row that has it.
_MEANINGS: tuple[tuple[set[int], str, str], ...] = (
    ({errno.ENOENT}, "source_not_found", "it does not exist"),
    ({errno.ENOTDIR, errno.ELOOP}, "bad_path", "the path leads through a link or a file; links are not followed"),
    ({errno.EACCES, errno.EPERM, errno.EROFS}, "not_permitted", "the service account may not do this there"),
    ({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, "no_space", "the file system is full, or a quota is reached"),
    ({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}, "bad_path", "the file system cannot hold such a name"),
    ({errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR}, "target_exists", "something else has this name"),
    ({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV}, "system_unavailable", "no answer"),
)


class Posix:
    """A Place on a file system of this host."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._file_mode = int(system.settings["file_mode"], 8)
        self._folder_mode = int(system.settings["folder_mode"], 8)
        self._root = -1
        self._last: tuple[str, int] = ("", -1)  # the folder used last, and its descriptor
        try:
            self._root = os.open(system.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            remedy = "an administrator must make it, or mount it"
            raise system.error("system_error", f"its base cannot be opened: {error.strerror}", remedy=remedy) from None

    def check(self) -> str:
        """As Place.check."""
        with self._told(""):
            os.listdir(self._root)
            writable = os.access(".", os.W_OK | os.X_OK, dir_fd=self._root)
        room = f"{self.free()} bytes are free"
        return f"a folder that may be read{' and written' if writable else ', not written'}; {room}"

    def find(self, path: str) -> Item | None:
        """As Place.find."""
        try:
            with self._told(path), self._parent(path) as (folder, name):
                return _item(path, os.lstat(name, dir_fd=folder), folder, name)
        except JobError as error:
            if error.code != "source_not_found":
                raise
            return None

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk."""
        with self._told(path), self._folder(path) as folder:
            names = sorted(name for name in os.listdir(folder) if not name.startswith(HIDDEN_PREFIX))
            items = [_item(f"{path}/{name}".lstrip("/"), _status(folder, name), folder, name) for name in names]
        for item in items:
            if item is not None:
                yield item
                if item.kind == FOLDER:
                    yield from self.walk(item.path)

    def read(self, path: str, offset: int = 0) -> Reading:
        """As Place.read."""
        with self._told(path), self._parent(path) as (folder, name):
            opened = os.open(name, _READ, dir_fd=folder)
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                os.close(opened)
                raise self._system.error("bad_path", "it is no file", path)
            os.lseek(opened, offset, os.SEEK_SET)
        return Reading(self, path, opened)

    def write(self, path: str, size: int | None = None, resume: str = "") -> Writing:
        """As Place.write."""
        name = hidden_name(resume)
        with self._told(path), self._parent(path) as (folder, final):
            if len(os.fsencode(final)) > os.fpathconf(folder, "PC_NAME_MAX"):
                raise OSError(errno.ENAMETOOLONG, "")
            for token in earlier(resume):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(hidden_name(token), name, src_dir_fd=folder, dst_dir_fd=folder)
                    break
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            opened = os.open(name, flags, 0o600, dir_fd=folder)
            kept = os.dup(folder)
        return Writing(self, path, kept, name, opened)

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder."""
        done = ""
        for part in filter(None, checked_path(self._system, path).split("/")):
            done = f"{done}/{part}".lstrip("/")
            with self._told(done), self._parent(done) as (folder, name):
                try:
                    os.mkdir(name, mode or self._folder_mode, dir_fd=folder)
                    os.chmod(name, mode or self._folder_mode, dir_fd=folder)  # whatever the umask says
                except FileExistsError:
                    if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                        raise

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link; one that is there already is replaced."""
        if leads_out(path, target):
            raise self._system.error("bad_path", f"the link's target {target!a} leads out of the base", path)
        with self._told(path), self._parent(path) as (folder, name):
            hidden = hidden_name("")
            os.symlink(target, hidden, dir_fd=folder)
            os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, path: str) -> None:
        """As Place.remove."""
        with self._told(path), self._parent(path) as (folder, name), contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        self._forget()

    def clean(self, path: str, job: str) -> None:
        """As Place.clean."""
        above = path.rpartition("/")[0]
        folders = [item.path for item in self.walk(path) if item.kind == FOLDER] if self._is_folder(path) else []
        for place in {above, *([path, *folders] if self._is_folder(path) else [])}:
            if not self._is_folder(place):
                continue
            with self._told(place), self._folder(place) as folder:
                for name in os.listdir(folder):
                    if name.startswith(HIDDEN_PREFIX + job):
                        os.unlink(name, dir_fd=folder)

    def free(self) -> int | None:
        """As Place.free."""
        with self._told(""):
            state = os.fstatvfs(self._root)
            return state.f_bavail * state.f_frsize

    def close(self) -> None:
        """As Place.close."""
        self._forget()
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def file_mode(self) -> int:
        """The permission bits of new files."""
        return self._file_mode

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn what the file system says in the block into a JobError about ``path``."""
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in a name
            raise self.meaning(error, path) from None

    def meaning(self, error: OSError | ValueError, path: str) -> JobError:
        """The JobError for what the file system says."""
        number = error.errno if isinstance(error, OSError) else errno.EINVAL
        for numbers, code, text in _MEANINGS:
            if number in numbers:
                return self._system.error(code, text, path)
        return self._system.error("system_error", f"the file system says: {os.strerror(number or 0)}", path)

    def unverified(self, path: str, what: str) -> JobError:
        """The error about a file that is not what was written."""
        return self._system.error("verification_failed", f"it was not stored as sent: {what}", path)

    def _is_folder(self, path: str) -> bool:
        found = self.find(path) if path else Item("", FOLDER)
        return found is not None and found.kind == FOLDER

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Descriptor of the folder that a path lies in, and its last name; the base itself is its own '.'."""
        folder, _, name = checked_path(self._system, path).rpartition("/")
        with self._folder(folder) as opened:
            yield opened, name or "."

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """A folder's descriptor, which stays open until another one is asked for."""
        if path == "":
            yield self._root
            return
        if self._last[0] != path:
            opened = self._walked_to(checked_path(self._system, path))
            self._forget()
            self._last = (path, opened)
        yield self._last[1]

    def _walked_to(self, path: str) -> int:
        folder = os.dup(self._root)
        for part in path.split("/"):
            try:
                below = os.open(part, _FOLDER, dir_fd=folder)
            finally:
                os.close(folder)
            folder = below
        return folder

    def _forget(self) -> None:
        if self._last[1] >= 0:
            os.close(self._last[1])
        self._last = ("", -1)


class Reading:
    """A file that is read."""

    def __init__(self, place: Posix, path: str, opened: int) -> None:
        self._place = place
        self._path = path
        self._opened = opened

    def readinto(self, buffer: bytearray) -> int:
        """As Source.readinto."""
        try:
            return os.readv(self._opened, [buffer])
        except OSError as error:
            raise self._place.meaning(error, self._path) from None

    def interrupt(self) -> None:
        """As Source.interrupt; a file system's read cannot be broken, and does not wait long."""

    def close(self) -> None:
        """As Incoming.close."""
        os.close(self._opened)


class Writing:
    """A file that is written under a hidden name beside its final one."""

    def __init__(self, place: Posix, path: str, folder: int, name: str, opened: int) -> None:
        self._place = place
        self._path = path
        self._folder = folder
        self._name = name
        self._opened = opened
        self.held = os.fstat(opened).st_size
        self._at = self.held

    def reread(self) -> Reading:
        """As Outgoing.reread."""
        copy = os.open(self._name, _READ, dir_fd=self._folder)
        return Reading(self._place, self._path, copy)

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at."""
        os.ftruncate(self._opened, offset)
        self._at = offset

    def write(self, block: Block) -> None:
        """As Sink.write."""
        view = memoryview(block)
        try:
            while len(view):
                count = os.pwrite(self._opened, view, self._at)
                self._at += count
                view = view[count:]
        except OSError as error:
            raise self._place.meaning(error, self._path) from None

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish."""
        try:
            os.fsync(self._opened)
            os.posix_fadvise(self._opened, 0, 0, os.POSIX_FADV_DONTNEED)  # what comes back is what was stored
            self._verify(size, sha256)
            os.fchmod(self._opened, self._place.file_mode())
            if modified is not None:
                os.utime(self._opened, (modified, modified))
            final = self._path.rpartition("/")[2]
            fence()
            os.rename(self._name, final, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            with contextlib.suppress(OSError):  # not every file system can; the name is there already
                os.fsync(self._folder)
        except OSError as error:
            raise self._place.meaning(error, self._path) from None
        self._close()
        return "read back"

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        if self._opened < 0:
            return
        if not keep:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
        self._close()

    def _verify(self, size: int, sha256: str) -> None:
        found = os.fstat(self._opened).st_size
        if found != size:
            raise self._place.unverified(self._path, f"it has {found} of {size} bytes")
        os.lseek(self._opened, 0, os.SEEK_SET)
        tally = Tally()
        for _ in tally.over(read_blocks(_Descriptor(self._opened), size, UNWATCHED)):
            pass
        if tally.sha256 != sha256:
            raise self._place.unverified(self._path, "what is read back has another SHA-256")

    def _close(self) -> None:
        os.close(self._opened)
        os.close(self._folder)
        self._opened = -1


class _Descriptor:
    """An open file as a pipeline's source."""

    def __init__(self, opened: int) -> None:
        self._opened = opened

    def readinto(self, buffer: bytearray) -> int:
        return os.readv(self._opened, [buffer])

    def interrupt(self) -> None:
        return


def leads_out(path: str, target: str) -> bool:
    """Whether a link at a path leads out of the base; '..' counts at the beginning alone: behind a name, which may be
    a link itself, nobody can tell where it leads."""
    parts = target.split("/")
    ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return not target or target.startswith("/") or ups > path.count("/") or ".." in parts[ups:] or "\0" in target


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None  # it went while the folder was listed


def _item(path: str, status: os.stat_result | None, folder: int, name: str) -> Item | None:
    """What a path holds; None for what is neither file, folder nor link, and is never staged."""
    if status is None:
        return None
    mode, modified = stat.S_IMODE(status.st_mode), status.st_mtime_ns / 1e9
    if stat.S_ISREG(status.st_mode):
        return Item(path, FILE, status.st_size, modified, mode=mode)
    if stat.S_ISDIR(status.st_mode):
        return Item(path, FOLDER, 0, modified, mode=mode)
    if stat.S_ISLNK(status.st_mode):
        return Item(path, LINK, 0, modified, link=os.readlink(name, dir_fd=folder))
    return None
