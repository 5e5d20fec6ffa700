"""SoftHSM from Debian's package: a PKCS#11 token in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


def made(home: Path, label: str, pin: str, conf: Path) -> dict[str, str]:
    """A new token; the keys.* settings that name it.

    Its library finds ``conf`` once in each process: by SOFTHSM2_CONF, or below HOME as .config/softhsm2/softhsm2.conf.
    """
    module = next((path for path in MODULES if os.path.exists(path)), None)
    if module is None or shutil.which("softhsm2-util") is None:
        raise RuntimeError("SoftHSM is not installed: sh tests/install-debian-packages.sh")
    conf.parent.mkdir(parents=True, exist_ok=True)
    (home / "tokens").mkdir(parents=True)
    conf.write_text(f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    words = ["--init-token", "--free", "--label", label, "--so-pin", "1234", "--pin", pin]
    environment = {**os.environ, "SOFTHSM2_CONF": str(conf)}
    subprocess.run(["softhsm2-util", *words], check=True, capture_output=True, env=environment)
    return {"pkcs11_module": module, "pkcs11_token": label}
