"""The API with a zone behind it: every route, as the user and nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from api_shim.client import SluiceClient, SluiceError
from tests.e2e.conftest import Stack, write
from tests.stack import rulecall
from tests.stack.waiting import until

TEXT = b"Nobody should wait in the dark.\n" * 20_000


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """Alice's client."""
    with stack.rest() as opened:
        yield opened


@pytest.fixture
def sluice(stack: Stack) -> Iterator[SluiceClient]:
    """Alice's SluiceClient."""
    with SluiceClient(stack.url, stack.alice.name, stack.alice.password) as opened:
        yield opened


def request_for(place: str, name: str = "in") -> dict[str, str]:
    """A compression within a collection."""
    return {"operation": "compress", "source": f"{place}/{name}", "target": f"{place}/{name}-out"}


def test_submit_answers_201_and_a_location_that_shows_the_job(
    stack: Stack, client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """What the submit shows is what the location shows; the record exists already."""
    write(session, f"{place}/in", TEXT)

    answer = client.post("/api/v1/jobs", json=request_for(place))

    assert answer.status_code == 201
    shown = client.get(answer.headers["Location"])
    assert shown.status_code == 200
    assert shown.json()["id"] == answer.json()["id"]
    assert answer.json()["door"] == "rest"
    assert answer.json()["user"] == stack.alice.qualified
    stack.finished(answer.json()["id"])


def test_respond_async_answers_202_and_the_job_follows(
    stack: Stack, client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """The id is true from the first moment: a look at it is never 404."""
    write(session, f"{place}/in", TEXT)

    answer = client.post("/api/v1/jobs", json=request_for(place), headers={"Prefer": "respond-async"})

    assert answer.status_code == 202
    assert client.get(answer.headers["Location"]).status_code == 200
    assert stack.finished(answer.json()["id"])["state"] == "succeeded"


def test_a_refusal_after_202_is_told_at_the_location(client: httpx.Client, place: str) -> None:
    """The zone's error, with the status that the submit would have had."""
    answer = client.post("/api/v1/jobs", json=request_for(place, "missing"), headers={"Prefer": "respond-async"})

    assert answer.status_code == 202
    refused = until(
        lambda: found if (found := client.get(answer.headers["Location"])).status_code != 200 else None, "a refusal", 30
    )
    assert (refused.status_code, refused.json()["code"]) == (404, "source_not_found")


def test_the_list_is_the_users_own_from_the_newest_in_pages(
    stack: Stack, client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """Pages of two hold every job once; filters keep what they say."""
    made = []
    for number in range(5):
        write(session, f"{place}/{number}", TEXT)
        made.append(stack.submitted(**request_for(place, str(number)))["id"])
    for job_id in made:
        stack.finished(job_id)

    seen, cursor, parameters = [], None, {"limit": "2"}
    while cursor or not seen:
        page = client.get("/api/v1/jobs", params=parameters).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        parameters = {"limit": "2", "cursor": cursor or ""}

    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    assert set(seen[:5]) == set(made)
    assert client.get("/api/v1/jobs", params={"state": "queued,failed", "limit": 1}).status_code == 200
    encrypted = client.get("/api/v1/jobs", params={"operation": "encrypt", "limit": 100}).json()["jobs"]
    assert not set(made) & {job["id"] for job in encrypted}
    done = client.get("/api/v1/jobs", params={"state": "succeeded", "operation": "compress", "limit": 100}).json()[
        "jobs"
    ]
    assert set(made) <= {job["id"] for job in done}


def test_events_tell_the_job_until_its_end(sluice: SluiceClient, session: iRODSSession, place: str) -> None:
    """The states come in order, bytes never go back, and the last is final."""
    write(session, f"{place}/in", TEXT)
    job = sluice.submit(**request_for(place))

    seen = list(sluice.watch(job["id"]))

    order = ["queued", "running", "succeeded"]
    states = [order.index(job["state"]) for job in seen]
    assert states == sorted(states)
    assert seen[-1]["state"] == "succeeded"
    moved = [job["progress"]["bytes_done"] for job in seen]
    assert moved == sorted(moved)
    assert moved[-1] == len(TEXT)


def test_a_stream_goes_on_where_it_was_cut(stack: Stack, session: iRODSSession, place: str) -> None:
    """With the id of the last event: nothing that was seen comes again, and after the end 204 keeps a browser away."""
    write(session, f"{place}/in", TEXT)
    job = stack.done(**request_for(place))

    with stack.rest() as client:
        address = f"/api/v1/jobs/{job['id']}/events"
        whole = client.get(address).text
        ids = [line.removeprefix("id: ") for line in whole.splitlines() if line.startswith("id: ")]
        cut = client.get(address, headers={"Last-Event-ID": ids[0]}).text
        over = client.get(address, headers={"Last-Event-ID": ids[-1]})

    assert whole.count("event: job") == 1
    assert cut == 'id: end\nevent: end\ndata: "succeeded"\n\n'
    assert (over.status_code, over.content) == (204, b"")


def test_results_name_each_object(stack: Stack, sluice: SluiceClient, session: iRODSSession, place: str) -> None:
    """One line for each object of the collection."""
    session.collections.create(f"{place}/tree")
    names = ["a", "b ü", "it's 100%"]
    for name in names:
        write(session, f"{place}/tree/{name}", TEXT)
    job = sluice.submit("compress", f"{place}/tree", target=f"{place}/out")
    stack.finished(job["id"])

    rows = list(sluice.results(job["id"]))

    assert len(rows) == len(names)
    assert all(any(name in json.dumps(row, ensure_ascii=False) for row in rows) for name in names)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_job_that_succeeded_stays_as_it_is(
    stack: Stack, client: httpx.Client, session: iRODSSession, place: str, action: str
) -> None:
    """To cancel or to retry it is refused."""
    write(session, f"{place}/in", TEXT)
    job = stack.done(**request_for(place))

    answer = client.post(f"/api/v1/jobs/{job['id']}/{action}")

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
    assert client.get(f"/api/v1/jobs/{job['id']}").json() == job


def test_a_failed_job_can_be_retried(stack: Stack, client: httpx.Client, session: iRODSSession, place: str) -> None:
    """It is queued again under its id, and fails again for the same reason."""
    write(session, f"{place}/in", b"not compressed at all")
    request = {"operation": "decompress", "source": f"{place}/in", "target": f"{place}/out"}
    job = stack.finished(stack.submitted(**request)["id"])
    assert job["state"] == "failed"

    answer = client.post(f"/api/v1/jobs/{job['id']}/retry")

    assert answer.status_code == 200
    assert answer.json()["state"] == "queued"
    again = stack.finished(job["id"])
    assert (again["state"], again["attempt"]) == ("failed", 2)


def test_cancel_ends_a_job(stack: Stack, client: httpx.Client, session: iRODSSession, place: str) -> None:
    """A job that had no time to finish is cancelled, and leaves nothing under the target's name."""
    write(session, f"{place}/in", os.urandom(1 << 20) * 48)
    job = stack.submitted(**request_for(place), level=19)

    answer = client.post(f"/api/v1/jobs/{job['id']}/cancel")

    assert answer.status_code == 200
    assert stack.finished(job["id"])["state"] == "cancelled"
    assert not session.data_objects.exists(f"{place}/in-out")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/results"), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")],
)
def test_nobody_reaches_the_job_of_another(
    stack: Stack, session: iRODSSession, place: str, method: str, path: str
) -> None:
    """For bob alice's job does not exist, whatever he asks."""
    write(session, f"{place}/in", TEXT)
    job = stack.done(**request_for(place))

    with stack.rest(stack.bob) as other:
        answer = other.request(method, f"/api/v1/jobs/{job['id']}{path}")
        listed = other.get("/api/v1/jobs", params={"limit": 100}).json()["jobs"]

    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert job["id"] not in {row["id"] for row in listed}


def test_the_methods_are_the_zones(client: httpx.Client) -> None:
    """Operations, compressions and encryptions by name."""
    answer = client.get("/api/v1/methods")

    assert answer.status_code == 200
    assert {"operations", "compressions", "encryptions"} <= set(answer.json())


def test_requests_at_the_same_time_become_as_many_jobs(stack: Stack, session: iRODSSession, place: str) -> None:
    """Eight submits at once: eight ids, all of them end."""
    for number in range(8):
        write(session, f"{place}/{number}", TEXT)

    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda number: stack.submitted(**request_for(place, str(number))), range(8)))

    assert len({job["id"] for job in jobs}) == 8
    assert {stack.finished(job["id"])["state"] for job in jobs} == {"succeeded"}


def test_the_client_tells_what_the_service_said(sluice: SluiceClient) -> None:
    """Code, field and remedy arrive as attributes."""
    with pytest.raises(SluiceError) as caught:
        sluice.submit("compress", "/nowhere/../x")

    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "bad_path", "source")
    assert caught.value.remedy
    with pytest.raises(SluiceError, match="no such job"):
        sluice.job(str(uuid.uuid4()))


def run(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """The command ``sluice`` as alice."""
    own = {"SLUICE_URL": stack.url, "SLUICE_USER": stack.alice.name, "SLUICE_PASSWORD": stack.alice.password}
    command = [sys.executable, "-m", "api_shim.client", *words]
    return subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_submits_watches_and_lists(stack: Stack, session: iRODSSession, place: str) -> None:
    """``sluice --json submit -w`` prints the job when it has succeeded; ``show`` and ``ls`` know it."""
    write(session, f"{place}/in", TEXT)

    done = run(stack, "--json", "submit", "compress", f"{place}/in", f"{place}/out", "-w")

    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    assert "succeeded" in run(stack, "show", job["id"]).stdout
    assert job["id"] in {row["id"] for row in json.loads(run(stack, "--json", "ls").stdout)}


def test_the_command_fails_with_a_sentence(stack: Stack, place: str) -> None:
    """Exit status 1, the field and the remedy on standard error, no traceback."""
    failed = run(stack, "submit", "compress", f"{place}/missing")

    assert failed.returncode == 1
    assert "source" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_the_list_can_be_narrowed_by_path_user_and_time(
    stack: Stack, client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """Below a collection, of a user, between two times; somebody else's jobs are not there."""
    write(session, f"{place}/in", TEXT)
    job = stack.done(**request_for(place))

    def ids(who: httpx.Client = client, **wanted: str) -> set[str]:
        answer = who.get("/api/v1/jobs", params={**wanted, "limit": "100"})
        assert answer.status_code == 200, answer.text
        return {row["id"] for row in answer.json()["jobs"]}

    assert ids(path=place) == {job["id"]}
    assert ids(path=f"{place}/elsewhere") == set()
    assert job["id"] in ids(user=stack.alice.qualified)
    assert job["id"] in ids(since=job["submitted"])
    assert job["id"] not in ids(until=job["submitted"])
    assert client.get("/api/v1/jobs", params={"since": "yesterday"}).json()["field"] == "since"
    with stack.rest(stack.bob) as other:
        assert other.get("/api/v1/jobs", params={"user": stack.alice.qualified}).json().get("jobs", []) == []


def test_a_plan_creates_nothing(stack: Stack, sluice: SluiceClient, session: iRODSSession, place: str) -> None:
    """The dry run tells; no job and no target are there afterwards."""
    write(session, f"{place}/in", TEXT)

    assert sluice.plan("compress", f"{place}/in", target=f"{place}/out")
    assert list(sluice.jobs(path=place)) == []
    assert not session.data_objects.exists(f"{place}/out")


def test_a_policy_is_set_shown_and_taken_away(client: httpx.Client, place: str) -> None:
    """PUT, GET, DELETE on a collection of one's own."""
    policy = {"operation": "compress"}

    put = client.put("/api/v1/policies", params={"path": place}, json=policy)
    shown = client.get("/api/v1/policies", params={"path": place})
    dropped = client.delete("/api/v1/policies", params={"path": place})

    assert (put.status_code, shown.status_code, dropped.status_code) == (200, 200, 200), put.text
    assert "compress" in shown.text
    assert "compress" not in client.get("/api/v1/policies", params={"path": place}).text


def test_the_systems_are_the_zone_and_those_of_the_settings(client: httpx.Client, stack: Stack) -> None:
    """The zone itself is one, whose paths begin at its root; a zone that exists may have others."""
    zone = stack.site.zone

    told = client.get("/api/v1/systems").json()["systems"]

    assert [(one["name"], one["collection"]) for one in told if "collection" in one] == [(zone, f"/{zone}")]


def test_one_request_that_comes_several_times_at_once_makes_one_job(
    stack: Stack, session: iRODSSession, place: str
) -> None:
    """A queue may deliver a message twice at the same moment: every submit of an id answers with its one job."""
    write(session, f"{place}/in", TEXT)
    job_id = str(uuid.uuid4())
    request = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out", "id": job_id}

    def submit(_: int) -> dict[str, Any]:
        with stack.alice.session() as own:
            return rulecall.call(own, "sluice_submit", json.dumps(request))

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(submit, range(3)))

    assert [answer.get("ok", answer)["id"] for answer in answers] == [job_id] * 3, answers
    assert stack.finished(job_id)["attempt"] == 1


def test_only_administrators_pause_the_service(stack: Stack, client: httpx.Client, place: str) -> None:
    """Alice is refused; an administrator pauses and resumes; everybody sees whether the jobs are paused and why."""
    refused = client.post("/api/v1/service/pause", json={"reason": "mine"})
    with stack.site.admin() as rods:
        name = f"admin-{uuid.uuid4().hex[:6]}"
        rods.users.create(name, "rodsadmin")
        rods.users.modify(name, "password", "an admin's password")
    try:
        with httpx.Client(base_url=stack.url, auth=(name, "an admin's password"), timeout=60) as admin:
            paused = admin.post("/api/v1/service/pause", json={"reason": "a new disk"})
            seen = client.get("/api/v1/service").json()["paused"]
            resumed = admin.post("/api/v1/service/resume")
    finally:
        with stack.site.admin() as rods:
            rods.users.remove(name)

    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    assert paused.status_code == 200, paused.text
    assert seen == paused.json()["paused"]
    assert "a new disk" in seen
    assert (resumed.status_code, client.get("/api/v1/service").json()) == (200, {"paused": None})
