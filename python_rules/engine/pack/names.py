"""Which members may be unpacked: nothing gets outside of the target, nothing is written twice."""

from __future__ import annotations

from python_rules.engine.pack import COLLECTION, HARD_LINK, LINK, ROOT, Member
from python_rules.jobs.errors import JobError

IMPLIED = "implied"  # a collection that only the names of its members tell of


class Names:
    """The names that an archive has used so far; ``take`` refuses what does not go with them."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def take(self, member: Member, offset: int) -> None:
        """Raise JobError ``unsafe_archive`` unless the member may be made."""
        require_safe(member.name, offset)
        known = self._kinds.get(member.name)
        if known and (known != IMPLIED or member.kind != COLLECTION):
            raise unsafe(f"{member.name!a} is in the archive twice", offset)
        self._take_parents(member.name, offset)
        if member.kind in (LINK, HARD_LINK):
            require_inside(member, offset)
        self._kinds[member.name] = member.kind

    def _take_parents(self, name: str, offset: int) -> None:
        parent = name.rpartition("/")[0]
        while parent:
            if self._kinds.setdefault(parent, IMPLIED) not in (COLLECTION, IMPLIED):
                raise unsafe(f"{name!a} lies below {parent!a}, which is no collection", offset)
            parent = parent.rpartition("/")[0]


def require_safe(name: str, offset: int) -> None:
    """Raise JobError unless the name is relative, without '.', '..' and empty parts."""
    if name.startswith("/"):
        raise unsafe(f"{name!a} is an absolute name", offset)
    parts = name.split("/")
    if ".." in parts or (name != ROOT and {"", "."} & set(parts)) or "\0" in name:
        raise unsafe(f"{name!a} is no name below the target", offset)


def require_inside(member: Member, offset: int) -> None:
    """Raise JobError if a link leaves the target. '..' counts at the beginning alone: behind a name, which may be
    a link itself, nobody can tell where it leads."""
    parts = member.link.split("/")
    ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    depth = member.name.count("/") if member.kind == LINK else 0
    if not member.link or member.link.startswith("/") or ups > depth or ".." in parts[ups:] or "\0" in member.link:
        raise unsafe(f"the link {member.name!a} leaves the target", offset)


def unsafe(text: str, offset: int) -> JobError:
    """The error about an archive that would do what no archive may."""
    return JobError(
        "unsafe_archive",
        f"{text}, at byte {offset} of the archive",
        remedy="nothing was unpacked; look at the archive with: tar -tv",
        offset=offset,
    )
