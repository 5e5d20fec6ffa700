"""Queries: GenQuery1 (702), specific queries (722), GenQuery2 (10221)."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.catalog import genquery, genquery2, specific_query
from embedded_zone.errors import IrodsError
from embedded_zone.federation import hints
from embedded_zone.wire import codes

_STATEMENTS = "query_statements"
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


def _in_local_zone(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    """The request itself; one for a zone that is known was forwarded before."""
    zone = hints.of_keyword(request)
    if zone and zone.lower() != agent.config.zone_name.lower():
        raise IrodsError(codes.SYS_INVALID_ZONE_NAME, f"unknown zone {zone}")
    return request
