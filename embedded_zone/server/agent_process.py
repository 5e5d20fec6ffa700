"""One connection, one process: handshake, then requests one after the other until the client leaves.

The process is a fork of the supervisor with every module loaded. It opens the catalogue itself, and nothing that
it does can hurt another connection. When the client is gone, whatever it left open is finalised.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from types import FrameType

from embedded_zone import federation
from embedded_zone.agent import REMOTE_PRIV_USER_AUTH, Agent, Identity
from embedded_zone.api import Reply
from embedded_zone.catalog.database import Database
from embedded_zone.config import ZoneConfig
from embedded_zone.connection import ClientGone, Connection
from embedded_zone.errors import IrodsError
from embedded_zone.server import handshake
from embedded_zone.server.dispatch import NO_REPLY, dispatch, encode_reply
from embedded_zone.server.handshake import Refused, Startup
from embedded_zone.server.log import attach_request, describe, open_log
from embedded_zone.wire import frame
from embedded_zone.wire.frame import MAX_MESSAGE, MAX_STREAM, Frame, FrameError

# What an unauthenticated peer may make this process allocate.
STRANGER_MESSAGE, STRANGER_STREAM = 1 << 20, 0
OPR_COMPLETE = 626


class AgentProcess:
    """The life of one connection; ``serve`` returns when it has ended, for whatever reason."""

    def __init__(self, sock: socket.socket, address: str, config: ZoneConfig) -> None:
        self.config = config
        self.address = address
        self.log: logging.Logger = open_log(config.log / "zone.jsonl", config.zone_name, "agent")
        sock.settimeout(handshake.HANDSHAKE_SECONDS)
        self.connection = Connection(sock, STRANGER_MESSAGE, STRANGER_STREAM)
        self.agent: Agent | None = None
        self._waiting = self._stopping = self._dismissed = False

    def serve(self) -> None:
        """Handshake and requests; logs how the connection ended, raises nothing."""
        signal.signal(signal.SIGTERM, self._on_stop)
        try:
            self._connect()
            while self._serve_one():
                pass
        except Refused as refusal:
            self.log.warning("connection refused: %s, %s", describe(refusal.code), refusal)
        except (ClientGone, TimeoutError) as gone:
            self.log.debug("client gone: %s", gone)
        except FrameError as error:
            self.log.warning("not the iRODS protocol: %s", error)
        except SystemExit:
            self.log.debug("told to stop")
        except Exception:  # the outermost loop of the process
            self.log.exception("agent failed")
        finally:
            self._finish()

    # --- start and end

    def _connect(self) -> None:
        startup = self._read_startup()
        if startup is None:
            handshake.answer_heartbeat(self.connection)
            raise ClientGone("heartbeat")
        attach_request(
            self.log,
            request_client_user=startup.client[0],
            request_proxy_user=startup.proxy[0],
            request_host=self.address,
            request_release_version="rods" + ".".join(map(str, startup.version)),
        )
        try:
            self.agent = self._make_agent(startup)
        except IrodsError as error:
            handshake.send_version(self.connection, self.config, error.code)
            raise Refused(error.code, error.message) from error
        agent = self.agent
        handshake.agree(self.connection, self.config, startup, lambda: self._policy(agent))

    def _read_startup(self) -> Startup | None:
        try:
            return handshake.read_startup(self.connection)
        except Refused as refusal:
            handshake.send_version(self.connection, self.config, refusal.code)
            raise

    def _make_agent(self, startup: Startup) -> Agent:
        from embedded_zone.objects.descriptors import Descriptors
        from embedded_zone.rules.host import RuleHost
        from embedded_zone.rules.tracing import TracingHost

        agent = Agent(
            config=self.config,
            db=Database.open(self.config.catalog),
            log=self.log,
            client=Identity(*startup.client),
            proxy=Identity(*startup.proxy),
            option=startup.option,
            client_address=self.address,
            connect_count=startup.connect_count,
            version=startup.version or (0,),
            protocol=startup.protocol,
        )
        agent.scratch["branch"] = self.branch
        federation.attach(agent)
        agent.rules = (TracingHost if self.config.trace else RuleHost)(agent)
        agent.descriptors = Descriptors(agent)
        return agent

    def _policy(self, agent: Agent) -> str:
        """Ask the static hooks of a new connection; answers what to offer in the negotiation."""
        if agent.rules.load_error:
            raise Refused(agent.rules.load_error, "core.py cannot be imported")
        for hook in ("acChkHostAccessControl", "acSetPublicUserPolicy"):
            status = agent.rules.fire(hook)
            if status < 0:
                raise Refused(status, hook)
        status, offered = agent.rules.fire_out("acPreConnect", self.config.client_server_policy)
        if status < 0:
            raise Refused(status, "acPreConnect")
        return offered[0] if offered[0] in handshake.POLICIES else self.config.client_server_policy

    def _finish(self) -> None:
        agent = self.agent
        if agent is not None:
            try:
                federation.leave(agent)
                if not self._left_by_zone(agent):
                    agent.descriptors.abandon()
            except Exception:  # nothing is left that could handle it
                self.log.exception("finalising of open objects failed")
            agent.db.close()
        self.connection.close()

    def _left_by_zone(self, agent: Agent) -> bool:
        """Whether another zone's server said goodbye: what it left open is then not settled, ever (facts 9.5)."""
        return self._dismissed and agent.proxy.auth_flag == REMOTE_PRIV_USER_AUTH

    # --- requests

    def _serve_one(self) -> bool:
        """Read and answer one request; False when the client said goodbye."""
        message = self._next()
        if message.type != frame.API_REQUEST:
            self._dismissed = message.type == frame.DISCONNECT
            if not self._dismissed:
                self.log.warning("unexpected message %s", message.type)
            return False
        agent = self._known_agent()
        reply = dispatch(agent, message)
        if agent.client.auth_flag and not self.connection.limits[1]:
            self._trust()
        if reply.int_info != NO_REPLY:
            self.connection.write(reply)
        return True

    def _known_agent(self) -> Agent:
        if self.agent is None:
            raise ClientGone("not started")
        return self.agent

    def _trust(self) -> None:
        self.connection.limits = (MAX_MESSAGE, MAX_STREAM)
        self.connection.socket.settimeout(None)

    def _next(self) -> Frame:
        """The next message. Only here may SIGTERM end the process: a request is served to its end."""
        self._waiting = True
        try:
            if self._stopping:
                raise SystemExit
            return self.connection.read()
        finally:
            self._waiting = False

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._waiting:
            raise SystemExit

    def branch(self, reply: Reply, operation_number: int) -> None:
        """Send a handler's reply early and serve what the client asks next, up to its opr_complete (626).

        For transfers that a real server makes through portals: a put or get of more than one buffer answers with a
        descriptor and no threads, and the client goes on with write (676) or read (675). The handler then returns
        ``Reply(SYS_NO_HANDLER_REPLY_MSG)``. Raises ClientGone, which must not be caught.
        """
        from embedded_zone.api import OPERATIONS

        agent = self._known_agent()
        number = agent.api_number
        self.connection.write(encode_reply(agent, OPERATIONS[operation_number], reply))
        while True:
            message = self._next()
            if message.type != frame.API_REQUEST:
                raise ClientGone(f"{message.type} within a transfer")
            answer = dispatch(agent, message)
            self.connection.write(answer)
            if message.int_info == OPR_COMPLETE:
                agent.api_number = number
                return


def run_forked(sock: socket.socket, address: str, config: ZoneConfig) -> None:
    """The whole life of a forked agent; never returns."""
    try:
        AgentProcess(sock, address, config).serve()
    except BaseException:
        logging.getLogger("embedded_zone").exception("agent could not start")
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)
