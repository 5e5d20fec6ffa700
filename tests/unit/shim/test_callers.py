"""Who is asking: nobody gets in without the zone, and no password is kept."""

from __future__ import annotations

import pickle

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Authorization

from api_shim.callers import Callers
from api_shim.problems import Problem
from tests.unit.shim.conftest import basic, login
from workers.app import SluiceCelery
from workers.zone import LoginRefused

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

    callers = Callers(celery.zone.full_name, counting, 60.0, "tempZone")
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
    callers = Callers(celery.zone.full_name, lambda user, _: asked.append(user), 0.0, "tempZone")

    for _ in range(2):
        callers.user(Authorization("basic", {"username": "alice", "password": "x"}))

    assert len(asked) == 2


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 300])
def test_impossible_passwords_do_not_reach_the_zone(celery: SluiceCelery, password: str) -> None:
    """They are refused before a connection is made: the zone of this test is away."""
    with pytest.raises(LoginRefused):
        celery.zone.login("alice#tempZone", password)
