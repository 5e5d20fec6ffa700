"""Somebody's rules in a zone, by link: an edit reaches the next connection."""

from __future__ import annotations

from pathlib import Path

from embedded_zone.config import ConfigError


def link_rules(rules: Path | None, etc: Path) -> None:
    """Put links to a core.py, or to all that lies in a directory with one, into a zone's ``etc``; None does nothing.

    Raises ConfigError if there is no core.py.
    """
    if rules is None:
        return
    wanted = {"core.py": rules} if rules.is_file() else {entry.name: entry for entry in sorted(rules.glob("*"))}
    if "core.py" not in wanted:
        raise ConfigError(f"{rules}: neither a file nor a directory with a core.py")
    for name, target in wanted.items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).symlink_to(target.absolute())
