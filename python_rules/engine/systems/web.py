"""HTTP with requests for the systems that speak it: one session, its errors as JobErrors, bytes as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import urllib3

from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

# HTTP status to the code and the text of a JobError; the first row that has it.
_MEANINGS: tuple[tuple[range, str, str], ...] = (
    (range(401, 402), "system_refused", "the credentials are refused, or have expired"),
    (range(402, 404), "not_permitted", "the credentials may not do this"),
    (range(404, 405), "source_not_found", "it does not exist"),
    (range(408, 409), "system_unavailable", "it took too long"),
    (range(409, 410), "target_exists", "something else has this name"),
    (range(412, 413), "source_changed", "it was replaced while it was read"),
    (range(413, 414), "no_space", "the store takes no more: it is full, or a quota is reached"),
    (range(414, 415), "bad_path", "its name is too long"),
    (range(422, 423), "verification_failed", "what arrived is not what was sent"),
    (range(429, 430), "system_unavailable", "too many requests"),
    (range(507, 508), "no_space", "the store is full, or a quota is reached"),
    (range(500, 600), "system_unavailable", "it cannot serve this now"),
)


class Web:
    """A session for one thread or several; neither proxies nor a .netrc of the environment have a say."""

    def __init__(self, system: System, connections: int = 4) -> None:
        self._system = system
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(system.settings["authority"]) or True
        self.session.headers["Accept-Encoding"] = "identity"
        adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=connections)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, adapter)

    def ask(self, method: str, url: str, about: str, allow: tuple[int, ...] = (), **options: Any) -> requests.Response:
        """An answer with a good status, or one that is allowed; raises JobError about a path."""
        with self.told(about):
            answer = self.session.request(method, url, timeout=self._system.timeout, allow_redirects=False, **options)
        if answer.status_code // 100 != 2 and answer.status_code not in allow:
            answer.close()
            raise self.meaning(answer.status_code, about)
        return answer

    def body(self, answer: requests.Response, about: str) -> bytes:
        """All bytes of an answer as they were stored, not decoded; the request had ``stream=True``."""
        with self.told(about):
            return answer.raw.read(decode_content=False)

    def close(self) -> None:
        """Close connections."""
        self.session.close()

    @contextmanager
    def told(self, about: str) -> Iterator[None]:
        """Turn what requests and urllib3 raise in the block into a JobError; their texts may hold the request."""
        try:
            yield
        except requests.exceptions.SSLError:
            remedy = "check authority, and the certificate of the server"
            raise self._system.error("system_refused", "its certificate is not trusted", remedy=remedy) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._system.error("system_unavailable", f"no answer ({type(error).__name__})", about) from None

    def meaning(self, status: int, about: str) -> JobError:
        """The JobError for a status."""
        for codes, code, text in _MEANINGS:
            if status in codes:
                return self._system.error(code, f"{text} ({status})", about)
        return self._system.error("system_error", f"it answered {status}", about)
