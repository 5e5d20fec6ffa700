"""The policy hooks that operations on objects fire; the only module here that knows the rule host.

Order and arguments are those recorded from iRODS 5.0.2 (``hook-traces.json``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError, SkipOperation
from embedded_zone.structures.types import irods_type
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.objects.model import Replica, Request


def _wire(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Wire field names to those of the structures: the keywords are ``condInput`` there."""
    named = dict(fields)
    if "KeyValPair_PI" in named:
        named["condInput"] = named.pop("KeyValPair_PI") or {}
    return named


def data_object_info(replica: Replica) -> Any:
    return irods_type("DataObjInfo", _wire(replica.as_wire()))


def key_values(values: Mapping[str, str]) -> Any:
    return irods_type("KeyValPair", dict(values))


def collection_info(path: str, **fields: Any) -> Any:
    return irods_type("CollInfo", {"collName": path, "collParentName": path.rpartition("/")[0] or "/", **fields})


def _variables(replica: Replica, request: Request | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    keywords = request.keywords if request else {}
    return {
        **keywords,
        "logical_path": replica.logical_path,
        "physical_path": replica.physical_path,
        "resc_hier": replica.hierarchy,
        "file_size": replica.size,
        "dataId": "0",
        "dataType": replica.type_name,
        "mode_kw": request.mode if request else 0,
        "flags_kw": request.flags if request else 0,
        "repl_requested": keywords.get("replNum", "-1"),
        "in_pdmo": "",
        "l1_desc_idx": "-1",
        **extra,
    }


@contextmanager
def resource(
    agent: Agent, operation: str, replica: Replica, *args: Any, request: Request | None = None, **extra: Any
) -> Iterator[None]:
    """Fire ``pep_resource_<operation>_*`` around the body, once for each resource of the hierarchy."""
    with ExitStack() as stack:
        for name in replica.hierarchy.split(";"):
            stack.enter_context(_unskippable(_one_resource(agent, operation, name, replica, args, request, extra)))
        yield


@contextmanager
def _unskippable(around: AbstractContextManager[Any]) -> Iterator[None]:
    """Make a failure of a hook's wish to skip: half a step of an operation cannot be left out."""
    try:
        with around:
            yield
    except SkipOperation:
        raise IrodsError(codes.SYS_NOT_SUPPORTED, "a resource or database operation cannot be skipped") from None


def _one_resource(
    agent: Agent,
    operation: str,
    name: str,
    replica: Replica,
    args: tuple[Any, ...],
    request: Request | None,
    extra: Mapping[str, Any],
) -> AbstractContextManager[Any]:
    def make_args(_phase: str) -> list[Any]:
        return [name, _variables(replica, request, extra), "", *args]

    return agent.rules.around(f"resource_{operation}", make_args)


def watched(agent: Agent, operation: str) -> bool:
    """Whether any hook of a resource operation is defined: the fast paths ask before they fire per block."""
    return any(agent.rules.has(f"pep_resource_{operation}_{phase}") for phase in ("pre", "post", "except", "finally"))


def signal(
    agent: Agent, operation: str, replica: Replica, *args: Any, request: Request | None = None, **extra: Any
) -> None:
    """Fire the hooks of an operation that has no work of its own (registered, notify, modified)."""
    with resource(agent, operation, replica, *args, request=request, **extra):
        pass


def database(agent: Agent, operation: str, *args: Any) -> AbstractContextManager[Any]:
    """Fire ``pep_database_<operation>_*`` around the body; the body opens its own transaction inside."""
    return _unskippable(agent.rules.around(f"database_{operation}", lambda _phase: list(args)))


def commit(agent: Agent) -> None:
    """Fire the hooks of the catalogue's commit, which real operations do as a step of its own."""
    with database(agent, "commit"):
        pass


def resolving(
    agent: Agent, name: str, logical_path: str, operation: str, hierarchy: str
) -> AbstractContextManager[Any]:
    """Fire ``pep_resource_resolve_hierarchy_*`` around one resource's vote."""

    def make_args(_phase: str) -> list[Any]:
        parser = irods_type("HierarchyParser", {"text": hierarchy})
        variables = {"logical_path": logical_path, "resc_hier": ""}
        return [name, variables, "", operation, agent.config.host, parser, 0.0]

    return agent.rules.around("resource_resolve_hierarchy", make_args)


def static(agent: Agent, name: str, *args: str, replica: Replica | None = None, request: Request | None = None) -> int:
    """Run a static hook (``ac…``) and answer its status; the caller decides what a failure means."""
    if not agent.rules.has(name):
        return 0
    doi = replica.as_wire() if replica else None
    agent.rules.set_data_object(_wire(doi) if doi else None, _wire(request.as_wire()) if request else None)
    return agent.rules.fire(name, *args)


def require(
    agent: Agent, name: str, *args: str, replica: Replica | None = None, request: Request | None = None
) -> None:
    """Run a static hook that may refuse; raises IrodsError with its code."""
    status = static(agent, name, *args, replica=replica, request=request)
    if status < 0:
        raise IrodsError(status, f"{name} refused")


@contextmanager
def framed(agent: Agent, subject: str, replica: Replica | None = None) -> Iterator[None]:
    """Run ``acPreProcFor<subject>``, the body, ``acPostProcFor<subject>``."""
    require(agent, f"acPreProcFor{subject}", replica=replica)
    yield
    static(agent, f"acPostProcFor{subject}", replica=replica)


@contextmanager
def about_collection(agent: Agent, path: str) -> Iterator[None]:
    """Let the static hooks within see the collection (``rei.coi``)."""
    agent.scratch["coi"] = {"collName": path, "collParentName": path.rpartition("/")[0] or "/"}
    try:
        yield
    finally:
        agent.scratch.pop("coi", None)


def policy(agent: Agent, key: str) -> Any:
    """What a policy microservice set while the last hook ran, None if nothing (``msiSetDefaultResc`` …)."""
    return agent.scratch.get("policy", {}).get(key)
