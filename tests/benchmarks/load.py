"""A client that costs little: keep-alive connections that send one request again and again, and note the times."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import urlsplit


class Outcome(NamedTuple):
    """What so many connections saw in so many seconds; times in milliseconds."""

    connections: int
    per_second: float
    p50: float
    p99: float
    worst: float
    statuses: dict[int, int]


def request(method: str, path: str, user: str, password: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an HTTP/1.1 request."""
    login = b64encode(f"{user}:{password}".encode()).decode()
    named = {"Host": "localhost", "Authorization": f"Basic {login}", "Content-Length": str(len(body)), **headers}
    if body:
        named["Content-Type"] = "application/json"
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def measured(url: str, sent: bytes, connections: int, seconds: float, per_second: float = 0.0) -> Outcome:
    """Send for so long over so many connections at a time, as fast as it goes, or ``per_second`` in all.

    With a pace a time counts from when the request was due: waiting for a slow answer before it is not forgiven.
    """
    times, statuses = asyncio.run(_all(url, sent, connections, seconds, connections / per_second if per_second else 0))
    times.sort()

    def at(part: float) -> float:
        return times[min(len(times) - 1, int(part * len(times)))] * 1000

    return Outcome(connections, len(times) / seconds, at(0.5), at(0.99), times[-1] * 1000, statuses)


async def _all(
    url: str, sent: bytes, connections: int, seconds: float, pause: float
) -> tuple[list[float], dict[int, int]]:
    address = urlsplit(url)
    times: list[float] = []
    statuses: dict[int, int] = {}
    begin, host, port = time.perf_counter() + 0.2, str(address.hostname), int(address.port or 80)
    clients = [
        _one(host, port, sent, (begin + number * pause / connections, begin + seconds, pause), times, statuses)
        for number in range(connections)
    ]
    await asyncio.gather(*clients)
    return times, statuses


async def _one(
    host: str, port: int, sent: bytes, when: tuple[float, float, float], times: list[float], statuses: dict[int, int]
) -> None:
    due, until, pause = when
    reader, writer = await asyncio.open_connection(host, port)
    while (begun := due if pause else time.perf_counter()) < until:
        await asyncio.sleep(max(0.0, begun - time.perf_counter()))
        due += pause
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        times.append(time.perf_counter() - begun)
        status = int(head.split(b" ", 2)[1])
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()
