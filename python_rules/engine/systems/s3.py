"""A bucket of an S3 store as a system, through boto3. The base is ``bucket`` or ``bucket/prefix``.

A file of several parts is a multipart upload, which has no name before it is completed; one of a single part is one
request. Every part goes with its MD5, which the store checks, and comes back with an ETag that must be that MD5.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import botocore.exceptions as ex

from python_rules.engine.blocks import MIB
from python_rules.engine.systems.keys import Keyed, Listed, key_of
from python_rules.engine.systems.parts import Part, PartedWriter, RangedReader, Sizes
from python_rules.engine.systems.place import FILE, Item
from python_rules.engine.systems.s3_client import client, meaning
from python_rules.engine.systems.system import System, checked_path
from python_rules.engine.systems.unfinished import Mark, Marks
from python_rules.jobs.errors import JobError

_MTIME, _SHA = "mtime", "sluice-sha2"  # x-amz-meta-…; the first as rclone writes it: seconds since the epoch


class S3(Keyed):
    """A Place in a bucket."""

    def __init__(self, system: System) -> None:
        self._system = system
        settings = system.settings
        self.bucket, _, self.prefix = system.base.strip("/").partition("/")
        if not self.bucket:
            raise system.configuration("base", "must be a bucket, or bucket/prefix")
        self._part = int(settings["part_mib"]) * MIB
        self._threads = int(settings["streams"])
        self.client = client(system)
        self._marks = Marks(_Small(self))

    def check(self) -> str:
        """As Place.check."""
        with self.told(""):
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        return f"the bucket {self.bucket} can be listed; how much is free an S3 store does not say"

    def read(self, path: str, offset: int = 0) -> RangedReader:
        """As Place.read; what follows the first range is fetched ahead, and only of the same content."""
        checked_path(self._system, path)
        try:
            data, total, tag = self._range(path, offset, self._part, "")
        except _EmptyError:
            data, total, tag = b"", offset, ""
        return RangedReader(data, offset, total, lambda at, size: self._range(path, at, size, tag)[0], self._threads)

    def write(self, path: str, size: int | None = None, resume: str = "") -> PartedWriter:
        """As Place.write."""
        key = self.key(checked_path(self._system, path))
        sizes = Sizes(self._part, int(self._system.settings["most_parts"]), size)
        upload = Multipart(self, path, key, resume, self._marks)
        there = upload.taken_over() if size is None or size > sizes.first else []
        return PartedWriter(self._system, path, upload, sizes, self._threads, there)

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder: an empty object whose key ends with '/', so that empty folders are kept."""
        if checked_path(self._system, path):
            with self.told(path):
                self.client.put_object(Bucket=self.bucket, Key=self.key(path) + "/", Body=b"")

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise self._system.error("bad_value", "an object store has no symbolic links", path, "let links be followed")

    def remove(self, path: str) -> None:
        """As Place.remove."""
        key = self.key(checked_path(self._system, path))
        with self.told(path):
            below = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{key}/", MaxKeys=2).get("Contents", [])
            if any(row["Key"] != f"{key}/" for row in below):
                raise self._system.error("target_exists", "the folder is not empty", path)
            for one in (key, *(row["Key"] for row in below)):
                self.client.delete_object(Bucket=self.bucket, Key=one)

    def clean(self, path: str, job: str) -> None:
        """As Place.clean."""
        for mark in self._marks.of_job(job, path):
            self.abort(mark)

    def free(self) -> None:
        """As Place.free."""

    def close(self) -> None:
        """As Place.close."""
        self.client.close()

    def abort(self, mark: Mark) -> None:
        """Remove an upload that was not completed, and its mark."""
        self.forget(self.key(mark.path), mark.upload)
        self._marks.remove(mark)

    def forget(self, key: str, upload: str) -> None:
        """Remove the parts of an upload; that it has ended is no error."""
        try:
            with self.told(key):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        except JobError as error:
            if error.code != "source_not_found":
                raise

    def sweep(self) -> None:
        """Remove uploads that nobody went on with."""
        for mark in self._marks.older(float(self._system.settings["leftover_days"])):
            self.abort(mark)

    def key(self, path: str) -> str:
        """The key of a path."""
        return key_of(self._system, self.prefix, path)

    @contextmanager
    def told(self, path: str) -> Iterator[None]:
        """Turn what boto3 raises in the block into a JobError about ``path``."""
        try:
            yield
        except (ex.ClientError, ex.BotoCoreError) as error:
            raise meaning(self._system, error, path) from None  # its text may hold the request

    def _file(self, path: str) -> Item | None:
        """The object of a path, if there is one."""
        try:
            with self.told(path):
                return _item(path, self.client.head_object(Bucket=self.bucket, Key=self.key(path)))
        except JobError as error:
            if error.code != "source_not_found":
                raise
            return None

    def _listed(self, prefix: str, page: int = 1000) -> Iterator[Listed]:
        start = f"{self.prefix}/" if self.prefix else ""
        token: dict[str, str] = {}
        while True:
            with self.told(prefix):
                answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=start + prefix, MaxKeys=page, **token)
            for row in answer.get("Contents", ()):
                checksum = _checksum(row["ETag"].strip('"'))
                yield Listed(row["Key"][len(start) :], row["Size"], _seconds(row["LastModified"]), checksum)
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def _range(self, path: str, offset: int, size: int, tag: str) -> tuple[bytes, int, str]:
        """Bytes of an object, its size and ETag; raises _EmptyError if it ends before."""
        same = {"IfMatch": tag} if tag else {}
        try:
            with self.told(path):
                answer = self.client.get_object(
                    Bucket=self.bucket, Key=self.key(path), Range=f"bytes={offset}-{offset + size - 1}", **same
                )
                data = answer["Body"].read()
        except JobError as error:
            if "InvalidRange" in error.text:
                raise _EmptyError from None
            raise
        total = answer.get("ContentRange", "").rpartition("/")[2]
        return data, int(total) if total.isdigit() else offset + len(data), answer["ETag"]


class Multipart:
    """A multipart upload; parts.Upload."""

    def __init__(self, place: S3, path: str, key: str, resume: str, marks: Marks) -> None:
        self._place = place
        self._path = path
        self._name = {"Bucket": place.bucket, "Key": key}
        self._resume = resume
        self._marks = marks
        self._mark: Mark | None = None

    def taken_over(self) -> list[Part]:
        """The parts that an earlier attempt left, their size and MD5 as the store has them."""
        self._mark = self._marks.taken_over(self._path, self._resume)
        try:
            return self._listed()
        except JobError as error:
            if error.code != "source_not_found" or self._mark is None:
                raise
            self._marks.remove(self._mark)  # it was completed, or the store has removed it
            self._mark = None
            return []

    def begin(self) -> None:
        """As Upload.begin."""
        self._place.sweep()
        with self._place.told(self._path):
            made = self._place.client.create_multipart_upload(**self._name)
        self._mark = self._marks.made(self._path, self._resume, made["UploadId"])

    def send(self, part: Part, data: bytes | bytearray) -> None:
        """As Upload.send."""
        digest = _base64(bytes.fromhex(part.md5))
        with self._place.told(self._path):
            answer = self._place.client.upload_part(
                **self._upload(), PartNumber=part.number, Body=data, ContentMD5=digest
            )
        self._compare(answer["ETag"], part.md5)

    def put(self, data: bytes, sha256: str, modified: float | None) -> None:
        """As Upload.put."""
        digest = hashlib.md5(data, usedforsecurity=False)
        said = {_SHA: sha256, **({} if modified is None else {_MTIME: f"{modified:.9f}"})}
        with self._place.told(self._path):
            answer = self._place.client.put_object(
                **self._name, Body=data, ContentMD5=_base64(digest.digest()), Metadata=said
            )
        self._compare(answer["ETag"], digest.hexdigest())

    def complete(self, parts: list[Part], sha256: str, modified: float | None) -> None:
        """As Upload.complete. An answer that was lost leaves the object complete: then its ETag says so."""
        named = [{"PartNumber": part.number, "ETag": f'"{part.md5}"'} for part in parts]
        wanted = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False)
        try:
            with self._place.told(self._path):
                self._place.client.complete_multipart_upload(**self._upload(), MultipartUpload={"Parts": named})
        except JobError as error:
            if error.code != "source_not_found":
                raise
            self._compare(self._tag(), f"{wanted.hexdigest()}-{len(parts)}")
        if self._mark:
            self._marks.remove(self._mark)

    def _tag(self) -> str:
        """The ETag of what has the final name now."""
        try:
            with self._place.told(self._path):
                return str(self._place.client.head_object(**self._name)["ETag"])
        except JobError as error:
            if error.code != "source_not_found":
                raise
            text = "the store has removed the parts of the upload"
            raise self._place._system.error("system_unavailable", text, self._path) from None

    def drop(self) -> None:
        """As Upload.drop."""
        if self._mark:
            self._place.abort(self._mark)
            self._mark = None

    def _upload(self) -> dict[str, str]:
        return {**self._name, "UploadId": self._mark.upload if self._mark else ""}

    def _listed(self) -> list[Part]:
        parts: list[Part] = []
        if self._mark is None:
            return parts
        with self._place.told(self._path):
            for page in self._place.client.get_paginator("list_parts").paginate(**self._upload()):
                for row in page.get("Parts", ()):
                    parts.append(Part(row["PartNumber"], row["Size"], row["ETag"].strip('"')))
        return parts

    def _compare(self, tag: str, wanted: str) -> None:
        if tag.strip('"') != wanted:
            text = "the ETag that the store gave is not the MD5 of what was sent"
            remedy = "a store that keeps no MD5 (SSE-KMS, SSE-C) cannot be written to; use another encryption there"
            raise self._place._system.error("verification_failed", text, self._path, remedy)


class _Small:
    """unfinished.Small in the bucket, below the base."""

    def __init__(self, place: S3) -> None:
        self._place = place

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        for row in self._place._listed(prefix):
            yield row.key, row.modified or 0.0

    def get(self, name: str) -> bytes | None:
        try:
            return self._place._range(name, 0, MIB, "")[0]
        except JobError as error:
            if error.code != "source_not_found":
                raise
            return None

    def put(self, name: str, data: bytes) -> None:
        with self._place.told(name):
            self._place.client.put_object(Bucket=self._place.bucket, Key=self._place.key(name), Body=data)

    def delete(self, name: str) -> None:
        with self._place.told(name):
            self._place.client.delete_object(Bucket=self._place.bucket, Key=self._place.key(name))


class _EmptyError(Exception):
    """A range begins at the end of its object, or behind it."""


def _item(path: str, head: dict[str, Any]) -> Item:
    said = head.get("Metadata", {})
    checksum = said.get(_SHA) or _checksum(head["ETag"].strip('"'))
    return Item(path, FILE, head["ContentLength"], _time_of(said, head["LastModified"]), checksum)


def _time_of(said: dict[str, str], stored: datetime) -> float:
    try:
        return float(said[_MTIME])
    except (KeyError, ValueError):  # others write what they like
        return _seconds(stored)


def _seconds(when: datetime) -> float:
    return when.timestamp()


def _checksum(tag: str) -> str:
    return f"etag:{tag}" if "-" in tag else f"md5:{tag}"


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
