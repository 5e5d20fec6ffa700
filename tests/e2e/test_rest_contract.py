"""schemathesis against the running service: no 5xx, no answer that the description does not have.

It makes requests from /openapi.json, good ones and bad ones, follows ids from one answer into the next request, and
checks each answer against the same description.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack

# A request of good form may still be refused: whether a level goes with a compression is not a matter of the schema.
NOT_CHECKED = "positive_data_acceptance"

JOBS = "^/(api/v1/(jobs|methods|systems)|health|ready)"
# Routes that ask the zone for no rule, or refuse before: many requests in few seconds.
QUICK = "^/(api/v1/(service$|chains|systems|data)|health)"


def checked(stack: Stack, place: Path, examples: int, *more: str) -> str:
    """The report of schemathesis, run in ``place`` as alice; raises AssertionError with it if anything was wrong."""
    program = str(Path(sys.executable).with_name("schemathesis"))
    options = ["--max-examples", str(examples), "--exclude-checks", NOT_CHECKED, "--seed", "7", "--no-color"]
    limits = ["--request-timeout", "60", "--workers", "2", "--generation-database", "none", "--continue-on-failure"]
    login = ["--auth", f"{stack.alice.name}:{stack.alice.password}", "--header", "Prefer: wait=1"]
    command = [program, "run", f"{stack.url}/openapi.json", *options, *limits, *login, *more]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout


def test_some_answers_are_described(stack: Stack, tmp_path: Path) -> None:
    """Those that cost the zone little."""
    assert "passed" in checked(stack, tmp_path, 5, "--include-path-regex", QUICK, "--phases", "examples,fuzzing")


@pytest.mark.long
def test_every_answer_about_jobs_is_described(stack: Stack, tmp_path: Path) -> None:
    """The routes of jobs, with the edges of every schema and some values at random."""
    assert "passed" in checked(stack, tmp_path, 3, "--include-path-regex", JOBS, "--phases", "coverage,fuzzing")


@pytest.mark.long
def test_every_answer_is_described_at_length(stack: Stack, tmp_path: Path) -> None:
    """Every route, with many more values; most of them start a process in the zone."""
    assert "passed" in checked(stack, tmp_path, 30)
