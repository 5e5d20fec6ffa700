"""An account of OpenStack Swift: signing in (tempauth's v1 or Keystone v3), and requests to its containers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from python_rules.engine.systems.system import System
from python_rules.engine.systems.web import Web
from python_rules.jobs.errors import JobError

_PAGE = 10_000  # names in one listing; Swift's own limit


class Account:
    """The containers of an account, by name; the token is made when it is needed, and anew when it has expired."""

    def __init__(self, system: System, connections: int) -> None:
        self._system = system
        self.web = Web(system, connections)
        self._url = ""
        self._token = ""

    def ask(
        self, method: str, container: str, name: str = "", allow: tuple[int, ...] = (), **options: Any
    ) -> requests.Response:
        """A request about an object, or a container if there is no name; a token that has expired is renewed once."""
        given = options.pop("headers", {})
        for renewed in (False, True):
            if renewed or not self._token:
                self._url, self._token = self._signed_in()
            url = f"{self._url}/{quote(container, safe='')}" + (f"/{quote(name)}" if name else "")
            headers = {**given, "X-Auth-Token": self._token}
            try:
                return self.web.ask(method, url, name or container, allow, headers=headers, **options)
            except JobError as error:
                if error.code == "source_not_found" and (method == "PUT" or not name):
                    text = f"the container {container} is not there, or not any more"
                    raise self._system.error("system_error", text, name) from None
                if error.code != "system_refused" or renewed:
                    raise
        raise AssertionError

    def account_headers(self) -> requests.structures.CaseInsensitiveDict[str]:
        """What the account says about itself."""
        self._url, self._token = self._signed_in()
        return self.web.ask("HEAD", self._url, "", headers={"X-Auth-Token": self._token}).headers

    def listed(
        self, container: str, prefix: str, page: int = _PAGE, allow: tuple[int, ...] = ()
    ) -> Iterator[dict[str, Any]]:
        """The objects whose name begins with a prefix, in order; none with a status that is allowed."""
        marker = ""
        while True:
            asked = {"format": "json", "prefix": prefix, "marker": marker, "limit": str(page)}
            answer = self.ask("GET", container, params=asked, allow=allow)
            rows = answer.json() if answer.status_code == 200 else []
            yield from rows
            if len(rows) < page:
                return
            marker = rows[-1]["name"]

    def _signed_in(self) -> tuple[str, str]:
        """The account's address and a token."""
        if self._system.settings["auth"] == "v1":
            return self._by_v1()
        return self._by_v3()

    def _by_v1(self) -> tuple[str, str]:
        settings = self._system.settings
        who = {"X-Auth-User": settings["user"], "X-Auth-Key": self._system.secret("password_file")}
        answer = self.web.ask("GET", settings["address"], "", headers=who)
        return self._own_url(answer.headers["X-Storage-Url"]), answer.headers["X-Auth-Token"]

    def _by_v3(self) -> tuple[str, str]:
        address = f"{self._system.settings['address'].rstrip('/')}/auth/tokens"
        answer = self.web.ask("POST", address, "", json={"auth": self._v3_request()})
        for service in answer.json()["token"].get("catalog", ()):
            if service["type"] == "object-store":
                for endpoint in service["endpoints"]:
                    if self._wanted(endpoint):
                        return self._own_url(endpoint["url"]), answer.headers["X-Subject-Token"]
        what = "names a Keystone whose catalogue has no public object store in this region"
        raise self._system.configuration("address", what)

    def _v3_request(self) -> dict[str, Any]:
        settings = self._system.settings
        secret = self._system.secret("password_file")
        if settings["application_credential"]:
            credential = {"id": settings["application_credential"], "secret": secret}
            return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
        user = {"name": settings["user"], "domain": {"name": settings["user_domain"]}, "password": secret}
        project = {"name": settings["project"], "domain": {"name": settings["project_domain"]}}
        return {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}

    def _wanted(self, endpoint: dict[str, Any]) -> bool:
        region = self._system.settings["region"]
        return endpoint["interface"] == "public" and region in ("", endpoint.get("region_id"), endpoint.get("region"))

    def _own_url(self, found: str) -> str:
        return str(self._system.settings["storage_url"] or found).rstrip("/")


def seconds(text: str) -> float:
    """A time of a listing, which is UTC, in seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
