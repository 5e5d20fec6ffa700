"""The life cycle of keys as somebody asks for it: allowed, logged, then done. CLI, rules and REST end here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from python_rules.config import Config
from python_rules.engine.keys import grants, store
from python_rules.engine.keys.audit import Log
from python_rules.engine.keys.grants import MANAGE, Who
from python_rules.engine.keys.key import Secret
from python_rules.engine.keys.keyring import DISABLED, ENABLED, Keyring, Row, named, require_enabled, versions
from python_rules.jobs.errors import JobError, RequestError
from python_rules.jobs.key_words import RIGHTS

T = TypeVar("T")
Secrets = Sequence[tuple[Secret, str]]  # each with its status


class Desk:
    """What one caller may do to the keys; every method raises JobError, and tells the key as it is then."""

    def __init__(self, keyring: Keyring, log: Log, who: Who, days: float) -> None:
        self._keyring = keyring
        self._log = log
        self._who = who
        self._days = days

    @classmethod
    def of(cls, config: Config, who: Who) -> Desk:
        """The desk of the keyring that the settings name."""
        return cls(Keyring.of(config), Log.of(config), who, config["keys.destroy_days"])

    def list(self) -> dict[str, Any]:
        """The keys that the caller may use or manage; an administrator sees all."""
        keys = store.read(self._keyring.path)["keys"]
        seen = {name: row for name, row in sorted(keys.items()) if grants.visible(row, self._who)}
        return {"keys": [public(name, row) for name, row in seen.items()]}

    def show(self, name: str) -> dict[str, Any]:
        """One of them."""
        return public(name, self._row(name))

    def create(self, name: str, owner: str = "") -> dict[str, Any]:
        """Make a key, for an owner who may then do everything with it."""
        self._require_admin(name)
        owner = owner or ("" if self._who.is_service else self._who.user)
        _check_owner(owner)
        self._logged("create", name, f"owner {owner}" if owner else "", lambda: self._keyring.create(name, owner))
        return self.show(name)

    def add(self, name: str, secrets: Secrets, primary: int, owner: str = "") -> dict[str, Any]:
        """Make a key of secrets that exist already; no door but the command line comes here."""
        self._require_admin(name)
        _check_owner(owner)
        self._logged("import", name, f"owner {owner}", lambda: self._keyring.add_all(name, secrets, primary, owner))
        return self.show(name)

    def add_passphrase(self, name: str, phrase: Secret, iterations: int, owner: str = "") -> dict[str, Any]:
        """Make a key of a passphrase for openssl; no door but the command line comes here."""
        self._require_admin(name)
        _check_owner(owner)
        note = f"owner {owner}, a passphrase"
        self._logged("import", name, note, lambda: self._keyring.add_passphrase(name, phrase, iterations, owner))
        return self.show(name)

    def take_out(self, name: str) -> tuple[dict[int, Secret], int]:
        """The secrets of a key's enabled versions by number, and the primary; for the command line alone."""
        self._require_admin(name)
        row = self._row(name)
        numbers = [version.number for version in versions(row) if version.status == ENABLED]
        require_enabled(name, row["primary"], row["versions"][str(row["primary"])])
        told = f"versions {', '.join(map(str, numbers))}"
        keys = self._logged("export", name, told, lambda: [self._keyring.version(name, n) for n in numbers])
        return {key.version: key.secret for key in keys}, row["primary"]

    def grant(self, name: str, grantee: str, rights: tuple[str, ...], collection: str = "") -> dict[str, Any]:
        """Let a user or group do something with the key, in a collection or everywhere."""

        def change(row: Row) -> None:
            grants.added(row, grantee, rights, collection)

        note = f"{grantee} may {', '.join(rights)}" + (f" in {collection}" if collection else "")
        return self._changed("grant", name, note, change)

    def revoke(self, name: str, grantee: str, rights: tuple[str, ...] = tuple(RIGHTS)) -> dict[str, Any]:
        """Take rights back, wherever they hold; running jobs are refused from their next object on."""

        def change(row: Row) -> None:
            if not grants.removed(row, grantee, rights):
                raise RequestError(
                    "bad_value", f"{grantee} has no such grant", field="who", remedy=f"see sluice keys show {name}"
                )

        return self._changed("revoke", name, f"{grantee}: {', '.join(rights)}", change)

    def rotate(self, name: str) -> dict[str, Any]:
        """Add a version that seals from now on; the old ones still open."""
        return self._managed("rotate", name, None, lambda: self._keyring.rotate(name))

    def disable(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Refuse to seal and open, until enabled again."""
        return self._managed("disable", name, version, lambda: self._keyring.set_status(name, DISABLED, version))

    def enable(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Allow it again."""
        return self._managed("enable", name, version, lambda: self._keyring.set_status(name, ENABLED, version))

    def destroy(self, name: str, version: int | None = None, days: float | None = None) -> dict[str, Any]:
        """Have it destroyed after the delay; until then ``recover`` brings it back."""
        delay = self._days if days is None else days
        return self._managed("condemn", name, version, lambda: self._keyring.condemn(name, delay, version))

    def recover(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Take the order to destroy it back."""
        return self._managed("recover", name, version, lambda: self._keyring.recover(name, version))

    def _changed(self, act: str, name: str, note: str, change: Callable[[Row], None]) -> dict[str, Any]:
        def work() -> None:
            with self._keyring.rows() as rows:
                change(named(rows, name))

        self._require_manager(act, name)
        self._logged(act, name, note, work)
        return self.show(name)

    def _managed(self, act: str, name: str, version: int | None, work: Callable[[], object]) -> dict[str, Any]:
        self._require_manager(act, name)
        self._logged(act, f"{name}:{version}" if version else name, "", work)
        return self.show(name)

    def _logged(self, act: str, key: str, note: str, work: Callable[[], T]) -> T:
        """Log first, then do: what is done is in the log, and what failed is told there too."""
        self._log.record(act, key[:200], self._who.user, note=note[:1000])
        try:
            return work()
        except JobError as error:
            self._log.record("failed", key[:200], self._who.user, note=f"{act}: {error.text}"[:300])
            raise

    def _row(self, name: str) -> Row:
        return named(store.read(self._keyring.path)["keys"], name, lambda row: grants.visible(row, self._who))

    def _require_manager(self, act: str, name: str) -> None:
        try:
            grants.require(name, self._row(name), self._who, MANAGE)
        except JobError as error:
            self._log.record("refused", name[:200], self._who.user, note=f"{act}: {error.text}"[:300])
            raise

    def _require_admin(self, name: str) -> None:
        if not self._who.admin:
            raise JobError(
                "not_permitted",
                f"{self._who.user} may not make the key {name[:64]!a}",
                field="key",
                remedy="ask an administrator of the zone to make it, with you as its owner",
            )


def public(name: str, row: Row) -> dict[str, Any]:
    """A key as every door shows it."""
    told = [version._asdict() for version in versions(row)]
    return {"name": name, "owner": row["owner"], "grants": row["grants"], "versions": told}


def _check_owner(owner: str) -> None:
    if owner:
        grants.added({"grants": []}, owner, (MANAGE,))  # the same form as a grantee's
