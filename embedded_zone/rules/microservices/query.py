"""Microservices for GenQuery1 and GenQuery2."""

from __future__ import annotations

import json
from typing import Any

from embedded_zone.catalog.genquery import COLUMN_NAMES
from embedded_zone.catalog.genquery.text import parse
from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, number_argument, text_argument
from embedded_zone.rules.microservices.system import write
from embedded_zone.structures.types import CLASSES, GenQueryOut, irods_type
from embedded_zone.wire.codes import (
    CAT_NO_ROWS_FOUND,
    END_OF_RESULTSET,
    SYS_INVALID_INPUT_PARAM,
    USER_PARAM_TYPE_ERR,
)

GenQueryInp: Any = CLASSES["GenQueryInp"]


def column_name(number: int) -> str:
    """The name of a GenQuery1 column, its number where it has none."""
    return COLUMN_NAMES.get(number, str(number))


def to_request(value: Any) -> dict[str, Any]:
    """GenQueryInp_PI of a GenQueryInp; raises USER_PARAM_TYPE_ERR."""
    if not isinstance(value, GenQueryInp):
        raise IrodsError(USER_PARAM_TYPE_ERR, "not a GenQueryInp")
    fields = ("maxRows", "continueInx", "options")
    return {
        **{name: getattr(value, name) for name in fields},
        "partialStartIndex": value.rowOffset,
        "KeyValPair_PI": value.condInput._plain(),
        "InxIvalPair_PI": value.selectInp._plain(),
        "InxValPair_PI": value.sqlCondInp._plain(),
    }


def from_request(request: dict[str, Any]) -> Any:
    """A GenQueryInp of a parsed query."""
    named = {
        "rowOffset": request.get("partialStartIndex", 0),
        "condInput": request.get("KeyValPair_PI"),
        "selectInp": request.get("InxIvalPair_PI"),
        "sqlCondInp": request.get("InxValPair_PI"),
    }
    return irods_type("GenQueryInp", {**request, **named})


def _run(call: Call, query: Any) -> GenQueryOut:
    return GenQueryOut.of(call.api(702, to_request(query)).body)


@microservice("msiMakeGenQuery", 3)
def make_query(call: Call, args: list[Any]) -> None:
    """msiMakeGenQuery(columns, conditions, out GenQueryInp)."""
    conditions = text_argument(args[1])
    text = f"select {text_argument(args[0])}" + (f" where {conditions}" if conditions.strip() else "")
    args[2] = from_request(parse(text))


@microservice("msiMakeQuery", 3)
def make_query_text(call: Call, args: list[Any]) -> None:
    """msiMakeQuery(columns, conditions, out text)."""
    conditions = text_argument(args[1])
    args[2] = f"SELECT {text_argument(args[0])}" + (f" WHERE {conditions}" if conditions else "")


@microservice("msiExecGenQuery", 2)
def exec_query(call: Call, args: list[Any]) -> None:
    """msiExecGenQuery(GenQueryInp, out GenQueryOut): no rows is an empty result, not an error."""
    args[1] = _empty_or(call, args[0])


def _empty_or(call: Call, query: Any) -> GenQueryOut:
    try:
        return _run(call, query)
    except IrodsError as error:
        if error.code != CAT_NO_ROWS_FOUND:
            raise
        return GenQueryOut()


@microservice("msiExecStrCondQuery", 2)
def exec_text(call: Call, args: list[Any]) -> None:
    """msiExecStrCondQuery('SELECT … WHERE …', out GenQueryOut)."""
    text = text_argument(args[0])
    args[1] = _empty_or(call, from_request(parse(_lower_keywords(text))))


def _lower_keywords(text: str) -> str:
    words = text.split(None, 1)
    return f"select {words[1]}" if len(words) == 2 and words[0].lower() == "select" else text


@microservice("msiGetMoreRows", 3)
def more_rows(call: Call, args: list[Any]) -> None:
    """msiGetMoreRows(GenQueryInp, GenQueryOut, out continue index)."""
    query, page = args[0], args[1]
    if not isinstance(page, GenQueryOut):
        raise IrodsError(USER_PARAM_TYPE_ERR, "not a GenQueryOut")
    request = {**to_request(query), "continueInx": page.continueInx}
    query.continueInx = page.continueInx
    args[1] = _page(call, request)
    args[2] = args[1].continueInx


def _page(call: Call, request: dict[str, Any]) -> GenQueryOut:
    try:
        return GenQueryOut.of(call.api(702, request).body)
    except IrodsError as error:
        if error.code != CAT_NO_ROWS_FOUND:
            raise
        return GenQueryOut()


@microservice("msiCloseGenQuery", 2)
def close_query(call: Call, args: list[Any]) -> None:
    """msiCloseGenQuery(GenQueryInp, GenQueryOut)."""
    if isinstance(args[1], GenQueryOut) and args[1].continueInx > 0:
        _page(call, {**to_request(args[0]), "continueInx": args[1].continueInx, "maxRows": 0})


@microservice("msiGetContInxFromGenQueryOut", 2)
def continue_index(call: Call, args: list[Any]) -> None:
    """msiGetContInxFromGenQueryOut(GenQueryOut, out int)."""
    args[1] = args[0].continueInx


@microservice("msiAddSelectFieldToGenQuery", 3)
def add_select(call: Call, args: list[Any]) -> None:
    """msiAddSelectFieldToGenQuery(column, function or '', inout GenQueryInp)."""
    column, function = text_argument(args[0]), text_argument(args[1])
    added = parse(f"select {function}({column})" if function and function != "null" else f"select {column}")
    request = to_request(args[2]) if isinstance(args[2], GenQueryInp) else {**added, "InxIvalPair_PI": []}
    args[2] = from_request({**request, "InxIvalPair_PI": [*request["InxIvalPair_PI"], *added["InxIvalPair_PI"]]})


@microservice("msiAddConditionToGenQuery", 4)
def add_condition(call: Call, args: list[Any]) -> None:
    """msiAddConditionToGenQuery(column, operator, value, inout GenQueryInp)."""
    column, operator, value = map(text_argument, args[:3])
    added = parse(f"select {column} where {column} {operator.strip()} '{value}'")
    request = to_request(args[3]) if isinstance(args[3], GenQueryInp) else {**added, "InxValPair_PI": []}
    args[3] = from_request({**request, "InxValPair_PI": [*request["InxValPair_PI"], *added["InxValPair_PI"]]})


@microservice("msiPrintGenQueryOutToBuffer", 3)
def print_result(call: Call, args: list[Any]) -> None:
    """msiPrintGenQueryOutToBuffer(GenQueryOut, printf format or 'null', out BytesBuf)."""
    from embedded_zone.structures.types import BytesBuf

    page, form = args[0], text_argument(args[1])
    rows = [[column.row(i) for column in page.sqlResult] for i in range(page.rowCnt)]
    args[2] = BytesBuf.of("".join(_formatted(page, row, form) for row in rows))


def _formatted(page: GenQueryOut, row: list[str], form: str) -> str:
    if form not in ("", "null"):
        return form % tuple(row) + "\n"
    names = [column_name(column.attriInx) for column in page.sqlResult]
    return "".join(f"{n} = {v}\n" for n, v in zip(names, row, strict=True)) + "-" * 60 + "\n"


@microservice("msiPrintGenQueryInp", 2)
def print_query(call: Call, args: list[Any]) -> None:
    """msiPrintGenQueryInp(target, GenQueryInp)."""
    request = to_request(args[1])
    for number, function in request["InxIvalPair_PI"]:
        write(call, text_argument(args[0]), f"Selected Column {number} With Option {function}\n")
    for number, condition in request["InxValPair_PI"]:
        write(call, text_argument(args[0]), f"Condition Column {number} {condition}\n")


# GenQuery2: a handle is the index of a result that this agent keeps.


def _results(call: Call) -> dict[str, Any]:
    table: dict[str, Any] = call.agent.scratch.setdefault("genquery2_results", {})
    return table


def _result(call: Call, handle: Any) -> Any:
    found = _results(call).get(text_argument(handle))
    if found is None:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, f"no result {text_argument(handle)}")
    return found


@microservice("msi_genquery2_execute", 2)
def execute2(call: Call, args: list[Any]) -> None:
    """msi_genquery2_execute(out handle, query)."""
    request = {"query_string": text_argument(args[1]), "zone": None, "sql_only": 0, "column_mappings": 0}
    body = call.api(10221, request).body
    rows = json.loads(body["myStr"] if isinstance(body, dict) else body)
    handle = str(call.agent.scratch.setdefault("genquery2_next", 0))
    call.agent.scratch["genquery2_next"] += 1
    _results(call)[handle] = {"rows": rows, "position": -1}
    args[0] = handle


@microservice("msi_genquery2_next_row", 1)
def next_row2(call: Call, args: list[Any]) -> int:
    """msi_genquery2_next_row(handle); END_OF_RESULTSET after the last."""
    result = _result(call, args[0])
    if result["position"] + 1 >= len(result["rows"]):
        raise IrodsError(END_OF_RESULTSET, "no more rows")
    result["position"] += 1
    return 0


@microservice("msi_genquery2_column", 3)
def column2(call: Call, args: list[Any]) -> None:
    """msi_genquery2_column(handle, index, out value) of the current row."""
    result, index = _result(call, args[0]), number_argument(args[1])
    try:
        args[2] = str(result["rows"][result["position"]][index])
    except IndexError:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, f"no column {index}") from None


@microservice("msi_genquery2_free", 1)
def free2(call: Call, args: list[Any]) -> None:
    """msi_genquery2_free(handle)."""
    _result(call, args[0])
    del _results(call)[text_argument(args[0])]
