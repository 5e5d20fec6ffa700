"""Whether a finished write is an arrival that a collection's policy asks to work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional

from python_rules.jobs import paths
from python_rules.jobs.errors import RequestError
from python_rules.names import ENGINE_OPTION
from python_rules.policy import terms
from python_rules.policy.terms import Terms

# API numbers of what makes another replica of the same content: DATA_OBJ_REPL, DATA_OBJ_PHYMV.
_SAME_CONTENT = ("695", "697")


@dataclass(frozen=True)
class Policy:
    """A policy AVU as found: the collection that carries it, the collection's id, and the AVU's value."""

    collection: str
    collection_id: str
    value: str = "{}"

    def terms(self) -> Optional[Terms]:
        """What it asks for; None if that makes no sense (it was set while nobody checked)."""
        try:
            return terms.parse(self.value, self.collection)
        except RequestError:
            return None


def concerns(path: str, own_zone: str, ledger: str, option: str, proxy_is_admin: bool, api: str = "") -> bool:
    """Whether a write is one that policies look at: of this zone, by somebody other than the engine, no hidden name."""
    if not path.startswith(f"/{own_zone}/") or paths.is_hidden(path) or api in _SAME_CONTENT:
        return False
    if paths.is_within(path, ledger) or paths.is_within(path, f"/{own_zone}/trash"):
        return False
    return not (proxy_is_admin and option.startswith(ENGINE_OPTION))


def nearest(path: str, policies: Iterable[Policy]) -> Optional[Policy]:
    """The policy of the closest collection above the path, if any: it holds instead of those further up."""
    holding = [policy for policy in policies if paths.is_within(path, policy.collection)]
    return max(holding, key=lambda policy: len(policy.collection), default=None)
