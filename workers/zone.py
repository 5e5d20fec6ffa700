"""The zone as the shim and the workers see it: check a login, call a named rule, work in a session as a user."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from irods import exception as irods_errors
from irods.client_server_negotiation import validate_policy
from irods.rule import Rule
from irods.session import NonAnonymousLoginWithoutPassword, iRODSSession

from python_rules.jobs.errors import JobError
from workers.sessions import BROKEN, SessionPool, close
from workers.settings import ZoneSettings

APPLICATION_NAME = "sluice-shim"
# What may stand in a user's name: the name becomes part of a collection's path and of queries.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,62}")
_LONGEST_PASSWORD = 250  # bytes; iRODS's own limit is lower and depends on the release
_Result = TypeVar("_Result")


class LoginRefused(Exception):
    """The zone does not know this user with this password."""


class Busy(Exception):
    """Somebody else writes the data object at this moment."""


class _Meaning(NamedTuple):
    code: str
    text: str
    remedy: str


_ASK_ADMIN = "an administrator must look at the shim's settings"
_INSTALL = "the zone's administrator must install Sluice's rule base on every server"
_MEANINGS: dict[type[Exception], _Meaning] = {
    irods_errors.CAT_INVALID_CLIENT_USER: _Meaning("not_permitted", "the zone does not know this user", "ask for one"),
    irods_errors.SYS_PROXYUSER_NO_PRIV: _Meaning(
        "configuration", "the service account may not act for users", _ASK_ADMIN
    ),
    irods_errors.CAT_INVALID_AUTHENTICATION: _Meaning("configuration", "the service account cannot log in", _ASK_ADMIN),
    irods_errors.CAT_INVALID_USER: _Meaning("configuration", "the zone does not know the service account", _ASK_ADMIN),
    NonAnonymousLoginWithoutPassword: _Meaning(
        "configuration", "the service account's password is missing", _ASK_ADMIN
    ),
    irods_errors.NO_MICROSERVICE_FOUND_ERR: _Meaning("zone_error", "the zone lacks Sluice's rules", _INSTALL),
    irods_errors.CAT_NO_ACCESS_PERMISSION: _Meaning("not_permitted", "the zone's access control forbids it", ""),
}
_REFUSALS = (
    irods_errors.CAT_INVALID_AUTHENTICATION,
    irods_errors.CAT_INVALID_USER,
    irods_errors.CAT_INVALID_CLIENT_USER,
    irods_errors.CAT_PASSWORD_EXPIRED,
)
# How the zone says that a path is not there, or not for this user.
_MISSING = (irods_errors.DoesNotExist, irods_errors.OBJ_PATH_DOES_NOT_EXIST, irods_errors.CAT_NO_ROWS_FOUND)


class Zone:
    """A zone behind its service account's ``irods_environment.json``."""

    def __init__(self, settings: ZoneSettings) -> None:
        self._settings = settings
        self._environment = _environment(settings.environment)
        self.name: str = self._environment["irods_zone_name"]
        self.service_user = f"{self._environment['irods_user_name']}#{self.name}"
        self.ledger = settings.ledger.rstrip("/") or f"/{self.name}/sluice"
        self._pool: SessionPool | None = None
        self._pool_owner = 0

    def full_name(self, user: str) -> str:
        """``name#zone`` for what a person typed; raises LoginRefused if it cannot be a user's name."""
        name, _, zone = user.partition("#")
        zone = zone or self.name
        if not (_USER.fullmatch(name) and _USER.fullmatch(zone)) or name == "anonymous":
            raise LoginRefused
        return f"{name}#{zone}"

    def login(self, user: str, password: str) -> None:
        """Log in natively as ``user`` (name#zone) and leave; raises LoginRefused, or JobError as ``work`` does."""
        if not password or "\0" in password or len(password.encode("utf-8", "replace")) > _LONGEST_PASSWORD:
            raise LoginRefused
        name, _, zone = user.partition("#")
        with _explained():
            try:
                _try_login(self._settings, self._environment, name, zone, password)
            except _REFUSALS:
                raise LoginRefused from None

    def work(self, user: str, do: Callable[[iRODSSession], _Result]) -> _Result:
        """``do`` in a session as ``user``; may run it twice: a kept connection can turn out to be dead.

        Raises JobError: ``zone_unavailable`` is worth another try later, the others are not.
        """
        with _explained():
            kept = self.pool.has_idle(user)
            try:
                with self.pool.session(user) as session:
                    return do(session)
            except BROKEN:
                if not kept:
                    raise
            with self.pool.session(user, fresh=True) as session:
                return do(session)

    def call(self, user: str, rule: str, *texts: str) -> dict[str, Any]:
        """The answer of a named rule, called as ``user``: {"ok": ...} or {"error": ...}; raises as ``work`` does."""
        params = {f"*p{number}": text for number, text in enumerate(texts)} | {"*response": ""}
        body = f"{rule}({','.join(params)})"

        def run(session: iRODSSession) -> str:
            asked = Rule(
                session,
                body=body,
                params=dict(params),
                output="*response",
                instance_name=self._settings.native_instance,
            )
            return _output(asked.execute(session_cleanup=False), "*response")

        return _answer(self.work(user, run), rule)

    def read(
        self, user: str, path: str, first: int = 0, length: int | None = None, block: int = 1 << 20
    ) -> Iterator[bytes]:
        """A data object, or ``length`` bytes of it, in blocks; none if it does not exist; raises as ``work``."""
        with _explained(), self.pool.session(user) as session:
            try:
                file = session.data_objects.open(path, "r")
            except _MISSING:
                return
            with file:
                file.seek(first)
                while data := file.read(block if length is None else min(block, length)):
                    yield data
                    length = None if length is None else length - len(data)

    def write(self, user: str, path: str, first: int, blocks: Iterable[bytes]) -> int:
        """Write into a data object that exists, from byte ``first`` on; how many bytes. Raises as ``work``, and Busy.

        Runs once: what was taken from ``blocks`` cannot be had again.
        """
        count = 0
        with _explained(), self.pool.session(user) as session:
            try:
                file = session.data_objects.open(path, "r+")
            except (irods_errors.HIERARCHY_ERROR, irods_errors.LOCKED_DATA_OBJECT_ACCESS):
                raise Busy from None
            with file:
                file.seek(first)
                for data in blocks:
                    count += file.write(data)
        return count

    @property
    def pool(self) -> SessionPool:
        """This process's sessions; a forked child starts with none."""
        if self._pool is None or self._pool_owner != os.getpid():
            self._pool_owner = os.getpid()
            self._pool = SessionPool(self._open, self._settings.idle_sessions, self._settings.session_seconds)
        return self._pool

    def _open(self, user: str) -> iRODSSession:
        path = self._settings.environment
        secret = self._environment.get("irods_authentication_file") or str(Path(path).with_name(".irodsA"))
        acting: dict[str, Any] = {}
        if user:
            name, _, zone = user.partition("#")
            acting = {"client_user": name, "client_zone": zone}
        return iRODSSession(
            irods_env_file=path,
            irods_authentication_file=secret,
            irods_authentication_uid=_owner(secret),
            application_name=APPLICATION_NAME,
            connection_timeout=self._settings.timeout_seconds,
            **acting,
        )


def _try_login(settings: ZoneSettings, environment: dict[str, Any], name: str, zone: str, password: str) -> None:
    own = {"irods_user_name", "irods_zone_name", "irods_authentication_file", "irods_authentication_scheme"}
    shared = {key: value for key, value in environment.items() if key not in own}
    session = iRODSSession(
        **shared,
        irods_user_name=name,
        irods_zone_name=zone,
        irods_authentication_scheme="native",
        password=password,
        application_name=APPLICATION_NAME,
        connection_timeout=settings.timeout_seconds,
    )
    try:
        session.pool.get_connection().release()
    finally:
        close(session)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what PRC raises into JobError; PRC raises KeyError(number) for codes that its table lacks."""
    try:
        yield
    except BROKEN as error:
        raise JobError(
            "zone_unavailable",
            f"the zone does not answer ({type(error).__name__})",
            remedy="try again later",
        ) from error
    except (irods_errors.iRODSException, irods_errors.PycommandsException, NonAnonymousLoginWithoutPassword) as error:
        meaning = next((row for kind, row in _MEANINGS.items() if isinstance(error, kind)), None)
        if meaning:
            raise JobError(meaning.code, meaning.text, remedy=meaning.remedy) from error
        raise _zone_error(type(error).__name__) from error
    except KeyError as error:
        if not (error.args and isinstance(error.args[0], int | None)):
            raise
        raise _zone_error(str(error.args[0])) from error


def _zone_error(name: str) -> JobError:
    return JobError("zone_error", f"the zone answered {name}", remedy="ask the zone's administrator")


def _output(outputs: Any, label: str) -> str:
    for parameter in getattr(outputs, "MsParam_PI", None) or ():
        if parameter.label == label:
            return getattr(parameter.inOutStruct, "myStr", None) or ""
    return ""


def _answer(text: str, rule: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not ("ok" in answer or isinstance(answer.get("error"), dict)):
        raise JobError(
            "zone_error",
            f"the zone's rule {rule} gave no answer",
            remedy=_INSTALL,
        )
    return answer


def _environment(path: str) -> dict[str, Any]:
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        for key in ("irods_host", "irods_port", "irods_user_name", "irods_zone_name"):
            values[key]
        validate_policy(values.get("irods_client_server_policy", "CS_NEG_REFUSE"))
    except OSError as error:
        raise _bad_environment(path, error.strerror or "cannot be read") from None
    except json.JSONDecodeError:
        raise _bad_environment(path, "is not JSON") from None
    except (ValueError, TypeError) as error:
        raise _bad_environment(path, str(error)) from None
    except KeyError as error:
        raise _bad_environment(path, f"lacks {error.args[0]}") from None
    return dict(values)


def _bad_environment(path: str, what: str) -> JobError:
    return JobError("configuration", f"zone.environment: {path}: {what}", remedy="correct the file or the setting")


def _owner(path: str) -> int:
    """Whose password file it is: PRC needs the number to read it (it is scrambled with it)."""
    try:
        return os.stat(path).st_uid
    except OSError:
        return os.getuid()
