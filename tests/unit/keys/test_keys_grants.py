"""Who may use a key, and where; who may say so."""

from __future__ import annotations

import pytest

from python_rules.engine.keys import Keyring, KeyUse, Log, Provider, Who
from python_rules.engine.keys.desk import Desk
from python_rules.jobs.errors import JobError

ALICE, BOB, STRANGER = Who("alice#z"), Who("bob#z", frozenset({"lab#z"})), Who("alice#other")
ADMIN = Who("rods#z", admin=True)
PATH = "/z/home/lab/data.tink"


@pytest.fixture
def admin(keyring: Keyring, log: Log) -> Desk:
    """The administrator's desk, with a key of alice."""
    desk = Desk(keyring, log, ADMIN, 7)
    desk.create("k", "alice#z")
    return desk


def refused(use: object, *arguments: object) -> JobError:
    with pytest.raises(JobError) as caught:
        use(*arguments)  # type: ignore[operator]
    return caught.value


def test_the_owner_may_and_nobody_else(admin: Desk, keyring: Keyring, log: Log) -> None:
    """Not the administrator either: he would have to grant it to himself, and the log would tell."""
    assert KeyUse(keyring, log, ALICE).sealing_key("k", PATH).reference == "k:1"

    error = refused(KeyUse(keyring, log, ADMIN).opening_key, "k", 1, PATH)

    assert error.code == "not_permitted"
    assert "rods#z may not open with the key k" in error.text
    assert "alice#z or an administrator" in error.remedy
    assert "sluice keys grant k rods#z open" in error.remedy


@pytest.mark.parametrize("who", [BOB, STRANGER])
def test_a_key_without_a_grant_does_not_exist(admin: Desk, keyring: Keyring, log: Log, who: Who) -> None:
    """A user, and one of the same name from another zone, are not told that there is such a key."""
    error = refused(KeyUse(keyring, log, who).sealing_key, "k", PATH)

    assert error.code == "key_not_found"
    assert "none yet" in error.remedy
    assert Desk(keyring, log, who, 7).list() == {"keys": []}


def test_a_group_may_what_was_granted_to_it(admin: Desk, keyring: Keyring, log: Log) -> None:
    """Sealing alone lets nobody open."""
    admin.grant("k", "lab#z", ("seal",))
    use = KeyUse(keyring, log, BOB)

    assert use.sealing_key("k", PATH).version == 1
    assert "may not open" in refused(use.opening_key, "k", 1, PATH).text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/z/home/lab", True),
        ("/z/home/lab/a/b.tink", True),
        ("/z/home/laboratory/a.tink", False),
        ("/z/home/a.tink", False),
        ("", False),
    ],
)
def test_a_grant_holds_in_its_collection(admin: Desk, keyring: Keyring, log: Log, path: str, allowed: bool) -> None:
    """In it and below, and the denial says where it holds."""
    admin.grant("k", "bob#z", ("open",), "/z/home/lab")
    use = KeyUse(keyring, log, BOB)

    if allowed:
        assert use.opening_key("k", 1, path).version == 1
    else:
        assert "the grant holds in /z/home/lab" in refused(use.opening_key, "k", 1, path).text


def test_a_revocation_holds_at_once(admin: Desk, keyring: Keyring, log: Log) -> None:
    """For the next object of a job that runs already."""
    admin.grant("k", "bob#z", ("seal", "open"))
    running = KeyUse(keyring, log, BOB, "job")
    running.sealing_key("k", PATH)

    admin.revoke("k", "bob#z", ("seal",))

    assert refused(running.sealing_key, "k", PATH).code == "not_permitted"
    assert running.opening_key("k", 1, PATH).version == 1
    assert refused(admin.revoke, "k", "bob#z", ("seal",)).field == "who"


class Counting:
    """A provider that counts how often it is asked."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name = provider.name
        self.unwrapped = 0

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        self.unwrapped += 1
        return self._provider.unwrap(wrapped, context)

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        return self._provider.wrap(secret, context)

    def create(self) -> str:
        return self._provider.create()


def test_a_job_asks_its_provider_once(admin: Desk, keyring: Keyring, log: Log) -> None:
    """For each version; who may use it, and whether it may be used at all, is asked for each object."""
    provider = Counting(keyring.provider)
    running = KeyUse(Keyring(keyring.path, provider), log, ALICE, "job")

    keys = [running.sealing_key("k", PATH), running.opening_key("k", 1, PATH), *running.both_keys("k", 1, "k", PATH)]
    assert (len(set(map(id, keys))), provider.unwrapped) == (1, 1)
    admin.rotate("k")
    assert [key.version for key in running.both_keys("k", 1, "k", PATH)] == [1, 2]
    assert provider.unwrapped == 2

    admin.disable("k", 1)
    assert "disabled" in refused(running.opening_key, "k", 1, PATH).text
    before = log.head().number
    assert refused(running.both_keys, "k", 1, "k", PATH).code == "not_permitted"
    assert [entry["act"] for entry in log.entries()][before:] == ["refused"]  # and no word of a use


def test_who_manages_may_grant_but_not_open(admin: Desk, keyring: Keyring, log: Log) -> None:
    """And is named in denials."""
    admin.grant("k", "bob#z", ("manage",))
    Desk(keyring, log, BOB, 7).grant("k", "carol#z", ("seal",))

    carol = KeyUse(keyring, log, Who("carol#z"))
    assert carol.sealing_key("k", PATH).version == 1
    assert "alice#z or bob#z or an administrator" in refused(carol.opening_key, "k", 1, PATH).remedy
    assert refused(KeyUse(keyring, log, BOB).opening_key, "k", 1, PATH).code == "not_permitted"


@pytest.mark.parametrize("act", ["rotate", "disable", "enable", "destroy", "recover"])
def test_who_does_not_manage_changes_nothing(admin: Desk, keyring: Keyring, log: Log, act: str) -> None:
    """A user who may seal and open is refused every change."""
    admin.grant("k", "bob#z", ("seal", "open"))
    before = keyring.row("k")

    error = refused(getattr(Desk(keyring, log, BOB, 7), act), "k")

    assert (error.code, "may not manage with the key k" in error.text) == ("not_permitted", True)
    assert keyring.row("k") == before


def test_only_administrators_make_keys(keyring: Keyring, log: Log) -> None:
    """Whoever made one would own it."""
    assert refused(Desk(keyring, log, ALICE, 7).create, "mine").code == "not_permitted"
    assert keyring.list() == {}


@pytest.mark.parametrize(
    ("grantee", "rights", "collection", "field"),
    [
        ("bob", ("seal",), "", "who"),
        ("#z", ("seal",), "", "who"),
        ("bob#z\n", ("seal",), "", "who"),
        ("bob#z", ("read",), "", "rights"),
        ("bob#z", (), "", "rights"),
        ("bob#z", ("seal",), "relative", "collection"),
        ("bob#z", ("manage",), "/z/home", "collection"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    admin: Desk, grantee: str, rights: tuple[str, ...], collection: str, field: str
) -> None:
    """The error names the field, and nothing is granted."""
    assert refused(admin.grant, "k", grantee, rights, collection).field == field
    assert admin.show("k")["grants"] == []


def test_granting_twice_is_one_grant(admin: Desk) -> None:
    """Rights in one collection add up."""
    admin.grant("k", "bob#z", ("seal",))
    admin.grant("k", "bob#z", ("open", "seal"))
    assert admin.show("k")["grants"] == [{"who": "bob#z", "may": ["open", "seal"], "collection": ""}]


def test_keys_of_an_older_keyring_are_nobodys(keyring: Keyring, log: Log) -> None:
    """Format 1 had no grants: an administrator grants its keys before they are used."""
    keyring.create("old")
    with keyring.rows() as rows:
        del rows["old"]["grants"], rows["old"]["owner"]
    assert refused(KeyUse(keyring, log, ALICE).sealing_key, "old", PATH).code == "key_not_found"
    Desk(keyring, log, ADMIN, 7).grant("old", "alice#z", ("seal",))
    assert KeyUse(keyring, log, ALICE).sealing_key("old", PATH).version == 1
