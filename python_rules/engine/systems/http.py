"""A web server that files are downloaded from. Nothing is listed or written there.

Redirections are followed on the same host only: what another host says was never configured. A download that broke is
gone on with by a range; that the file is still the same one, its ETag and modify time tell afterwards.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urljoin, urlsplit

from python_rules.engine.systems.place import FILE, Item, Outgoing
from python_rules.engine.systems.system import System, checked_path
from python_rules.jobs.errors import JobError

_REDIRECTIONS = (301, 302, 303, 307, 308)
_MOST_REDIRECTIONS = 5
_STATUSES: dict[int, tuple[str, str]] = {
    401: ("system_refused", "it does not accept the credentials, or not any more"),
    407: ("system_refused", "a proxy wants credentials"),
    403: ("not_permitted", "it does not permit this"),
    404: ("source_not_found", "it does not exist"),
    410: ("source_not_found", "it is gone"),
    408: ("system_unavailable", "it took too long"),
    429: ("system_unavailable", "it is asked too often"),
}


class Http:
    """A Place on a web server, over one connection."""

    def __init__(self, system: System) -> None:
        self._system = system
        address = urlsplit(str(system.settings["address"]))
        if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
            raise system.configuration("address", "is not https://host or https://host:port; a path belongs to base")
        self._origin = f"{address.scheme}://{address.netloc}"
        self._headers = {"User-Agent": "sluice", "Accept-Encoding": "identity"}
        self._credentials()
        if address.scheme == "https":
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                address.hostname, address.port, timeout=system.timeout, context=self._tls()
            )
        else:
            self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=system.timeout)

    def check(self) -> str:
        """As Place.check."""
        with self._told(""):
            response = self._asked("HEAD", self._url(""), {})
            response.read()
        if response.status == 401 or response.status >= 500:
            raise self._refusal(response.status, "")
        return f"it answers {response.status} for its base{', over TLS' if self._origin.startswith('https') else ''}"

    def find(self, path: str) -> Item | None:
        """As Place.find."""
        try:
            with self._told(path):
                response = self._answered("HEAD", path, {})
                response.read()
        except JobError as error:
            if error.code != "source_not_found":
                raise
            return None
        length = response.headers.get("Content-Length", "")
        tag = response.headers.get("ETag", "")
        modified = email.utils.parsedate_to_datetime(text) if (text := response.headers.get("Last-Modified")) else None
        seconds = modified.timestamp() if modified else None
        return Item(path, FILE, int(length) if length.isdigit() else -1, seconds, f"etag:{tag}" if tag else "")

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk: there is no such thing on the web."""
        checked_path(self._system, path)
        remedy = "name the file, or pack the tree there"
        raise self._system.error("bad_value", "a web server lists nothing", path, remedy, field="source")

    def read(self, path: str, offset: int = 0) -> Download:
        """As Place.read."""
        with self._told(path):
            wanted = {"Range": f"bytes={offset}-"} if offset else {}
            try:
                response = self._answered("GET", path, wanted)
            except _PastTheEnd as end:
                response = end.response
                response.read()
                return Download(self, path, response, 0)
            download = Download(self, path, response, _length(response))
        skip = offset if offset and response.status != 206 else 0  # it gave all of it
        while skip:
            buffer = bytearray(min(skip, 1 << 20))
            if not (count := download.readinto(buffer)):
                break
            skip -= count
        return download

    def write(self, path: str, size: int | None = None, resume: str = "") -> Outgoing:
        """As Place.write."""
        raise self._read_only(path)

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder."""
        raise self._read_only(path)

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise self._read_only(path)

    def remove(self, path: str) -> None:
        """As Place.remove."""
        raise self._read_only(path)

    def clean(self, path: str, job: str) -> None:
        """As Place.clean: nothing was ever written."""

    def free(self) -> int | None:
        """As Place.free."""
        return None

    def close(self) -> None:
        """As Place.close."""
        self._connection.close()

    def interrupt(self) -> None:
        """Break what waits in another thread."""
        if self._connection.sock is not None:
            try:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def lost(self, path: str, how: str) -> JobError:
        """The error about a download that ended too early."""
        return self._system.error("system_unavailable", f"the connection was lost: {how}", path)

    def _answered(self, method: str, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """The response to a request for a path, redirections followed."""
        url = self._url(checked_path(self._system, path))
        for _ in range(_MOST_REDIRECTIONS):
            response = self._asked(method, url, headers)
            if response.status in (200, 206):
                return response
            if response.status == 416:
                raise _PastTheEnd(response)
            response.read()
            if response.status not in _REDIRECTIONS:
                raise self._refusal(response.status, path)
            url = urljoin(url, response.headers.get("Location", ""))
            if not url.startswith(self._origin + "/"):
                remedy = "configure the host that it points to as a system of its own"
                raise self._system.error("system_refused", "it points to another host", path, remedy)
        raise self._system.error("system_error", "it redirects for ever", path)

    def _asked(self, method: str, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        target, told = url[len(self._origin) :], {**self._headers, **self._credentials(), **headers}
        try:
            self._connection.request(method, target, headers=told)
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, http.client.CannotSendRequest):
            self._connection.close()  # it closed an idle connection; a new one is tried once
            self._connection.request(method, target, headers=told)
            return self._connection.getresponse()

    def _url(self, path: str) -> str:
        place = f"{self._system.base.strip('/')}/{path}".strip("/")
        return f"{self._origin}/{quote(place, safe='/')}"

    def _credentials(self) -> dict[str, str]:
        """Read for every request, so that what was renewed is used at once."""
        if token := self._system.secret("token_file"):
            return {"Authorization": f"Bearer {token}"}
        if password := self._system.secret("password_file"):
            return {"Authorization": "Basic " + base64.b64encode(password.encode()).decode()}
        return {}

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._system.settings["authority"] or None)
        except OSError as error:
            raise self._system.configuration("authority", f"cannot be used: {error.strerror or error}") from None

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            text = f"its certificate is not accepted: {error.verify_message}"
            raise self._system.error("system_refused", text, path) from None
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self.lost(path, type(error).__name__) from None
        except UnicodeEncodeError:
            raise self._system.error("bad_path", "the name is not valid Unicode", path) from None

    def _refusal(self, status: int, path: str) -> JobError:
        code, text = _STATUSES.get(status, ("system_unavailable" if status >= 500 else "system_error", ""))
        return self._system.error(code, f"{text or 'it answers'} ({status})", path)

    def _read_only(self, path: str) -> JobError:
        checked_path(self._system, path)
        return self._system.error("not_permitted", "nothing is written to a web server", path, "name another target")


class _PastTheEnd(Exception):
    """A range that begins where the file ends."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        super().__init__()
        self.response = response


class Download:
    """A file that is read."""

    def __init__(self, place: Http, path: str, response: http.client.HTTPResponse, left: int | None) -> None:
        self._place = place
        self._path = path
        self._response = response
        self._left = left  # bytes that are still to come; None: nobody said

    def readinto(self, buffer: bytearray) -> int:
        """As Source.readinto."""
        view, filled = memoryview(buffer), 0
        try:
            while filled < len(view) and (count := self._response.readinto(view[filled:])):
                filled += count
        except (OSError, http.client.HTTPException) as error:
            raise self._place.lost(self._path, type(error).__name__) from None
        if self._left is not None:
            self._left -= filled
            if filled < len(view) and self._left > 0:
                raise self._place.lost(self._path, f"{self._left} bytes are missing")
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt."""
        self._place.interrupt()

    def close(self) -> None:
        """As Incoming.close; a connection with a rest on it is of no use for another request."""
        if not self._response.isclosed():
            self._place.close()


def _length(response: http.client.HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None
