"""Bad input through both doors: the same code, field, text and remedy, and nothing is created."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from irods.access import iRODSAccess
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, ended, read, write
from tests.stack import rulecall, trees

TEXT = b"plain text\n" * 50_000


def both(stack: Stack, session: iRODSSession, request: dict[str, Any]) -> dict[str, Any]:
    """The one error that REST and rule both answer the request with."""
    with stack.rest() as client:
        answer = client.post("/api/v1/jobs", json=request)
    by_rule = rulecall.call(session, "sluice_submit", json.dumps(request))["error"]

    problem = answer.json()
    assert 400 <= answer.status_code < 500, problem
    assert answer.headers["content-type"].startswith("application/problem+json")
    shown = {"code": problem["code"], "text": problem["detail"], "field": problem["field"], "remedy": problem["remedy"]}
    assert shown == {name: by_rule[name] for name in shown}
    assert by_rule["remedy"]
    return by_rule


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"operation": "shred"}, "unknown_operation", "operation"),
        ({"compression": "rar"}, "unknown_method", "compression"),
        ({"encryption": "rot13"}, "unknown_method", "encryption"),
        ({"key": "no-such-key"}, "key_not_found", "key"),
        ({"source": "/{zone}/home/{alice}/missing"}, "source_not_found", "source"),
        ({"source": "/{zone}/home/{bob}/private"}, "source_not_found", "source"),
        ({"source": '/{zone}/home/{alice}/it\'s "missing" 100% 数据'}, "source_not_found", "source"),
        ({"source": "/{zone}/home/{alice}/../{bob}"}, "bad_path", "source"),
        ({"source": "/{zone}/home/{alice}/a\nb"}, "bad_path", "source"),
        ({"source": "/{zone}/home/{alice}/a\u0000b"}, "bad_path", "source"),
        ({"source": "home/alice"}, "bad_path", "source"),
        ({"source": "/{zone}/sluice/jobs"}, "bad_path", "source"),
        ({"source": ""}, "missing_field", "source"),
        ({"target": "/{zone}/home/{alice}/no/such/collection"}, "target_collection_not_found", "target"),
        ({"target": "/{zone}/home/{alice}/x\ty"}, "bad_path", "target"),
        ({"target": "/{zone}/intruder"}, "target_collection_not_found", "target"),
        ({"level": 100}, "bad_value", "level"),
        ({"colour": "blue"}, "unknown_field", "colour"),
    ],
)
def test_a_wrong_request_is_refused_alike(
    stack: Stack, session: iRODSSession, place: str, change: dict[str, Any], code: str, field: str
) -> None:
    """Each wrong value is told by REST and by rule in the same words, and neither leaves anything behind."""
    write(session, f"{place}/in", TEXT)
    with stack.bob.session() as owner:
        owner.collections.create(f"{stack.bob.home}/private")
    filled = {
        name: value.format(zone=stack.site.zone, alice=stack.alice.name, bob=stack.bob.name)
        if isinstance(value, str)
        else value
        for name, value in change.items()
    }
    good = {"operation": "compress_encrypt", "source": f"{place}/in", "target": f"{place}/out", "key": stack.site.key}
    request = {**good, **filled}

    error = both(stack, session, request)

    assert (error["code"], error["field"]) == (code, field)
    assert set(trees.listing(session, place)) == {"in"}


@pytest.mark.long
def test_a_refused_request_that_comes_several_times_at_once_is_refused_alike(stack: Stack, place: str) -> None:
    """A queue may deliver a request twice: nobody trips over the claim that another one has released."""
    with stack.alice.session() as session:
        write(session, f"{place}/in", TEXT)
    wanted = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/no/such/collection"}
    text = json.dumps({**wanted, "id": str(uuid.uuid4())})

    def refused(_number: int) -> str:
        with stack.alice.session() as own:
            return str(rulecall.call(own, "sluice_submit", text)["error"]["code"])

    with ThreadPoolExecutor(4) as several:
        codes = list(several.map(refused, range(4)))

    assert codes == ["target_collection_not_found"] * 4


def test_a_target_that_exists_is_not_touched(stack: Stack, session: iRODSSession, place: str) -> None:
    """An existing target is refused before anything starts, object or collection."""
    write(session, f"{place}/in", TEXT)
    write(session, f"{place}/out", b"precious")

    error = both(stack, session, {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out"})

    assert (error["code"], error["field"]) == ("target_exists", "target")
    assert read(session, f"{place}/out") == b"precious"


def test_a_target_where_the_user_may_only_read_is_refused(stack: Stack, session: iRODSSession, place: str) -> None:
    """Read access to a collection is not enough to make something in it."""
    write(session, f"{place}/in", TEXT)
    with stack.bob.session() as owner:
        owner.acls.set(iRODSAccess("read", stack.bob.home, stack.alice.name))
    request = {"operation": "compress", "source": f"{place}/in", "target": f"{stack.bob.home}/out"}

    error = both(stack, session, request)

    assert (error["code"], error["field"]) == ("not_permitted", "target")


@pytest.mark.parametrize("text", ["{", "", "[]", '{"operation": "compress"'])
def test_malformed_json_is_told(stack: Stack, session: iRODSSession, text: str) -> None:
    """What is not JSON is malformed_json by rule and by REST."""
    with stack.rest() as client:
        answer = client.post("/api/v1/jobs", content=text, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert rulecall.call(session, "sluice_submit", text)["error"]["code"] == "malformed_json"


def test_a_request_that_irule_cut_is_explained(stack: Stack, session: iRODSSession) -> None:
    """JSON of exactly 1,084 bytes that ends in the middle is recognised as cut by irule."""
    whole = json.dumps({"operation": "compress", "source": "/z/" + "x/" * 600})

    error = rulecall.call(session, "sluice_submit", whole[:1084])["error"]

    assert error["code"] == "cut_json"


def test_wrong_credentials_are_refused(stack: Stack) -> None:
    """A wrong password is 401 problem+json; no request reaches the zone under that name."""
    with stack.rest() as client:
        client.auth = (stack.alice.name, "wrong")
        answer = client.get("/api/v1/jobs")

    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("damage", ["flip", "cut", "extend", "header"])
def test_damaged_ciphertext_fails_the_job_and_publishes_nothing(
    stack: Stack, session: iRODSSession, place: str, damage: str
) -> None:
    """The job fails with an error that names object and offset; no target appears, not even hidden."""
    write(session, f"{place}/in", TEXT)
    stack.done(operation="encrypt", source=f"{place}/in", target=f"{place}/sealed", key=stack.site.key)
    whole = bytearray(read(session, f"{place}/sealed"))
    if damage == "flip":
        whole[len(whole) // 2] ^= 1
    elif damage == "cut":
        del whole[-1:]
    elif damage == "extend":
        whole += b"x"
    else:
        whole[3] ^= 1
    write(session, f"{place}/sealed", bytes(whole))

    job = stack.finished(stack.submitted(operation="decrypt", source=f"{place}/sealed", target=f"{place}/back")["id"])

    assert job["state"] == "failed"
    assert job["error"]["code"] == "corrupt_ciphertext"
    assert job["error"]["object"] == f"{place}/sealed"
    assert 0 <= job["error"]["offset"] <= len(whole)
    assert set(trees.listing(session, place)) == {"in", "sealed"}


def test_decrypting_what_was_never_encrypted_fails_with_a_reason(
    stack: Stack, session: iRODSSession, place: str
) -> None:
    """A plain object is not ciphertext: the job ends failed with wrong_encoding or corrupt_ciphertext."""
    write(session, f"{place}/in", TEXT)

    answer = rulecall.call(
        session, "sluice_submit", json.dumps({"operation": "decrypt", "source": f"{place}/in", "target": f"{place}/b"})
    )
    job = ended(session, answer["ok"]["id"])

    assert job["state"] == "failed"
    assert job["error"]["code"] in {"wrong_encoding", "corrupt_ciphertext"}
    assert set(trees.listing(session, place)) == {"in"}
