"""Queries: GenQuery1 (702), specific queries (722), GenQuery2 (10221)."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.catalog import genquery, genquery2, specific_query
from embedded_zone.catalog.genquery import columns as c
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_STATEMENTS = "query_statements"
_ZONE_KEYWORD = "zone"
_NOT_THE_ROOT = "<>'/'"  # a condition that clients add to any listing; it says nothing about the zone
_ZONE_COLUMNS = (c.COLL_NAME, c.COLL_PARENT_NAME, c.ZONE_NAME)
_NOT_PREDEFINED = "The SQL is not pre-defined.\n  See 'iadmin h asq' (add specific query)"


def statements(agent: Agent) -> genquery.Statements:
    """The open statements of a connection."""
    table = agent.scratch.get(_STATEMENTS)
    if table is None:
        table = agent.scratch[_STATEMENTS] = genquery.Statements()
    found: genquery.Statements = table
    return found


def query(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    """GenQuery1 as the client of this connection; also for microservices. Raises IrodsError as ``genquery.execute``."""
    return genquery.execute(agent.db, agent.client, request, ticket=agent.ticket, statements=statements(agent))


@api(702, "gen_query", request="GenQueryInp_PI", reply="GenQueryOut_PI")
def gen_query(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Answer one page of a query; a zone that the keyword names must be known (SYS_INVALID_ZONE_NAME)."""
    return Reply(body=query(agent, _in_local_zone(agent, request)))


@api(722, "specific_query", request="specificQueryInp_PI", reply="GenQueryOut_PI")
def specific_query_api(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Run a query that is stored in the catalogue."""
    try:
        return Reply(body=specific_query.execute(agent.db, request, statements(agent)))
    except IrodsError as error:
        if error.code == codes.CAT_UNKNOWN_SPECIFIC_QUERY:
            agent.r_error.append((0, _NOT_PREDEFINED))
        raise


@api(10221, "genquery2", request="Genquery2Input_PI", reply="STR_PI")
def genquery2_api(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Answer a GenQuery2 with JSON: rows, or the SQL, or the names of the columns."""
    if (request.get("zone") or agent.config.zone_name) != agent.config.zone_name:
        raise IrodsError(codes.SYS_INVALID_ZONE_NAME, f"unknown zone {request['zone']}")
    text = genquery2.execute(
        agent.db,
        agent.client,
        request.get("query_string") or "",
        sql_only=bool(request.get("sql_only")),
        column_mappings=bool(request.get("column_mappings")),
    )
    return Reply(body={"myStr": text})


def zone_hint(request: dict[str, Any]) -> str:
    """The zone that a query is about, '' if nothing tells: the keyword, or the first path among the conditions."""
    keyword = (request.get("KeyValPair_PI") or {}).get(_ZONE_KEYWORD)
    if keyword:
        return _zone_of(keyword)
    for column, text in request.get("InxValPair_PI") or ():
        if column in _ZONE_COLUMNS and text != _NOT_THE_ROOT:
            return _zone_of(text[text.find("/") :] if "/" in text else text)
    return ""


def _zone_of(path: str) -> str:
    name = path[1:].partition("/")[0] if path.startswith("/") else path
    return name.removesuffix("'")


def _in_local_zone(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    """The request itself; the place where one for another zone is to be forwarded."""
    zone = zone_hint(request)
    named = _ZONE_KEYWORD in (request.get("KeyValPair_PI") or {})
    if named and zone and zone.lower() != agent.config.zone_name.lower():
        raise IrodsError(codes.SYS_INVALID_ZONE_NAME, f"unknown zone {zone}")
    return request
