"""What a caller is told when something cannot be done.

    JobError            code, text, field, remedy; the same four through every door
      RequestError      the request itself is wrong: nothing was created

A real server drops the text of a raised rule error, so the doors hand a JobError over as data.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

# What a caller may build on. The value is the HTTP status that the shim answers; rules ignore it.
CODES: Dict[str, int] = {
    "malformed_json": 400,
    "cut_json": 400,
    "unknown_field": 400,
    "missing_field": 400,
    "bad_value": 400,
    "bad_path": 400,
    "unknown_operation": 400,
    "unknown_method": 400,
    "not_permitted": 403,
    "source_not_found": 404,
    "key_not_found": 404,
    "job_not_found": 404,
    "target_exists": 409,
    "target_collection_not_found": 409,
    "collection_not_empty": 409,
    "resource_not_found": 404,
    "zone_not_found": 404,
    "job_exists": 409,
    "illegal_transition": 409,
    "source_empty": 409,
    "source_changed": 409,
    "corrupt_ciphertext": 422,
    "corrupt_compressed_data": 422,
    "unsafe_archive": 422,
    "wrong_encoding": 422,
    "verification_failed": 500,
    "engine_failed": 500,
    "configuration": 500,
    "zone_error": 502,
    "zone_unavailable": 503,
    "system_not_found": 404,
    "system_refused": 502,
    "system_error": 502,
    "system_unavailable": 503,
    "no_space": 507,
    "cancelled": 409,
    "lease_lost": 409,
    "deadline_passed": 409,
}


# What may be gone at the next attempt; everything else stays as it is until somebody does something.
PASSING = frozenset({"zone_unavailable", "system_unavailable"})


class JobError(Exception):
    """Something a caller must be told; ``public()`` is what every door shows of it."""

    def __init__(
        self,
        code: str,
        text: str,
        *,
        field: Optional[str] = None,
        remedy: str = "",
        object_path: Optional[str] = None,
        offset: Optional[int] = None,
    ) -> None:
        if code not in CODES:
            raise ValueError("unknown error code " + code)
        super().__init__(text)
        self.code = code
        self.text = text
        self.field = field
        self.remedy = remedy
        self.object_path = object_path
        self.offset = offset

    def public(self) -> Dict[str, Any]:
        """The error as JSON values; ``object`` and ``offset`` (bytes) only where they are known."""
        shown: Dict[str, Any] = {"code": self.code, "text": self.text, "field": self.field, "remedy": self.remedy}
        if self.object_path is not None:
            shown["object"] = self.object_path
        if self.offset is not None:
            shown["offset"] = self.offset
        return shown

    @classmethod
    def from_public(cls, shown: Dict[str, Any]) -> JobError:
        """The error that another process wrote down with ``public()``."""
        return cls(
            shown["code"],
            shown["text"],
            field=shown.get("field"),
            remedy=shown.get("remedy") or "",
            object_path=shown.get("object"),
            offset=shown.get("offset"),
        )


class RequestError(JobError):
    """The request cannot be accepted as it stands; nothing was created."""
