"""OpenStack Keystone from Debian's packages, on SQLite: projects, users, tokens (Fernet) and the catalogue of Swift."""

from __future__ import annotations

import getpass
import json
import sqlite3
import urllib.request
from contextlib import closing
from typing import Any

from tests.peers.daemon import Daemon, answers

ADMIN, SERVICE, STAGE = "keystone-admin-1", "keystone-swift-1", "keystone-stage-1"  # passwords
REGION = "RegionOne"

_CONFIGURATION = """\
[DEFAULT]
public_endpoint = {url}
[database]
connection = sqlite:///{home}/keystone.db
[cache]
enabled = false
[token]
provider = fernet
[fernet_tokens]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
"""

# For a proxy of Swift: the middleware asks about every token anew, so that one that was revoked is noticed at once.
MIDDLEWARE = """
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {url}
auth_url = {url}
auth_type = password
project_domain_id = default
user_domain_id = default
project_name = admin
username = swift
password = {password}
delay_auth_decision = true
token_cache_time = -1
service_token_roles_required = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
"""


class Keystone(Daemon):
    """One Keystone; the user 'stage' is a member of the project 'science', 'idle' of none."""

    def __init__(self) -> None:
        super().__init__("keystone", "")
        (self.home / "keystone.conf").write_text(_CONFIGURATION.format(url=self.url, home=self.home))
        self._manage("db_sync")
        with closing(sqlite3.connect(self.home / "keystone.db")) as database:
            database.execute("pragma journal_mode = wal")  # or whoever reads keeps it from writing
        for keys in ("fernet_setup", "credential_setup"):
            self._manage(keys, f"--keystone-user={getpass.getuser()}", f"--keystone-group={getpass.getuser()}")
        addresses = (f"--bootstrap-{kind}-url={self.auth_url}" for kind in ("public", "internal"))
        self._manage("bootstrap", f"--bootstrap-password={ADMIN}", f"--bootstrap-region-id={REGION}", *addresses)
        self._token = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        """Where tokens are given."""
        return f"{self.url}/v3"

    def middleware(self) -> str:
        """What a proxy of Swift is configured with."""
        return MIDDLEWARE.format(url=self.auth_url, password=SERVICE)

    def command(self) -> list[str]:
        return ["/usr/bin/keystone-wsgi-public", "--host", "127.0.0.1", "--port", str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"OS_KEYSTONE_CONFIG_FILES": str(self.home / "keystone.conf")}

    def serves(self) -> bool:
        return answers(f"{self.auth_url}/")

    def fill(self, store: str) -> None:
        """Projects, users and the catalogue; ``store`` is the address of Swift's proxy."""
        self._token = self.token("admin", ADMIN, "admin")
        roles = {row["name"]: row["id"] for row in self.ask("GET", "roles")["roles"]}
        admin = self.ask("GET", "projects?name=admin")["projects"][0]["id"]
        science = self._made("project", name="science")
        for name, password, project, role in (
            ("swift", SERVICE, admin, "admin"), ("stage", STAGE, science, "member"), ("idle", STAGE, "", "")
        ):  # fmt: skip
            user = self._made("user", name=name, password=password)
            if project:
                self.ask("PUT", f"projects/{project}/users/{user}/roles/{roles[role]}")
        service = self._made("service", name="swift", type="object-store")
        address = f"{store}/v1/AUTH_$(project_id)s"
        self._made("endpoint", service_id=service, interface="public", region_id=REGION, url=address)

    def change_password(self, name: str, password: str) -> None:
        """Of a user; his tokens are void then."""
        user = self.ask("GET", f"users?name={name}")["users"][0]["id"]
        self.ask("PATCH", f"users/{user}", {"user": {"password": password}})

    def revoke(self, token: str) -> None:
        """Make a token void."""
        self.ask("DELETE", "auth/tokens", headers={"X-Subject-Token": token})

    def application_credential(self, name: str, secret: str) -> str:
        """Of the user 'stage'; its id."""
        own = {"X-Auth-Token": self.token("stage", STAGE, "science")}
        user = self.ask("GET", "users?name=stage")["users"][0]["id"]
        body = {"application_credential": {"name": name, "secret": secret}}
        made = self.ask("POST", f"users/{user}/application_credentials", body, own)
        return str(made["application_credential"]["id"])

    def token(self, user: str, password: str, project: str) -> str:
        """A token, asked for beside the code that is tested."""
        domain = {"domain": {"id": "default"}}
        who = {"methods": ["password"], "password": {"user": {"name": user, "password": password, **domain}}}
        body = {"auth": {"identity": who, "scope": {"project": {"name": project, **domain}}}}
        with self._open("POST", "auth/tokens", body, {}) as answer:
            return str(answer.headers["X-Subject-Token"])

    def ask(self, method: str, what: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """An answer to the administrator."""
        with self._open(method, what, body, {"X-Auth-Token": self._token, **(headers or {})}) as answer:
            return json.loads(answer.read() or b"null")

    def _made(self, kind: str, **values: str) -> str:
        return str(self.ask("POST", f"{kind}s", {kind: values})[kind]["id"])

    def _open(self, method: str, what: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **{key: value for key, value in headers.items() if value}}
        request = urllib.request.Request(f"{self.auth_url}/{what}", data, told, method=method)  # noqa: S310  (http)
        return urllib.request.urlopen(request, timeout=30)  # noqa: S310

    def _manage(self, *words: str) -> None:
        self.run("/usr/bin/keystone-manage", "--config-file", str(self.home / "keystone.conf"), *words)
