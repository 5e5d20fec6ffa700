"""What a zone answers, in the words of a JobError: one table, the first row that fits counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import irods.exception as ex

from python_rules.jobs.errors import JobError


class Meaning(NamedTuple):
    """What an exception means to a caller."""

    raised: tuple[type[Exception], ...]
    code: str
    text: str
    remedy: str


_MISSING = (
    ex.DataObjectDoesNotExist,
    ex.CollectionDoesNotExist,
    ex.OBJ_PATH_DOES_NOT_EXIST,
    ex.USER_FILE_DOES_NOT_EXIST,
    ex.USER_INPUT_PATH_ERR,
    ex.CAT_UNKNOWN_FILE,
    ex.CAT_NO_ROWS_FOUND,
)
_FULL = (ex.UNIX_FILE_WRITE_ERR, ex.SYS_RESC_QUOTA_EXCEEDED, ex.SYS_COPY_LEN_ERR, ex.USER_FILE_TOO_LARGE)

MEANINGS: tuple[Meaning, ...] = (
    Meaning((ex.NetworkException,), "zone_unavailable", "the connection to the zone was lost", "retry the job"),
    Meaning((ex.CAT_NO_ACCESS_PERMISSION,), "not_permitted", "the zone does not permit this", "ask for write access"),
    Meaning(
        (ex.CAT_NAME_EXISTS_AS_DATAOBJ, ex.CAT_NAME_EXISTS_AS_COLLECTION, ex.OVERWRITE_WITHOUT_FORCE_FLAG),
        "target_exists",
        "the target exists",
        "name another target, or set existing to 'skip' or 'replace'",
    ),
    Meaning(
        (ex.CAT_UNKNOWN_COLLECTION,),
        "target_collection_not_found",
        "the collection does not exist, or may not be seen",
        "make the collection first (imkdir)",
    ),
    Meaning(_MISSING, "source_not_found", "it does not exist, or may not be read", "check the path with ils"),
    Meaning(
        (ex.HIERARCHY_ERROR, ex.LOCKED_DATA_OBJECT_ACCESS),
        "zone_error",
        "no good replica can be used: it is being written, or its resource is down",
        "see the replicas with ils -l, and retry the job",
    ),
    Meaning((ex.SYS_RESC_IS_DOWN,), "zone_unavailable", "the resource is down", "retry the job when it is up"),
    Meaning(_FULL, "no_space", "the resource is full, or a quota is reached", "make room there, and retry the job"),
)


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn what python-irodsclient raises in the block into a JobError about ``path``."""
    try:
        yield
    except (ex.PycommandsException, ex.iRODSException) as error:
        raise meaning(error, path) from error
    except KeyError as error:  # python-irodsclient's answer to a code that its table lacks
        raise JobError("zone_error", f"{path}: the zone answered {error}", object_path=path) from error


def meaning(error: Exception, path: str) -> JobError:
    """The JobError for an exception of python-irodsclient."""
    answered = f"{type(error).__name__} {getattr(error, 'code', '')}".rstrip()
    for row in MEANINGS:
        if isinstance(error, row.raised):
            return JobError(row.code, f"{path}: {row.text} ({answered})", remedy=row.remedy, object_path=path)
    remedy = "retry the job; if it stays so, show this to the zone's administrator"
    return JobError("zone_error", f"{path}: the zone answered {answered}", remedy=remedy, object_path=path)
