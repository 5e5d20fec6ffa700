"""RabbitMQ from Debian's package, as Celery's broker."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.peers.daemon import Daemon, free_port, listens
from tests.stack.waiting import until

SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's own wrapper insists on its one system folder


class RabbitMQ(Daemon):
    """A broker with one node; ``url`` is what ``celery.broker`` takes."""

    start_seconds = 120.0

    def __init__(self) -> None:
        super().__init__("rabbitmq", "rabbitmq")
        self._distribution = free_port()
        self._mapper = free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        return [str(SCRIPT)]

    def environment(self) -> dict[str, str]:
        home = str(self.home)
        return {
            "RABBITMQ_NODENAME": f"sluice{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": home,
            "RABBITMQ_LOG_BASE": home,
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",
            # As under systemd the script becomes the node; otherwise the node would outlive a script that was killed.
            "NOTIFY_SOCKET": f"{home}/none",
            # One scheduler that does not spin: the broker must not eat the machine it is tested on.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def queued(self, queue: str) -> int:
        """How many messages a queue holds."""
        rows = self.run("/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "list_queues", "name", "messages")
        return sum(int(row.split("\t")[1]) for row in rows.splitlines() if row.split("\t")[0] == queue)

    def close(self) -> None:
        super().close()
        self._end_mapper()

    def _end_mapper(self) -> None:
        """The node's port mapper is a daemon of its own that outlives the node, and does not end while it knows one."""

        def ended() -> bool | None:
            subprocess.run(["epmd", "-port", str(self._mapper), "-kill"], capture_output=True, check=False)
            return None if listens(self._mapper) else True

        until(ended, "the end of the port mapper", 20)
