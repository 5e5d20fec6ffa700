"""Key objects, and the process that handles them."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import traceback

import pytest

from python_rules.engine.keys.key import Key, Secret, wipe

SECRET = bytes(range(32))


def test_a_secret_is_shown_by_nothing() -> None:
    """Not by repr, str, format or a log line, nor inside a container or a traceback."""
    key = Key("k", 1, SECRET)
    shown = [f"{thing!r} {thing} {[thing]}" for thing in (key, key.secret)]
    with pytest.raises(TypeError) as caught:
        int(key.secret, key)  # type: ignore[call-overload]
    shown.append("".join(traceback.format_exception(caught.value)))
    assert not any(text in line for line in shown for text in (SECRET.hex(), repr(SECRET)[2:-1], "\\x01"))


def test_a_secret_is_zeroed_when_nobody_holds_it() -> None:
    """And not a moment before: a cipher that holds the buffer never sees zeros."""
    seen: list[bytes] = []

    class Watched(Secret):
        def __del__(self) -> None:
            super().__del__()
            seen.append(bytes(self))

    secret = Watched(SECRET)
    key = Key("k", 1, b"")
    key._secret = secret
    del key
    gc.collect()
    assert secret == SECRET
    del secret
    gc.collect()
    assert seen == [bytes(32)]


def test_a_buffer_is_wiped_in_place() -> None:
    """The same object, zeros in it."""
    buffer = bytearray(SECRET)
    view = memoryview(buffer)
    wipe(buffer)
    assert bytes(view) == bytes(32)


def test_a_hardened_process_leaves_no_core() -> None:
    """Its core limit is 0, and the kernel will not dump it nor let its own user trace it."""
    program = (
        "import ctypes, resource; from python_rules.engine.keys.memory import harden; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]


def test_the_engine_hardens_itself_first(tmp_path: object) -> None:
    """Before it reads its settings: it fails on a missing file, hardened."""
    from python_rules.engine import __main__ as engine

    child = os.fork()
    if child == 0:  # what it does to itself stays with the child
        status = 9
        try:
            engine.main(["ledger", "--config", "/nowhere"])
            status = resource.getrlimit(resource.RLIMIT_CORE)[0]
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_wrong_file_to_import_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """The error about a secret that is none names the file, not what is in it."""
    from python_rules.engine.key_command import main

    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"canary-{os.getpid()}")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write("canary, not base64!")
    try:
        assert main(["--config", "/nowhere", "import", "k", path]) == 1
    finally:
        os.unlink(path)
    assert "canary, not" not in capsys.readouterr().err
