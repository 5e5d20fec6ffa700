"""What the deployment's proxy lets through, and what the shim takes."""

from __future__ import annotations

from pathlib import Path

import yaml
from flask import Flask

PROXY = Path(__file__).resolve().parents[3] / "ansible/roles/proxy/defaults/main.yml"


def test_large_requests_pass_where_uploads_go_and_nowhere_else(app: Flask) -> None:
    ends = "/<upload_id>"
    doors = {str(rule).removesuffix(ends) for rule in app.url_map.iter_rules() if str(rule).endswith(ends)}
    assert sorted(yaml.safe_load(PROXY.read_text())["proxy_upload_paths"]) == sorted(doors)
