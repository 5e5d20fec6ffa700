"""The playbooks on this machine: first run, second run, a change, upgrades, uninstall. In this order.

RabbitMQ, PostgreSQL and nginx come from Debian's packages; an embedded zone's folder stands for ``/etc/irods``.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.ansible.deployment import ACCOUNT, ANSIBLE, Deployment, Recap
from tests.e2e.conftest import Stack, read, write
from tests.e2e.test_rest_tus import begun, sent
from tests.stack.site import ExistingSite
from tests.stack.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
KEY = "demo"


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    if os.geteuid() != 0:
        pytest.fail("run as root: the playbooks install packages and make users")
    made = Deployment()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def first(deployment: Deployment) -> Recap:
    """The first run, with everything said aloud; before it, what it would do."""
    promised = deployment.done("site.yml", "--check", "--diff")
    assert not deployment.files()
    done = deployment.done("site.yml", "--diff", "-vvv")
    assert set(promised.changes) == set(done.changes)
    return done


@pytest.fixture(scope="module")
def stack(deployment: Deployment, first: Recap) -> Iterator[Stack]:
    """Two users of the zone, and the HTTP service as they reach it: through nginx, with TLS."""
    keys = [str(deployment.prefix / "opt/sluice/zone/current/venv/bin/sluice-keys")]
    keys += ["--config", str(deployment.zone.etc / "sluice.json")]
    for words in (["create", KEY], ["grant", KEY, "public#tempZone", "seal", "open"]):
        subprocess.run(["runuser", "-u", ACCOUNT, "--", *keys, *words], check=True, cwd="/")
    # a copy: the end of the tests needs it too, after uninstall
    account = shutil.copytree(deployment.prefix / "etc/sluice/irods/api_shim", deployment.home / "account")
    site = ExistingSite(account / "irods_environment.json", KEY)
    alice, bob = site.make_user("alice"), site.make_user("bob")
    trust = ssl.create_default_context(cafile=str(deployment.certificate))
    try:
        yield Secure(site, deployment.url, alice, bob, trust)
    finally:
        site.close()


class Secure(Stack):
    """A stack whose clients trust the proxy's certificate and nothing else."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given[:4])  # type: ignore[arg-type]
        self._trust = given[4]

    def rest(self, account: object = None) -> httpx.Client:
        client = super().rest(account)  # type: ignore[arg-type]
        return httpx.Client(base_url=self.url, auth=client.auth, timeout=60.0, verify=self._trust)  # type: ignore[arg-type]


def test_a_sealed_object_comes_back_through_nginx(stack: Stack) -> None:
    """compress_encrypt and decrypt_decompress over https, through RabbitMQ and PostgreSQL."""
    text = b"Through nginx, with TLS.\n" * 20_000
    with stack.alice.session() as session:
        source = write(session, f"{stack.alice.home}/in", text)
        stack.done(operation="compress_encrypt", source=source, target=f"{source}.sealed", key=KEY)
        stack.done(operation="decrypt_decompress", source=f"{source}.sealed", target=f"{source}.back")
        assert read(session, f"{source}.back") == text


def test_the_proxy_keeps_its_limits(stack: Stack, deployment: Deployment) -> None:
    """413 for a body that is too large; no answer over a certificate that the client does not trust."""
    with stack.rest() as client:
        assert client.post("/api/v1/jobs", content=b"x" * 2_000_000).status_code == 413
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{deployment.url}/health")


def test_pieces_of_uploads_pass_the_proxy(stack: Stack) -> None:
    """They may be larger than any other request, at each door that takes them; the shim's own answer comes back."""
    piece = b"x" * 2_000_000
    doors = yaml.safe_load((ANSIBLE / "roles/proxy/defaults/main.yml").read_text())["proxy_upload_paths"]
    with stack.rest() as client:
        address = begun(client, f"{stack.alice.home}/uploaded", len(piece))
        assert sent(client, address, 0, piece).status_code == 204
        for door in doors:
            assert sent(client, f"{door}/none", 0, piece).status_code == 404, door
    with stack.alice.session() as session:
        assert read(session, f"{stack.alice.home}/uploaded") == piece


def test_a_second_run_changes_nothing(deployment: Deployment, first: Recap) -> None:
    before = deployment.running()
    for options in ((), ("--check", "--diff")):
        again = deployment.done("site.yml", *options)
        assert (again.changed, again.changes) == (0, [])
    assert deployment.running() == before


def test_an_upgrade_keeps_what_runs(deployment: Deployment, first: Recap, stack: Stack) -> None:
    """A job goes on under the release it began with; broker, database and proxy are not touched; and back again."""
    newer = deployment.sources("newer")
    (newer / "python_rules/__init__.py").open("a").write("# newer\n")
    before = deployment.running()
    with stack.alice.session() as session:
        source = write(session, f"{stack.alice.home}/large", os.urandom(256 << 20))
    job = stack.submitted(operation="compress_encrypt", source=source, target=f"{source}.sealed", key=KEY)
    with _slowed(stack, job["id"]):
        assert deployment.play("uninstall.yml").status != 0  # it refuses while a job is active
        assert deployment.running() == before
        promised = deployment.done("site.yml", "--check", "--diff", sluice_tree=str(newer))
        upgraded = deployment.done("site.yml", "--diff", sluice_tree=str(newer))
        assert set(promised.changes) == set(upgraded.changes)
        assert _restarted(before, deployment.running()) == {"workers", "api_shim"}
    ended = stack.finished(job["id"])
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)

    deployment.done("site.yml")
    services = {name: state["service"] for name, state in deployment.running().items()}
    assert services == {name: state["service"] for name, state in before.items()}


def test_a_changed_setting_restarts_what_reads_it(deployment: Deployment, first: Recap) -> None:
    before = deployment.running()
    deployment.done("site.yml", "--tags", "workers,api_shim", workers_threads=4)
    assert _restarted(before, deployment.running()) == {"workers"}
    assert deployment.done("site.yml", "--tags", "workers,api_shim").changed > 0


def test_a_failed_upgrade_is_taken_back(deployment: Deployment, first: Recap, stack: Stack) -> None:
    """A release that starts and does not work: what ran before runs again, and the next run changes nothing."""
    broken = deployment.sources("broken")
    main = broken / "api_shim" / "main.py"
    main.write_text(main.read_text().replace("    server.run()\n", "    raise SystemExit(1)\n"))
    before = deployment.running()["api_shim"]["service"]

    failed = deployment.play("site.yml", "--tags", "api_shim", sluice_tree=str(broken), api_shim_healthy_seconds=10)

    assert failed.status != 0
    assert "What ran before runs again" in failed.output
    assert deployment.running()["api_shim"]["service"] == before
    assert deployment.done("site.yml", "--tags", "api_shim").changes == []
    with stack.rest() as client:
        assert client.get("/ready").status_code == 200


def test_no_secret_was_shown(deployment: Deployment, first: Recap) -> None:
    """In nothing that any run has printed so far, -vvv and --diff included; and in no file that others may read."""
    assert "(secret)" in deployment.transcript or "********" in deployment.transcript
    secrets = deployment.canaries.values()
    assert [secret for secret in secrets if secret in deployment.transcript] == []
    any_secret = re.compile("|".join(secrets).encode())
    for path in filter(Path.is_file, deployment.prefix.rglob("*")):
        if path.stat().st_mode & 0o004:
            assert not any_secret.search(path.read_bytes()), path


def test_uninstall_leaves_data_keys_and_ledger(deployment: Deployment, first: Recap) -> None:
    """Nothing runs, nothing is left but the folders that hold data; then nothing at all."""
    promised = deployment.done("uninstall.yml", "--check", "--diff")
    gone = deployment.done("uninstall.yml")
    assert set(promised.changes) <= set(gone.changes)
    kept = {"var", "var/lib", "var/lib/sluice-broker", "var/lib/sluice-database"}
    assert {path for path in deployment.files() if path.count("/") < 3} == kept
    assert {path.name.partition(".")[0] for path in deployment.private.iterdir()} == {"keyring", "master"}
    assert "Sluice" not in (deployment.zone.etc / "core.py").read_text()
    assert not (deployment.zone.etc / "python_rules").is_symlink()
    assert not _processes(str(deployment.prefix))
    assert not subprocess.run(["id", deployment.user], capture_output=True).stdout
    assert deployment.done("uninstall.yml").changes == []

    deployment.done("uninstall.yml", sluice_remove_data=True)
    assert deployment.files() == set()


def _restarted(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name in after if after[name]["pid"] != before[name]["pid"]}


@contextmanager
def _slowed(stack: Stack, job_id: str) -> Iterator[None]:
    """A running job whose engine hardly gets on meanwhile, and yet answers before any connection's patience ends."""

    def works() -> int | None:
        with stack.rest() as client:
            state = client.get(f"/api/v1/jobs/{job_id}").json()["state"]
        return next(iter(_processes(job_id)), None) if state == "running" else None

    def brake() -> None:
        with suppress(ProcessLookupError):
            while not released.is_set():
                os.kill(engine, signal.SIGSTOP)
                released.wait(40)
                os.kill(engine, signal.SIGCONT)
                released.wait(0.01)

    engine, released = until(works, "the engine to work"), threading.Event()
    braking = threading.Thread(target=brake)
    braking.start()
    try:
        yield
        assert _processes(job_id) == [engine]
    finally:
        released.set()
        braking.join()


def _processes(word: str) -> list[int]:
    """Processes whose command line has this in it; a zombie has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
