"""A key and a certificate that it signed itself, for trying.

    self_signed.py FOLDER GROUP NAME...

The names are those (or the addresses) that clients use. tls.key and tls.crt appear whole, readable by the group.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DAYS = "3650"


def main(arguments: list[str]) -> int:
    """Make both, and let the group read them."""
    folder, group, *names = arguments
    make(Path(folder), names, group)
    return 0


def make(folder: Path, names: list[str], group: str = "") -> None:
    """Both beside their place first; the certificate, which says that all is done, takes its place last."""
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        key, certificate = Path(beside, "tls.key"), Path(beside, "tls.crt")
        subject = ["-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={','.join(map(_alternative, names))}"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        places = ["-keyout", str(key), "-out", str(certificate)]
        command = ["openssl", "req", "-x509", *curve, "-days", DAYS, *subject, *places]
        subprocess.run(command, check=True, stderr=subprocess.PIPE)
        for path in (key, certificate):
            if group:
                shutil.chown(path, "root", group)
            path.chmod(0o640)
            os.replace(path, folder / path.name)


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
