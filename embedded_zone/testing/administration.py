"""What a test's zone needs before the test: users, and the knowledge of other zones (``iadmin``, without iRODS)."""

from __future__ import annotations

from types import TracebackType

from embedded_zone.client import ZoneClient
from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.wire.obfuscation import pad_password, scramble_v2

GENERAL_ADMIN = 701
_ARGUMENTS = 10


class Administration:
    """A connection of a zone's administrator; raises IrodsError as ``iadmin`` would print it."""

    def __init__(self, zone: EmbeddedZone) -> None:
        self._zone = zone
        user = (zone.config.zone_user, zone.config.zone_name)
        self._client = ZoneClient(zone.config.host, zone.port, user, zone.password)

    def __enter__(self) -> Administration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def run(self, *words: str) -> None:
        """One ``iadmin`` call in the words of API 701: ``run("add", "resource", "other", "unixfilesystem", …)``."""
        padded = [*words, *[""] * (_ARGUMENTS - len(words))]
        request = {f"arg{index}": word for index, word in enumerate(padded)}
        self._client.call(GENERAL_ADMIN, request, request_type="generalAdminInp_PI")

    def make_user(self, name: str, password: str = "", kind: str = "rodsuser") -> None:
        """A user with home and trash; ``name#zone`` for one of another zone, who has no password here."""
        self.run("add", "user", name, kind)
        if password:
            hidden = scramble_v2(pad_password(password), self._zone.password, self._client.signature)
            self.run("modify", "user", name, "password", hidden, self._zone.config.zone_name)

    def know_zone(self, other: EmbeddedZone) -> None:
        """``iadmin mkzone``: tell where another zone is."""
        self.run("add", "zone", other.config.zone_name, "remote", f"{other.config.host}:{other.port}")
