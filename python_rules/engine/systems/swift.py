"""A container of OpenStack Swift as a system. The base is ``container`` or ``container/prefix``.

A file of several parts is a static large object: its segments lie in a container of their own, where nobody looks, and
the manifest that makes a file of them is written last. Swift compares each with the MD5 that is sent beside it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from python_rules.engine.blocks import MIB
from python_rules.engine.systems.keys import Keyed, Listed, key_of
from python_rules.engine.systems.parts import Part, PartedWriter, RangedReader, Sizes
from python_rules.engine.systems.place import FILE, Item
from python_rules.engine.systems.swift_store import Account, seconds
from python_rules.engine.systems.system import System, checked_path
from python_rules.engine.systems.unfinished import Mark, Marks

_MTIME = "X-Object-Meta-Mtime"  # seconds since the epoch, as Swift's own client writes it
_SHA = "X-Object-Meta-Sluice-Sha2"
_IS_LARGE = "X-Static-Large-Object"


class Swift(Keyed):
    """A Place in a container."""

    def __init__(self, system: System) -> None:
        self._system = system
        settings = system.settings
        self.container, _, self.prefix = system.base.strip("/").partition("/")
        if not self.container:
            raise system.configuration("base", "must be a container, or container/prefix")
        self.segments = str(settings["segments"]) or f"{self.container}_segments"
        self._part = int(settings["part_mib"]) * MIB
        self._threads = int(settings["streams"])
        self.account = Account(system, self._threads + 1)
        self._marks = Marks(_Small(self))

    def check(self) -> str:
        """As Place.check."""
        said = self.account.ask("HEAD", self.container).headers
        room = self.free()
        free = "no quota is set" if room is None else f"{room} bytes are free"
        return f"the container {self.container} holds {said.get('X-Container-Object-Count', '?')} objects; {free}"

    def read(self, path: str, offset: int = 0) -> RangedReader:
        """As Place.read; what follows the first range is fetched ahead, and only of the same content."""
        checked_path(self._system, path)
        data, total, tag = self._range(path, offset, self._part, "")
        return RangedReader(data, offset, total, lambda at, size: self._range(path, at, size, tag)[0], self._threads)

    def write(self, path: str, size: int | None = None, resume: str = "") -> PartedWriter:
        """As Place.write."""
        key = self.key(checked_path(self._system, path))
        sizes = Sizes(self._part, int(self._system.settings["most_parts"]), size)
        upload = LargeObject(self, path, key, resume, self._marks)
        there = upload.taken_over() if size is None or size > sizes.first else []
        return PartedWriter(self._system, path, upload, sizes, self._threads, there)

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder: an empty object whose name ends with '/', so that empty folders are kept."""
        if checked_path(self._system, path):
            headers = {"Content-Type": "application/directory"}
            self.account.ask("PUT", self.container, f"{self.key(path)}/", headers=headers, data=b"")

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise self._system.error("bad_value", "an object store has no symbolic links", path, "let links be followed")

    def remove(self, path: str) -> None:
        """As Place.remove; the segments of a large object go with it."""
        key = self.key(checked_path(self._system, path))
        below = list(self._listed(f"{path}/", 2))[:2]
        if any(row.key != f"{path}/" for row in below):
            raise self._system.error("target_exists", "the folder is not empty", path)
        if below:
            self.account.ask("DELETE", self.container, f"{key}/", allow=(404,))
        segments = self.segments_of(key)
        self.account.ask("DELETE", self.container, key, allow=(404,))
        self.delete_segments(segments)

    def clean(self, path: str, job: str) -> None:
        """As Place.clean."""
        for mark in self._marks.of_job(job, path):
            self.abort(mark)

    def free(self) -> int | None:
        """As Place.free: by the quota of the container or of the account, whichever is nearer."""
        container = self.account.ask("HEAD", self.container).headers
        account = self.account.account_headers()
        left = [
            int(said[quota]) - int(said.get(used, 0))
            for said, quota, used in (
                (container, "X-Container-Meta-Quota-Bytes", "X-Container-Bytes-Used"),
                (account, "X-Account-Meta-Quota-Bytes", "X-Account-Bytes-Used"),
            )
            if said.get(quota, "").isdigit()
        ]
        return max(0, min(left)) if left else None

    def close(self) -> None:
        """As Place.close."""
        self.account.web.close()

    def key(self, path: str) -> str:
        """The object's name of a path."""
        return key_of(self._system, self.prefix, path)

    def abort(self, mark: Mark) -> None:
        """Remove the segments of an upload that has no manifest, and its mark."""
        found = [row["name"] for row in self.account.listed(self.segments, f"{mark.upload}/", allow=(404,))]
        self.delete_segments([f"/{self.segments}/{name}" for name in found])
        self._marks.remove(mark)

    def sweep(self) -> None:
        """Remove uploads that nobody went on with."""
        for mark in self._marks.older(float(self._system.settings["leftover_days"])):
            self.abort(mark)

    def segments_of(self, key: str) -> list[str]:
        """The segments in our own container that an object consists of; none if it is no large object, or not there."""
        head = self.account.ask("HEAD", self.container, key, allow=(404,))
        if head.status_code == 404 or _IS_LARGE not in head.headers:
            return []
        rows = self.account.ask("GET", self.container, key, params={"multipart-manifest": "get"}).json()
        return [row["name"] for row in rows if row["name"].startswith(f"/{self.segments}/")]

    def delete_segments(self, names: list[str]) -> None:
        """Remove segments; that one is not there is no error."""
        for name in names:
            self.account.ask("DELETE", self.segments, name.split("/", 2)[2], allow=(404,))

    def _file(self, path: str) -> Item | None:
        """The object of a path, if there is one."""
        head = self.account.ask("HEAD", self.container, self.key(path), allow=(404,))
        return None if head.status_code == 404 else _item(path, head)

    def _listed(self, prefix: str, page: int = 10_000) -> Iterator[Listed]:
        start = f"{self.prefix}/" if self.prefix else ""
        for row in self.account.listed(self.container, start + prefix, page):
            tag = row.get("slo_etag", "").strip('"')
            checksum = f"etag:{tag}" if tag else f"md5:{row['hash']}"
            yield Listed(row["name"][len(start) :], row["bytes"], seconds(row["last_modified"]), checksum)

    def _range(self, path: str, offset: int, size: int, tag: str) -> tuple[bytes, int, str]:
        """Bytes of an object, its size and ETag."""
        headers = {"Range": f"bytes={offset}-{offset + size - 1}", **({"If-Match": tag} if tag else {})}
        with self.account.ask(
            "GET", self.container, self.key(path), allow=(416,), headers=headers, stream=True
        ) as answer:
            if answer.status_code == 416:
                return b"", offset, ""
            data = self.account.web.body(answer, path)
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return data, int(total) if total.isdigit() else offset + len(data), answer.headers["ETag"]


class LargeObject:
    """A static large object; parts.Upload."""

    def __init__(self, place: Swift, path: str, key: str, resume: str, marks: Marks) -> None:
        self._place = place
        self._account = place.account
        self._path = path
        self._key = key
        self._resume = resume
        self._marks = marks
        self._mark: Mark | None = None
        self._there: list[Part] = []

    def taken_over(self) -> list[Part]:
        """The segments that an earlier attempt left, their size and MD5 as Swift has them."""
        self._mark = self._marks.taken_over(self._path, self._resume)
        if self._mark is None:
            return []
        rows = self._account.listed(self._place.segments, f"{self._mark.upload}/")
        self._there = [Part(int(row["name"].rpartition("/")[2]), row["bytes"], row["hash"]) for row in rows]
        return self._there

    def begin(self) -> None:
        """As Upload.begin."""
        self._make_container()
        self._place.sweep()
        self._mark = self._marks.made(self._path, self._resume, uuid.uuid4().hex)

    def send(self, part: Part, data: bytes | bytearray) -> None:
        """As Upload.send."""
        name = self._segment(part.number)
        self._account.ask("PUT", self._place.segments, name, data=data, headers={"ETag": part.md5})

    def put(self, data: bytes, sha256: str, modified: float | None) -> None:
        """As Upload.put; what was there may be a large object, whose segments then go."""
        headers = {"ETag": hashlib.md5(data, usedforsecurity=False).hexdigest(), **_said(sha256, modified)}
        only_new = {**headers, "If-None-Match": "*"}
        put = self._account.ask("PUT", self._place.container, self._key, allow=(412,), data=data, headers=only_new)
        if put.status_code == 412:
            old = self._place.segments_of(self._key)
            self._account.ask("PUT", self._place.container, self._key, data=data, headers=headers)
            self._place.delete_segments(old)

    def complete(self, parts: list[Part], sha256: str, modified: float | None) -> None:
        """As Upload.complete; Swift refuses a manifest whose segments have not the size and MD5 that it says."""
        rows = [
            {"path": self._named(part.number), "etag": part.md5, "size_bytes": part.size}
            for part in sorted(parts, key=lambda part: part.number)
        ]
        old = self._place.segments_of(self._key) + [self._named(part.number) for part in self._there]
        answer = self._account.ask(
            "PUT",
            self._place.container,
            self._key,
            params={"multipart-manifest": "put"},
            json=rows,
            headers={"Content-Type": "application/octet-stream", **_said(sha256, modified)},
        )
        self._compare(answer, parts)
        if self._mark:
            self._marks.remove(self._mark)
        self._place.delete_segments([name for name in old if name not in {row["path"] for row in rows}])

    def drop(self) -> None:
        """As Upload.drop."""
        if self._mark:
            self._place.abort(self._mark)
            self._mark = None

    def _compare(self, answer: requests.Response, parts: list[Part]) -> None:
        wanted = hashlib.md5("".join(part.md5 for part in parts).encode(), usedforsecurity=False).hexdigest()
        if answer.headers.get("ETag", "").strip('"') != wanted:
            text = "the ETag of the manifest is not that of its segments"
            raise self._place._system.error("verification_failed", text, self._path)

    def _make_container(self) -> None:
        self._account.ask("PUT", self._place.segments)

    def _segment(self, number: int) -> str:
        return f"{self._mark.upload if self._mark else ''}/{number:08d}"

    def _named(self, number: int) -> str:
        return f"/{self._place.segments}/{self._segment(number)}"


class _Small:
    """unfinished.Small in the container of segments, below the base's prefix."""

    def __init__(self, place: Swift) -> None:
        self._place = place

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        start = self._name("")
        for row in self._place.account.listed(self._place.segments, start + prefix, allow=(404,)):
            yield row["name"][len(start) :], seconds(row["last_modified"])

    def get(self, name: str) -> bytes | None:
        answer = self._place.account.ask("GET", self._place.segments, self._name(name), allow=(404,))
        return None if answer.status_code == 404 else answer.content

    def put(self, name: str, data: bytes) -> None:
        self._place.account.ask("PUT", self._place.segments, self._name(name), data=data)

    def delete(self, name: str) -> None:
        self._place.account.ask("DELETE", self._place.segments, self._name(name), allow=(404,))

    def _name(self, name: str) -> str:
        return f"{self._place.prefix}/{name}" if self._place.prefix else name


def _said(sha256: str, modified: float | None) -> dict[str, str]:
    return {_SHA: sha256, **({} if modified is None else {_MTIME: f"{modified:.9f}"})}


def _item(path: str, head: requests.Response) -> Item:
    said: Any = head.headers
    tag = said["ETag"].strip('"')
    checksum = said.get(_SHA) or (f"etag:{tag}" if _IS_LARGE in said else f"md5:{tag}")
    return Item(path, FILE, int(said["Content-Length"]), _time_of(said), checksum)


def _time_of(said: Any) -> float:
    try:
        return float(said[_MTIME])
    except (KeyError, ValueError):  # others write what they like
        return parsedate_to_datetime(said["Last-Modified"]).timestamp()
