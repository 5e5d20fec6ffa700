"""``include`` and ``exclude``: shell patterns of names or of paths below the source.

A pattern without a slash is matched against names, one with a slash against the relative path; '*' matches slashes as
well. What lies in a folder that is excluded is excluded. Letters are compared exactly.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from python_rules.jobs.model import JobRequest


def wanted(request: JobRequest, relative: str, is_file: bool) -> bool:
    """Whether a job means what lies at a path below its source."""
    parts = relative.split("/")
    above = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    if any(_matches(pattern, path) for path in above for pattern in request.exclude):
        return False
    if not request.include:
        return True
    return is_file and any(_matches(pattern, path) for path in above for pattern in request.include)


def _matches(pattern: str, path: str) -> bool:
    return fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern.rstrip("/"))
