"""``sluice-shim``: serves the application with waitress."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

import waitress

from api_shim.app import create_app
from python_rules.jobs.errors import JobError
from workers import logs, metrics
from workers.settings import Settings, load

# Larger bodies than Flask takes are refused by Flask, with a problem document; waitress only guards the disk.
_WAITRESS_FACTOR = 8
# What waits longer than that for a free connection waits in the kernel; waitress's own 100 let the 101st client starve.
_CONNECTIONS = 2000


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM (answers what was asked); exit status 2 for wrong settings or a port that is taken."""
    options = _parser().parse_args(arguments)
    logs.set_up(options.log_level)
    try:
        settings = load(options.config)
        server = _server(settings, options)
    except (JobError, OSError) as error:
        print(f"sluice-shim: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    metrics.serve(settings.http.metrics_port, server.effective_host)
    if options.port_file:
        _write_port(Path(options.port_file), server.effective_port)
    print(f"listening on http://{server.effective_host}:{server.effective_port}", file=sys.stderr, flush=True)
    server.run()
    return 0


def _server(settings: Settings, options: argparse.Namespace) -> Any:
    return waitress.create_server(
        create_app(settings),
        host=options.address or settings.http.address,
        port=settings.http.port if options.port is None else options.port,
        threads=settings.http.threads,
        max_request_body_size=max(settings.http.body_limit, settings.http.chunk_limit) * _WAITRESS_FACTOR,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,  # select() ends at 1,024 descriptors
        ident="",
        clear_untrusted_proxy_headers=True,
        **_proxy(settings),
    )


def _proxy(settings: Settings) -> dict[str, Any]:
    """waitress believes X-Forwarded-For only from the configured proxy."""
    proxy = settings.http.trusted_proxy
    return {"trusted_proxy": proxy, "trusted_proxy_headers": {"x-forwarded-for"}} if proxy else {}


def _write_port(path: Path, port: int) -> None:
    """The file appears whole: who waits for it may read it at once."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(f"{port}\n", encoding="ascii")
    beside.replace(path)


def _stop(*_: object) -> None:
    raise SystemExit(0)  # waitress's loop ends on it and lets its threads finish


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sluice-shim", description="Sluice's HTTP service.")
    parser.add_argument("--config", required=True, metavar="shim.json", help="the settings file")
    parser.add_argument("--address", help="address to listen on, instead of the setting")
    parser.add_argument("--port", type=int, help="port to listen on, instead of the setting; 0: any free one")
    parser.add_argument("--port-file", help="file to write the port to once the service listens")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser
