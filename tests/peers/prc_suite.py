"""Run python-irodsclient's own suite (``irods.test``, installed with the package) against an embedded zone.

    python -m tests.peers.prc_suite                 # all of it, 10 minutes; writes docs/peers/python-irodsclient.md
    python -m tests.peers.prc_suite meta ticket     # some files, nothing is written
    python -m tests.peers.prc_suite meta_test.TestMeta.test_get_obj_meta

The suite is not patched, and no test of it is deselected. The set-up is what it asks for: an administrator ``rods``
of ``tempZone`` in ``~/.irods``, the host called ``localhost``, no default resource in the environment, the native
rule engine first. Zone and suite run as an ordinary Unix user, because a test needs a vault that it may not write.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import irods
import irods.test

from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.server.embedding import EmbeddedZone

ROOT = Path(__file__).resolve().parents[2]
FILE_SECONDS = 900
NOBODY = 65534  # the Unix user for root, who could write everywhere


@dataclass
class Outcome:
    """What became of one test; ``reason`` tells why it failed or was skipped."""

    test: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class FileResult:
    """The results of one file of the suite, in the order of its tests."""

    name: str
    seconds: float = 0.0
    tests: list[Outcome] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(test.outcome == outcome for test in self.tests)


def suite_files() -> list[str]:
    """The files that the suite's own runner discovers, by name without ``_test.py``."""
    folder = Path(irods.test.__file__).parent
    return sorted(path.name.removesuffix("_test.py") for path in folder.glob("*_test.py") if _discovered(path))


def _discovered(path: Path) -> bool:
    # This one is a part of a suite that its authors start by hand, with a PAM stack.
    return path.name != "pam_interactive_test.py"


@dataclass
class SuiteRun:
    """What a run gave: results by file, and with ``trace`` the APIs that were asked for."""

    files: list[FileResult]
    apis: set[str]


VISIBLE_ROOT = Path("/tmp/tree")  # where this tree is seen by a run as another user


def run(names: list[str], *, trace: bool = False) -> SuiteRun:
    """Run files (``meta``) or tests (``meta_test.TestMeta.test_x``); as another Unix user when this one is root."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="prc-suite-", dir="/var/tmp" if root else None) as folder:
        output = Path(folder) / "results.json"
        # a copy, because a test of the suite writes beside itself
        shutil.copytree(Path(irods.__file__).parent, Path(folder) / "packages" / "irods")
        python = _interpreter() if root else sys.executable
        command = [python, "-m", "tests.peers.prc_suite", "--inside", folder, *(["--trace"] if trace else []), *names]
        if root:
            command = [*_as_nobody(Path(folder)), *command]
        subprocess.run(command, cwd=ROOT, check=True, env=_environment(Path(folder)))
        values = json.loads(output.read_text(encoding="utf-8"))
        return SuiteRun([_result(entry) for entry in values["files"]], set(values["apis"]))


# This tree is bound into the new /tmp: it may lie in the old one, or where only root may look.
_OWN_TMP = """
private=$0 tree=$1 seen=$2; shift 2
mkdir "$private/${seen#/tmp/}"
mount --bind "$tree" "$private/${seen#/tmp/}"
mount --rbind "$private" /tmp
cd "$seen"
exec "$@"
"""


def _as_nobody(folder: Path) -> list[str]:
    """A command that runs another as ``nobody``, with a /tmp of its own.

    The suite makes vaults of fixed names in /tmp: what another user's run left there would make it fail.
    """
    private = folder / "tmp"
    private.mkdir()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False).returncode:
        return drop  # a container without that right
    return [*unshare, "sh", "-ec", _OWN_TMP, str(private), str(ROOT), str(VISIBLE_ROOT), *drop]


def _interpreter() -> str:
    """A Python of this version that an ordinary user may run: root's own may lie below root's home."""
    name = f"python3.{sys.version_info.minor}"
    others = (Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep))
    for candidate in (Path(sys.executable), *others):
        if candidate.exists() and _open_to_all(candidate.resolve()):
            return str(candidate.resolve())  # a virtual environment may be out of sight; its packages are named
    raise FileNotFoundError(f"no {name} on PATH that an ordinary user may run; run the suite as one, not as root")


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _environment(home: Path) -> dict[str, str]:
    """A new user's environment: nothing of IRODS_* or of the caller's own zone."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "PRC_SUITE_DEBUG") if key in os.environ}
    site = Path(irods.__file__).parents[1]
    packages = [home / "packages", VISIBLE_ROOT, ROOT]
    packages += [VISIBLE_ROOT / site.relative_to(ROOT)] if site.is_relative_to(ROOT) else []
    path = os.pathsep.join(map(str, [*packages, site]))
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _result(entry: dict[str, object]) -> FileResult:
    tests = entry["tests"]
    assert isinstance(tests, dict)
    return FileResult(str(entry["name"]), float(str(entry["seconds"])), [Outcome(k, **v) for k, v in tests.items()])


def run_inside(folder: Path, names: list[str], trace: bool) -> None:
    """The part that runs as the ordinary user: a zone, then one process for each file."""
    engines = [NATIVE_ENGINE, PYTHON_ENGINE]
    with EmbeddedZone(folder / "zone", rule_engines=engines, trace=trace) as zone:
        _client_environment(zone, folder / ".irods")
        files = [_run_file(name, tests, folder) for name, tests in _by_file(names)]
    apis = _apis(zone.config.log / "trace.jsonl") if trace else []
    (folder / "results.json").write_text(json.dumps({"files": files, "apis": apis}), encoding="utf-8")


def _apis(trace: Path) -> list[str]:
    """The APIs in a zone's trace of hooks."""
    asked = re.findall(r'"pep_api_(\w+)_pre"', trace.read_text(encoding="utf-8"))
    return sorted(set(asked))


def _client_environment(zone: EmbeddedZone, target: Path) -> None:
    target.mkdir(mode=0o700)
    values = json.loads(zone.environment_file.read_text(encoding="utf-8"))
    del values["irods_default_resource"]  # with it 'open' names a resource, and a test reads the stale replica there
    values["irods_host"] = "localhost"  # what makes the suite run its tests of local files
    (target / "irods_environment.json").write_text(json.dumps(values), encoding="utf-8")
    secret = target / ".irodsA"
    secret.write_bytes(zone.environment_file.with_name(".irodsA").read_bytes())
    secret.chmod(0o600)


def _by_file(names: list[str]) -> list[tuple[str, list[str]]]:
    """Group ``meta`` and ``meta_test.Class.test`` by file, in the order given."""
    grouped: dict[str, list[str]] = {}
    for name in names or suite_files():
        file = name.split(".")[0].removesuffix("_test")
        grouped.setdefault(file, []).append(name if "." in name else f"{name}_test")
    return list(grouped.items())


def _run_file(name: str, tests: list[str], folder: Path) -> dict[str, object]:
    output = folder / f"{name}.json"
    command = [sys.executable, "-m", "tests.peers.prc_child", str(output), *(f"irods.test.{test}" for test in tests)]
    with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
        errors = None if "PRC_SUITE_DEBUG" in os.environ else log
        subprocess.run(command, cwd=folder, stdout=log, stderr=errors, timeout=FILE_SECONDS, check=True)
    return {"name": name, **json.loads(output.read_text(encoding="utf-8"))}


def main(arguments: list[str] | None = None) -> int:
    """Run the suite; the page is written when all of it ran."""
    from tests.peers.prc_page import PAGE, page

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="files or tests; all when none is given")
    options = parser.parse_args(arguments)
    if options.inside:
        run_inside(options.inside, options.names, options.trace)
        return 0
    results = run(options.names).files
    for result in results:
        print(_summary(result))
    print(f"{sum(result.count('passed') for result in results)} of {sum(len(r.tests) for r in results)} passed")
    if not options.names:
        PAGE.write_text(page(results), encoding="utf-8")
        print(f"written: {PAGE}")
    return 0


def _summary(result: FileResult) -> str:
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in ("passed", "failed", "skipped"))
    failed = "".join(f"\n    {test.test}: {test.reason}" for test in result.tests if test.outcome == "failed")
    return f"{result.name}: {counts} ({result.seconds:.0f} s){failed}"


if __name__ == "__main__":
    sys.exit(main())
