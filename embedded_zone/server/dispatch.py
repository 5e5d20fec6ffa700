"""One API request in, one reply out: privileges, structures, hooks, handler, errors."""

from __future__ import annotations

import json
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import OPERATIONS, Operation, Reply
from embedded_zone.errors import IrodsError, SkipOperation
from embedded_zone.server.log import describe
from embedded_zone.wire import codes
from embedded_zone.wire.frame import API_REPLY, Frame
from embedded_zone.wire.packing import pack, unpack

# A handler that has sent its reply itself (a put that goes on in further requests) returns this status.
NO_REPLY = codes.SYS_NO_HANDLER_REPLY_MSG


def dispatch(agent: Agent, frame: Frame) -> Frame:
    """Serve one API request; never raises for what a client sent. ``int_info`` NO_REPLY: send nothing."""
    agent.r_error.clear()
    operation = OPERATIONS.get(frame.int_info)
    if operation is None:
        agent.log.warning("unknown API number %d", frame.int_info)
        return _failure(agent, None, IrodsError(codes.SYS_UNMATCHED_API_NUM))
    try:
        return encode_reply(agent, operation, _serve(agent, operation, frame))
    except IrodsError as error:
        return _failure(agent, operation, error)
    except Exception:  # the outermost loop of an agent: a bug must not end the connection
        agent.log.exception("%s failed", operation.name, extra={"log_category": "api"})
        return _failure(agent, None, IrodsError(codes.SYS_INTERNAL_ERR))


def _serve(agent: Agent, operation: Operation, frame: Frame) -> Reply:
    _check_privilege(agent, operation)
    request = _request(agent, operation, frame.msg)
    outer, agent.api_number = agent.api_number, operation.number
    try:
        return run(agent, operation, request, frame.bs)
    finally:
        agent.api_number = outer or operation.number


def run(agent: Agent, operation: Operation, request: Any, stream: bytes | memoryview) -> Reply:
    """Hooks and handler of one operation on an unpacked request; raises IrodsError for a negative status."""
    try:
        with agent.rules.around_api(operation, request, stream) as call:  # type: ignore[arg-type]  # a view does as bytes
            answer = operation.handler(agent, request, stream)  # type: ignore[arg-type]
            call.reply = reply = answer if isinstance(answer, Reply) else Reply(answer or 0)
            if reply.status < 0 and reply.status != NO_REPLY:
                raise IrodsError(reply.status, reply=reply.body)
            return reply
    except SkipOperation:
        return Reply()


def _check_privilege(agent: Agent, operation: Operation) -> None:
    if operation.client_privilege > agent.client.auth_flag or operation.proxy_privilege > agent.proxy.auth_flag:
        raise IrodsError(codes.SYS_NO_API_PRIV, f"API {operation.number} {operation.name}")


def _request(agent: Agent, operation: Operation, msg: bytes) -> Any:
    if operation.request is None:
        return None
    if not msg:
        raise IrodsError(codes.SYS_API_INPUT_ERR, f"{operation.name} needs {operation.request}")
    if operation.request != "json":
        return unpack(operation.request, msg, agent.protocol)
    return parse_json(unpack("BinBytesBuf_PI", msg, agent.protocol)["buf"])


def parse_json(data: bytes) -> Any:
    """The JSON text of a buffer, with or without the NUL that C clients append; raises SYS_INVALID_INPUT_PARAM."""
    try:
        return json.loads(data.rstrip(b"\0").decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"not JSON: {error}") from None


def encode_reply(agent: Agent, operation: Operation, reply: Reply) -> Frame:
    """The frame of a handler's answer; raises PackError if the body does not fit its structure."""
    msg = b"" if operation.reply is None or reply.body is None else _packed(agent, operation.reply, reply.body)
    return Frame(API_REPLY, msg, _error_stack(agent), reply.stream, reply.status)


def _packed(agent: Agent, name: str, body: Any) -> bytes:
    if name == "json":
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\0"
        return pack("BinBytesBuf_PI", {"buf": text}, agent.protocol)
    if isinstance(body, str) and name == "STR_PI":
        body = {"myStr": body}
    return pack(name, body, agent.protocol)


def _error_stack(agent: Agent) -> bytes:
    if not agent.r_error:
        return b""
    messages = [{"status": status, "msg": _cut(text)} for status, text in agent.r_error]
    return pack("RError_PI", {"RErrMsg_PI": messages}, agent.protocol)


def _cut(text: str) -> str:
    """A message that fits ERR_MSG_LEN, cut between characters."""
    return text.encode("utf-8", "surrogateescape")[:1023].decode("utf-8", "ignore")


def _failure(agent: Agent, operation: Operation | None, error: IrodsError) -> Frame:
    name = operation.name if operation else "request"
    level = agent.log.debug if error.code == codes.CAT_NO_ROWS_FOUND else agent.log.info
    level("%s failed: %s %s", name, describe(error.code), error.message, extra={"log_category": "api"})
    reply = Reply(error.code, error.reply)
    try:
        if operation is not None:
            return encode_reply(agent, operation, reply)
    except IrodsError as unpackable:
        agent.log.error("%s: reply cannot be packed: %s", name, unpackable.message)  # noqa: TRY400  no trace is needed
    return Frame(API_REPLY, b"", _error_stack(agent), b"", error.code)
