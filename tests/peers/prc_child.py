"""Run test modules of python-irodsclient's suite in this process and write what became of each test.

Started by ``prc_suite`` once per file, so that no file's leftovers reach the next one.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import unittest
from pathlib import Path
from types import TracebackType
from typing import Any

# What differs from run to run in an exception's text, so that two runs print the same page.
_VOLATILE = (
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T][\d:.+]+"), "<time>"),
    (re.compile(r"\b[0-9A-Fa-f]{8,}\b"), "<id>"),
    (re.compile(r"/tmp/[\w./-]+"), "<temporary path>"),
)

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Recorder(unittest.TestResult):
    """Keeps (test, outcome, reason, seconds); a test with subtests fails with the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self._started = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._started = time.monotonic()
        print(f"{test.id()} …", end=" ", file=sys.stderr, flush=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        row = self.rows.setdefault(test.id(), {"outcome": "passed", "reason": ""})
        row["seconds"] = round(time.monotonic() - self._started, 2)
        print(row["outcome"], row["reason"], f"({row['seconds']} s)", file=sys.stderr, flush=True)

    def addFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test: unittest.TestCase, err: ErrorInfo) -> None:
        super().addError(test, err)
        self._failed(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: ErrorInfo | None) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._keep(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:
        super().addExpectedFailure(test, err)
        self._keep(test, "passed", "")

    def _failed(self, test: unittest.TestCase, err: ErrorInfo) -> None:
        kind = err[0].__name__ if err[0] else "unknown"
        text = str(err[1]).strip().splitlines()
        self._keep(test, "failed", f"{kind}: {text[0]}" if text else kind)
        self._print(test, err)

    def _print(self, test: unittest.TestCase, err: ErrorInfo) -> None:
        lines = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]  # the traceback, as unittest prints it
        print(f"\n{lines}", file=sys.stderr, flush=True)

    def _keep(self, test: unittest.TestCase, outcome: str, reason: str) -> None:
        self.rows.setdefault(test.id(), {"outcome": outcome, "reason": _steady(reason)})


def _steady(reason: str) -> str:
    for pattern, replacement in _VOLATILE:
        reason = pattern.sub(replacement, reason)
    return reason[:160]


def main(arguments: list[str]) -> int:
    """``OUTPUT NAME...``: run the named modules or tests, write JSON to OUTPUT."""
    # A runner in the background of a shell ignores SIGINT; the suite has tests that send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output, names = Path(arguments[0]), arguments[1:]
    recorder = Recorder()
    started = time.monotonic()
    unittest.defaultTestLoader.loadTestsFromNames(names).run(recorder)
    seconds = round(time.monotonic() - started, 1)
    output.write_text(json.dumps({"seconds": seconds, "tests": recorder.rows}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
