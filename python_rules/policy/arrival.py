"""Whether a finished write is an arrival that a collection's policy asks to work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional

from python_rules.jobs import paths
from python_rules.names import ENGINE_OPTION


@dataclass(frozen=True)
class Policy:
    """A policy AVU as found: the collection that carries it and the collection's id."""

    collection: str
    collection_id: str


def concerns(path: str, own_zone: str, ledger: str, option: str, proxy_is_admin: bool) -> bool:
    """Whether a write is one that policies look at: of this zone, by somebody other than the engine, no hidden name."""
    if not path.startswith(f"/{own_zone}/") or paths.is_hidden(path):
        return False
    if paths.is_within(path, ledger) or paths.is_within(path, f"/{own_zone}/trash"):
        return False
    return not (proxy_is_admin and option.startswith(ENGINE_OPTION))


def nearest(path: str, policies: Iterable[Policy]) -> Optional[Policy]:
    """The policy of the closest collection above the path, if any."""
    holding = [policy for policy in policies if paths.is_within(path, policy.collection)]
    return max(holding, key=lambda policy: len(policy.collection), default=None)
