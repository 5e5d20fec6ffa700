"""Who is asking: HTTP Basic with iRODS credentials, checked by a login to the zone."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from werkzeug.datastructures import Authorization

from api_shim.problems import Problem
from api_shim.recent import Recent
from workers.zone import LoginRefused

_LARGEST = 10_000


class Callers:
    """Turns credentials into ``name#zone``; a good login is remembered for a while as a keyed hash, nothing else."""

    def __init__(
        self, full_name: Callable[[str], str], login: Callable[[str, str], None], seconds: float, realm: str
    ) -> None:
        self._full_name = full_name
        self._login = login
        self._key = secrets.token_bytes(32)
        self._known: Recent[bool] = Recent(_LARGEST, seconds)
        self._challenge = {"WWW-Authenticate": f'Basic realm="{realm}", charset="UTF-8"'}

    def user(self, authorization: Authorization | None) -> str:
        """The caller as name#zone; raises Problem 401, or JobError if the zone cannot be asked."""
        if not authorization or authorization.type != "basic" or not authorization.username:
            raise self._refused("credentials are missing")
        try:
            user = self._full_name(authorization.username)
            self._check(user, authorization.password or "")
        except LoginRefused:
            raise self._refused("the zone does not know this user with this password") from None
        return user

    def _check(self, user: str, password: str) -> None:
        mark = hmac.digest(self._key, f"{user}\0{password}".encode("utf-8", "surrogatepass"), "sha256")
        if self._known.get(mark):
            return
        self._login(user, password)
        self._known.put(mark, True)

    def _refused(self, text: str) -> Problem:
        return Problem("login_required", text, remedy="give iRODS credentials by HTTP Basic", headers=self._challenge)
