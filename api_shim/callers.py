"""Who is asking: HTTP Basic with iRODS credentials, checked by a login to the zone, or a bearer token."""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Callable

from werkzeug.datastructures import Authorization

from api_shim.limits import Brake, Buckets
from api_shim.problems import Problem
from api_shim.recent import Recent
from api_shim.tokens import ProviderUnavailable, TokenRefused, Tokens
from workers.settings import HttpSettings
from workers.zone import LoginRefused

_LARGEST = 10_000


class Callers:
    """Turns credentials into ``name#zone``; a good login is remembered for a while as a keyed hash, nothing else."""

    def __init__(
        self,
        full_name: Callable[[str], str],
        login: Callable[[str, str], None],
        settings: HttpSettings,
        tokens: Tokens,
        realm: str,
        service_user: str = "",
    ) -> None:
        self._full_name = full_name
        self._login = login
        self._tokens = tokens
        self._service_user = service_user
        self._key = secrets.token_bytes(32)
        self._known: Recent[bool] = Recent(_LARGEST, settings.login_cache_seconds)
        self._brake = Brake(settings.login_failures, settings.login_failures / settings.login_pause_seconds)
        self._rates = Buckets(settings.rate_burst, settings.rate_per_second)
        self._challenges = [f'Basic realm="{realm}", charset="UTF-8"']
        if tokens.accepted:
            self._challenges.append(f'Bearer realm="{realm}"')

    def user(self, authorization: Authorization | None, address: str = "") -> str:
        """The caller as name#zone; raises Problem 401 or 429, or JobError if the zone cannot be asked."""
        user = self._known_user(authorization, address)
        wait = self._rates.take(user)
        if wait:
            raise _too_often("you ask too often", wait)
        return user

    def _known_user(self, authorization: Authorization | None, address: str) -> str:
        if authorization and authorization.type == "bearer" and authorization.token and self._tokens.accepted:
            return self._of_token(authorization.token)
        if not authorization or authorization.type != "basic" or not authorization.username:
            raise self._refused("credentials are missing")
        try:
            user = self._full_name(authorization.username)
            self._check(user, authorization.password or "", address)
        except LoginRefused:
            raise self._refused("the zone does not know this user with this password") from None
        return user

    def _of_token(self, token: str) -> str:
        try:
            user = self._full_name(self._tokens.user(token))
        except (TokenRefused, LoginRefused) as error:
            raise self._refused(str(error) or "the token names no possible iRODS user") from None
        except ProviderUnavailable:
            raise Problem(
                "login_unavailable", "the OpenID provider does not answer", remedy="try again later"
            ) from None
        if user == self._service_user:
            raise self._refused("nobody is the service account")
        return user

    def _check(self, user: str, password: str, address: str) -> None:
        mark = hmac.digest(self._key, f"{user}\0{password}".encode("utf-8", "surrogatepass"), "sha256")
        if self._known.get(mark):
            return
        wait = self._brake.wait(user, address)
        if wait:
            raise _too_often("too many wrong passwords", wait)
        try:
            self._login(user, password)
        except LoginRefused:
            self._brake.failed(user, address)
            raise
        self._known.put(mark, True)

    def _refused(self, text: str) -> Problem:
        remedy = "give iRODS credentials by HTTP Basic" + (" or a token" if self._tokens.accepted else "")
        return Problem("login_required", text, remedy=remedy, headers={"WWW-Authenticate": ", ".join(self._challenges)})


def _too_often(text: str, wait: float) -> Problem:
    seconds = str(math.ceil(wait))
    return Problem("too_many_requests", text, remedy=f"wait {seconds} s", headers={"Retry-After": seconds})
