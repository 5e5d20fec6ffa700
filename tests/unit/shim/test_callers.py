"""Who is asking: nobody gets in without the zone, and no password is kept."""

from __future__ import annotations

import pickle

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Authorization

from api_shim.callers import Callers
from api_shim.problems import Problem
from api_shim.tokens import Tokens
from tests.unit.shim.conftest import basic, login
from workers.app import SluiceCelery
from workers.settings import HttpSettings, OidcSettings
from workers.zone import LoginRefused

HTTP, NO_TOKENS = HttpSettings(), Tokens(OidcSettings())
PATH = "/api/v1/jobs/not-a-job"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("alice", "wrong"),
        basic("alice#otherZone", "secret of alice"),
        basic("anonymous", "x"),
        basic("../alice", "secret of alice"),
        basic("alice'--", "x"),
        basic("", "x"),
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
    ],
)
def test_without_good_credentials_it_is_401(client: FlaskClient, headers: dict[str, str]) -> None:
    """The challenge tells how to come in."""
    answer = client.get(PATH, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="tempZone"')


@pytest.mark.parametrize("user", ["alice", "alice#tempZone"])
def test_good_credentials_are_known_with_and_without_the_zone(client: FlaskClient, user: str) -> None:
    """The request gets past the door (and then finds no such job)."""
    assert client.get(PATH, headers=basic(user, "secret of alice")).status_code == 404


def test_a_login_is_asked_once_and_remembered_without_the_password(celery: SluiceCelery) -> None:
    """The memory holds a keyed hash; a wrong password is never remembered as good."""
    asked: list[str] = []

    def counting(user: str, password: str) -> None:
        asked.append(user)
        login(user, password)

    callers = Callers(celery.zone.full_name, counting, HTTP, NO_TOKENS, "tempZone")
    good = Authorization("basic", {"username": "alice", "password": "secret of alice"})
    for _ in range(3):
        assert callers.user(good) == "alice#tempZone"
    with pytest.raises(Problem):
        callers.user(Authorization("basic", {"username": "alice", "password": "secret of bob"}))

    assert asked == ["alice#tempZone", "alice#tempZone"]
    remembered = pickle.dumps(list(callers._known._values.items()))
    assert b"secret" not in remembered


def test_a_remembered_login_grows_old(celery: SluiceCelery) -> None:
    """After the time of the setting the zone is asked again."""
    asked: list[str] = []
    forgetful = HttpSettings(login_cache_seconds=0.0)
    callers = Callers(celery.zone.full_name, lambda user, _: asked.append(user), forgetful, NO_TOKENS, "tempZone")

    for _ in range(2):
        callers.user(Authorization("basic", {"username": "alice", "password": "x"}))

    assert len(asked) == 2


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 300])
def test_impossible_passwords_do_not_reach_the_zone(celery: SluiceCelery, password: str) -> None:
    """They are refused before a connection is made: the zone of this test is away."""
    with pytest.raises(LoginRefused):
        celery.zone.login("alice#tempZone", password)


def guesses(callers: Callers, user: str, address: str, tries: int) -> list[int]:
    """The statuses of so many wrong passwords."""
    return [_status(callers, user, f"wrong {number}", address) for number in range(tries)]


def _status(callers: Callers, user: str, password: str, address: str) -> int:
    try:
        callers.user(Authorization("basic", {"username": user, "password": password}), address)
    except Problem as problem:
        return problem.status
    return 200


def test_guessing_is_slowed_down(celery: SluiceCelery) -> None:
    """After some wrong passwords the zone is not asked; another address, and who is known already, still get in."""
    asked: list[str] = []

    def counting(user: str, password: str) -> None:
        asked.append(password)
        login(user, password)

    callers = Callers(celery.zone.full_name, counting, HttpSettings(login_failures=5), NO_TOKENS, "tempZone")
    assert _status(callers, "bob", "secret of bob", "10.0.0.1") == 200

    assert guesses(callers, "alice", "10.0.0.1", 8) == [401] * 5 + [429] * 3
    assert asked == ["secret of bob"] + [f"wrong {number}" for number in range(5)]
    assert _status(callers, "alice", "secret of alice", "10.0.0.1") == 429
    assert _status(callers, "alice", "secret of alice", "10.0.0.2") == 200
    assert _status(callers, "bob", "secret of bob", "10.0.0.1") == 200


def test_one_address_cannot_try_many_users(celery: SluiceCelery) -> None:
    """Ten times the failures of one user, and the address waits, whomever it tries."""
    callers = Callers(celery.zone.full_name, login, HttpSettings(login_failures=2), NO_TOKENS, "tempZone")

    statuses = [_status(callers, f"user{number}", "x", "10.0.0.1") for number in range(25)]

    assert statuses == [401] * 20 + [429] * 5


def test_a_user_who_asks_too_often_waits(celery: SluiceCelery) -> None:
    """429 with Retry-After; another user is not concerned."""
    limited = HttpSettings(rate_per_second=0.5, rate_burst=3)
    callers = Callers(celery.zone.full_name, login, limited, NO_TOKENS, "tempZone")

    statuses = [_status(callers, "alice", "secret of alice", "") for _ in range(5)]

    assert statuses == [200] * 3 + [429] * 2
    assert _status(callers, "bob", "secret of bob", "") == 200
    with pytest.raises(Problem) as caught:
        callers.user(Authorization("basic", {"username": "alice", "password": "secret of alice"}))
    assert caught.value.headers["Retry-After"] == "2"
