"""Microservices about the server itself: output, time, sleep, delayed and remote execution, commands."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, number_argument, text_argument
from embedded_zone.rules.output import Output
from embedded_zone.wire.codes import (
    EXEC_CMD_ERROR,
    FAIL_ACTION_ENCOUNTERED_ERR,
    KEY_NOT_FOUND,
    RETRY_WITHOUT_RECOVERY_ERR,
    SYS_INVALID_INPUT_PARAM,
    USER_FILE_DOES_NOT_EXIST,
)

_STREAMS = ("stdout", "stderr")


def write(call: Call, target: str, text: str) -> None:
    """writeString: to the log, to the client's streams or to the end of a data object."""
    if target == "serverLog":
        call.host.log_info(f"writeString: {text}")
    elif target in _STREAMS:
        call.frame.output().write(target, text)
    elif target.startswith("/"):
        _append(call, target, text)
    else:
        raise IrodsError(USER_FILE_DOES_NOT_EXIST, f"invalid output target {target}")


def _append(call: Call, path: str, text: str) -> None:
    opened = {"objPath": path, "openFlags": os.O_RDWR, "createMode": 0, "dataSize": -1, "KeyValPair_PI": {}}
    try:
        number = call.api(602, opened).status
    except IrodsError:
        raise IrodsError(USER_FILE_DOES_NOT_EXIST, f"cannot open {path}") from None
    handle: dict[str, Any] = {"l1descInx": number, "len": 0, "whence": 2, "offset": 0, "KeyValPair_PI": {}}
    call.api(674, handle)
    data = text.encode("utf-8", "surrogateescape")
    call.api(676, {**handle, "len": len(data)}, data)
    call.api(673, handle)


@microservice("writeLine", 2)
def write_line(call: Call, args: list[Any]) -> None:
    """writeLine(target, text)."""
    target, text = map(text_argument, args)
    if target == "serverLog":
        call.host.log_info(f"writeLine: inString = {text}")
    else:
        write(call, target, f"{text}\n")


@microservice("writeString", 2)
def write_string(call: Call, args: list[Any]) -> None:
    """writeString(target, text)."""
    write(call, text_argument(args[0]), text_argument(args[1]))


@microservice("msiWriteRodsLog", 2)
def write_rods_log(call: Call, args: list[Any]) -> None:
    """msiWriteRodsLog(text, status)."""
    call.host.log_info(f"msiWriteRodsLog message: {text_argument(args[0])}")
    args[1] = 0


@microservice("writePosInt", 2)
def write_number(call: Call, args: list[Any]) -> None:
    """writePosInt(target, number)."""
    write(call, text_argument(args[0]), str(number_argument(args[1])))


@microservice("writeBytesBuf", 2)
def write_buffer(call: Call, args: list[Any]) -> None:
    """writeBytesBuf(target, buffer)."""
    data = bytes(args[1].get_bytes())
    write(call, text_argument(args[0]), data.decode("utf-8", "surrogateescape"))


@microservice("msiSleep", 2)
def sleep(call: Call, args: list[Any]) -> None:
    """msiSleep(seconds, microseconds)."""
    time.sleep(number_argument(args[0] or 0) + number_argument(args[1] or 0) / 1_000_000)


def _stamp(form: str, seconds: int) -> str:
    return time.strftime("%Y-%m-%d.%H:%M:%S", time.localtime(seconds)) if form == "human" else f"{seconds:011d}"


@microservice("msiGetSystemTime", 2)
def system_time(call: Call, args: list[Any]) -> None:
    """msiGetSystemTime(out, 'unix'|'human')."""
    args[0] = _stamp(text_argument(args[1]), int(time.time()))


@microservice("msiGetIcatTime", 2)
def icat_time(call: Call, args: list[Any]) -> None:
    """msiGetIcatTime(out, 'unix'|'human')."""
    form = text_argument(args[1])
    seconds = int(time.time())
    args[0] = f"{seconds:011d}" if form in ("icat", "unix") else _stamp("human", seconds)


@microservice("msiGetFormattedSystemTime", 3)
def formatted_time(call: Call, args: list[Any]) -> None:
    """msiGetFormattedSystemTime(out, 'human'|other, printf format with six numbers)."""
    now = time.localtime()
    numbers = (now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec)
    args[0] = text_argument(args[2]) % numbers if text_argument(args[1]) == "human" else f"{int(time.time()):011d}"


@microservice("msiHumanToSystemTime", 2)
def human_to_system(call: Call, args: list[Any]) -> None:
    """msiHumanToSystemTime('2026-01-31.23:59:59', out)."""
    try:
        args[1] = f"{int(time.mktime(time.strptime(text_argument(args[0]), '%Y-%m-%d.%H:%M:%S'))):011d}"
    except ValueError:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "not a date") from None


@microservice("msiGetDiffTime", 4)
def difference(call: Call, args: list[Any]) -> None:
    """msiGetDiffTime(from, to, format, out): seconds between two times."""
    seconds = number_argument(args[1]) - number_argument(args[0])
    human = text_argument(args[2]) == "human"
    args[3] = (
        f"{seconds // 86400:d}-{seconds % 86400 // 3600:02d}-{seconds % 3600 // 60:02d}-{seconds % 60:02d}"
        if human
        else f"{seconds:011d}"
    )


@microservice("delayExec", 3)
def delay_exec(call: Call, args: list[Any]) -> int:
    """delayExec(hints, text, recovery): puts a rule into the queue."""
    return call.host.submit(text_argument(args[0]), text_argument(args[1]), call.frame, call.frame.parameters)


@microservice("remoteExec", 4)
def remote_exec(call: Call, args: list[Any]) -> int:
    """remoteExec(host, hints, text, recovery): native text at once, here or on another zone's server."""
    host, hints, text, _recovery = map(text_argument, args)
    return call.host.remote_execute(host, hints, f"remExec{{{text}}}", call.frame.parameters, call.frame)


@microservice("py_remote", 4)
def py_remote(call: Call, args: list[Any]) -> int:
    """py_remote(host, hints, text, recovery): Python text with a ``main``; rodsadmins only."""
    host, hints, text, _recovery = map(text_argument, args)
    return call.host.remote_execute(host, hints, f"@external\n{text}", {}, call.frame)


@microservice("fail", 0)
def fail(call: Call, args: list[Any]) -> int:
    """Fail with FAIL_ACTION_ENCOUNTERED_ERR."""
    return FAIL_ACTION_ENCOUNTERED_ERR


@microservice("msiGoodFailure", 0)
def good_failure(call: Call, args: list[Any]) -> int:
    """Fail without recovery (RETRY_WITHOUT_RECOVERY_ERR)."""
    return RETRY_WITHOUT_RECOVERY_ERR


@microservice("msiDoSomething", 2)
def do_something(call: Call, args: list[Any]) -> None:
    """The sample microservice: an empty KeyValPair comes out."""
    from embedded_zone.structures.types import irods_type

    args[1] = irods_type("KeyValPair", {})


@microservice("msiExit", 2)
def leave(call: Call, args: list[Any]) -> int:
    """msiExit(code, message): fail with a message for the client."""
    call.agent.r_error.append((number_argument(args[0]), text_argument(args[1])))
    return number_argument(args[0])


@microservice("msi_get_agent_pid", 1)
def agent_pid(call: Call, args: list[Any]) -> None:
    """The process id of this agent."""
    args[0] = str(os.getpid())


@microservice("msi_get_hostname", 1)
def host_name(call: Call, args: list[Any]) -> None:
    """The host's name."""
    args[0] = socket.gethostname()


@microservice("msi_get_server_property", 2)
def server_property(call: Call, args: list[Any]) -> None:
    """msi_get_server_property('/zone_name', out): a value of the configuration, as JSON pointers name it."""
    name = text_argument(args[0]).strip("/")
    value = getattr(call.agent.config, name, None)
    if value is None:
        raise IrodsError(KEY_NOT_FOUND, f"no property {name}")
    args[1] = str(value)


@microservice("msiExecCmd", 6)
def exec_command(call: Call, args: list[Any]) -> int:
    """msiExecCmd(name, arguments, host, hint, offset, out): runs ``<home>/msiExecCmd_bin/name``.

    Raises SYS_INVALID_FILE_PATH (-31000 family) for a name with '/' and EXEC_CMD_ERROR when the command fails.
    """
    name, arguments = text_argument(args[0]), text_argument(args[1])
    call.host.fire_or_fail("acPreProcForExecCmd", name, arguments, text_argument(args[2]), text_argument(args[3]))
    path = call.agent.config.home / "msiExecCmd_bin" / name
    if "/" in name or not path.is_file():
        raise IrodsError(EXEC_CMD_ERROR, f"no command {name}")
    done = subprocess.run([str(path), *shlex.split(arguments)], capture_output=True, check=False)
    args[5] = _command_output(done)
    return EXEC_CMD_ERROR - done.returncode if done.returncode else 0


def _command_output(done: subprocess.CompletedProcess[bytes]) -> Output:
    output = Output(status=done.returncode)
    output.write("stdout", done.stdout.decode("utf-8", "surrogateescape"))
    output.write("stderr", done.stderr.decode("utf-8", "surrogateescape"))
    return output


def _stream_of(args: list[Any], which: str) -> None:
    if not isinstance(args[0], Output):
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "not the output of a command")
    args[1] = getattr(args[0], which).data.decode("utf-8", "surrogateescape")


@microservice("msiGetStdoutInExecCmdOut", 2)
def command_stdout(call: Call, args: list[Any]) -> None:
    """The standard output of msiExecCmd."""
    _stream_of(args, "stdout")


@microservice("msiGetStderrInExecCmdOut", 2)
def command_stderr(call: Call, args: list[Any]) -> None:
    """The standard error of msiExecCmd."""
    _stream_of(args, "stderr")
