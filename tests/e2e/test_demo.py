"""The demo is the first thing that anybody runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def embedded_only() -> None:
    if os.environ.get("SLUICE_TEST_ZONE"):
        pytest.skip("the demo brings its own zone")


def start(home: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.stack.demo", "--home", str(home), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes_of(home: Path) -> Iterator[str]:
    """Command lines of living processes that work in ``home``."""
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            continue
        if str(home) in line:
            yield line


def test_the_demo_compares_equal_and_says_so(embedded_only: None, tmp_path: Path) -> None:
    """A small dataset goes there and back; the exit status is 0 and the table names both jobs."""
    done = start(tmp_path / "demo", "--files", "15", "--large-mib", "4")

    output, _ = done.communicate(timeout=300)

    assert done.returncode == 0, output
    assert "all 16 files compare equal" in output
    assert "compress_encrypt" in output
    assert not list(processes_of(tmp_path))


@pytest.mark.long
def test_ctrl_c_leaves_no_process_behind(embedded_only: None, tmp_path: Path) -> None:
    """Interrupted in the middle of a job, the demo ends with 130, and so does everything that it started."""
    home = tmp_path / "demo"
    demo = start(home, "--files", "200", "--large-mib", "64")
    lines = iter(demo.stdout or ())
    assert any(line.startswith("put ") for line in lines)
    until(lambda: next((line for line in processes_of(home) if "python_rules.engine run" in line), None), "an engine")

    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)

    assert demo.returncode == 130
    until(lambda: True if not list(processes_of(home)) else None, "the end of all processes", 60)
