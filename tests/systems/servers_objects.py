"""OpenStack Swift with its S3 layer from Debian's packages: one node, one device in a folder, one replica.

Proxy, account, container and object server are processes of their own, as on a cluster; tempauth keeps its tokens in
memcached. What a cluster has besides (replicators, auditors, Keystone) has no part in what a client sees here.
"""

from __future__ import annotations

import getpass
import http.client
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.daemon import Daemon
from tests.systems.servers_keystone import Keystone

ACCOUNT = "swift"  # the Unix user that Debian's package makes
USER, KEY = "stage:alice", "swift-test-key-1"  # tempauth: project:user; S3 takes them as access key and secret
PARTS = 10_000  # as on Amazon's S3; Swift's own default is 1,000

_COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {swift}
devices = {home}/devices
mount_check = false
log_level = ERROR
eventlet_debug = false
"""

_BACKEND = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
fallocate_reserve = 0
disable_fallocate = true
"""

_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk {auth} copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
max_manifest_segments = {parts}
[filter:dlo]
use = egg:swift#dlo
"""

_TEMPAUTH = """
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
max_upload_part_num = {parts}
min_segment_size = 1048576
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_stage_alice = {key} .admin
user_stage_bob = {key}-of-bob
"""


class Memcached(Daemon):
    """Where tempauth keeps its tokens; ``kill`` and ``start`` make every token void."""

    def __init__(self) -> None:
        super().__init__("memcached", "memcache")

    def command(self) -> list[str]:
        return ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16"]


class Backend(Daemon):
    """An account, container or object server, or the proxy."""

    def __init__(self, kind: str, swift: Path) -> None:
        super().__init__(f"swift-{kind}", ACCOUNT)
        self.kind = kind
        self._swift = swift

    def command(self) -> list[str]:
        return [f"/usr/bin/swift-{self.kind}-server", str(self.home / "server.conf")]

    def configure(self, text: str, **values: object) -> None:
        """Write its configuration."""
        (self.home / "devices" / "d1").mkdir(parents=True, exist_ok=True)
        user = self._account or getpass.getuser()
        shown = (_COMMON + text).format(
            port=self.port, user=user, swift=self._swift, home=self.home, kind=self.kind, **values
        )
        (self.home / "server.conf").write_text(shown)
        if self._account:
            for path in (self.home / "devices", self.home / "devices" / "d1", self.home / "server.conf"):
                shutil.chown(path, self._account)


class Proxy(Backend):
    """What clients talk to."""

    def __init__(self, swift: Path) -> None:
        super().__init__("proxy", swift)

    def serves(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/healthcheck")
            return connection.getresponse().status == 200
        except OSError:
            return False


class Swift:
    """The whole node; ``auth_url`` for Swift's own interface, ``url`` for S3. With a Keystone, that gives the tokens,
    and there is no S3."""

    def __init__(self, keystone: Keystone | None = None) -> None:
        self._stack = ExitStack()
        self.memcached = self._stack.enter_context(Memcached())
        self.proxy = self._stack.enter_context(Proxy(self.memcached.home))
        # Swift's folder (rings, swift.conf) is the proxy's; every server reads the same.
        self.proxy._swift = swift = self.proxy.home
        kinds = ("account", "container", "object")
        self.backends = {kind: self._stack.enter_context(Backend(kind, swift)) for kind in kinds}
        self._write_rings()
        for backend in self.backends.values():
            backend.configure(_BACKEND)
        self._keystone = keystone
        self.configure(KEY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The endpoint of the S3 layer."""
        return f"http://127.0.0.1:{self.proxy.port}"

    @property
    def auth_url(self) -> str:
        """Where tempauth gives tokens."""
        return f"{self.url}/auth/v1.0"

    def configure(self, key: str) -> None:
        """Have the proxy know the user by this key, from its next start on."""
        auth, text = "s3api tempauth", _TEMPAUTH
        if self._keystone:
            auth, text = "authtoken keystoneauth", self._keystone.middleware()
        self.proxy.configure(_PROXY + text, memcached=self.memcached.port, parts=PARTS, key=key, auth=auth)

    def revoke(self) -> None:
        """Make all tokens of tempauth void."""
        self.memcached.kill()
        self.memcached.start()

    def start(self) -> None:
        """Start all of it."""
        for server in (self.memcached, *self.backends.values(), self.proxy):
            server.start()

    def _write_rings(self) -> None:
        secret = "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = gold\ndefault = yes\n"
        (self.proxy.home / "swift.conf").write_text(secret)
        self.proxy.home.chmod(0o755)
        for kind, server in self.backends.items():
            ring = str(self.proxy.home / f"{kind}.builder")
            self.proxy.run("swift-ring-builder", ring, "create", "4", "1", "0")
            self.proxy.run("swift-ring-builder", ring, "add", f"r1z1-127.0.0.1:{server.port}/d1", "1")
            self.proxy.run("swift-ring-builder", ring, "rebalance")
