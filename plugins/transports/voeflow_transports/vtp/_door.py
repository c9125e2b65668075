"""The door of a port: who comes in, after how long, and what is told of those who do not."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import structlog
import trio

import voeflow

from ._connection import Connection
from ._crowd import Crowd, network_of
from ._rates import Rates, counted
from ._sparingly import Sparingly

if TYPE_CHECKING:
    from ._port import Port

log = structlog.get_logger()

#: How often one thing about one address is told, in seconds: some clients reconnect without a pause.
TOLD_EVERY = 60.0

#: How long a client that is not let in has to take that in, in seconds.
_FAREWELL = 1.0

#: Of how many addresses it is remembered whether they may come in.
_MOST = 4096


class Door:
    """Lets connections in.

    What costs nothing is judged at once, in `judge`; what takes time, in `welcome`.

    Attributes:
        name: the transport's table, for the log.
        port: its options.
        crowd: those who are in.
    """

    def __init__(self, name: str, port: Port, crowd: Crowd) -> None:
        self.name = name
        self.port = port
        self.crowd = crowd
        self._told = Sparingly(TOLD_EVERY)
        self._allow = self.port.admitted
        self._may_admit = functools.lru_cache(maxsize=_MOST)(self._allow.may_admit)
        self._rates = Rates(self.port.connection_rate, self.port.connection_burst)

    @property
    def facts(self) -> dict[str, str]:
        """What is told of it where it says that it listens."""
        if self.port.tls is None:
            return {}
        facts = self.port.certificates.facts
        return {"tls": facts.shown if facts is not None else "with a certificate that no client can use"}

    def judge(self, connection: Connection) -> bool:
        """Say whether a connection may come in, as far as its address tells; if not it has been told."""
        host = connection.host
        if not self._may_admit(host):
            self._refuse(connection, "not in allow")
            return False
        if counted(host) and self.crowd.count(host) >= self.port.max_per_address:
            self._refuse(connection, f"its address has {self.port.max_per_address} connections already")
            return False
        return True

    def wait_for(self, connection: Connection) -> float:
        """Say how long a connection has to wait for its turn, in seconds; mostly not at all."""
        if not (network := counted(connection.host)):
            return 0.0
        now = trio.current_time()
        wait = self._rates.take(network, now)
        if wait and (more := self._told.due("fast " + network_of(connection.host), now)) is not None:
            log.warning(
                "connections have to wait",
                transport=self.name,
                peer=connection.peer,
                reason=f"its address makes more than {self.port.connection_rate:g} a second",
                unsaid=more,
            )
        return wait

    async def welcome(self, connection: Connection, wait: float) -> bool:
        """Let it wait its turn, begin TLS, and look at its certificate.

        Args:
            connection: one that `judge` lets in.
            wait: how long it has to wait, in seconds.

        Returns:
            Whether it may come in; if not it has been told.
        """
        await trio.sleep(wait)
        if self.port.tls is None:
            return True
        context = self.port.certificates.context
        assert context is not None
        try:
            with trio.fail_after(self.port.handshake_timeout):
                await connection.meet_client(context)
        except trio.TooSlowError:
            limit = voeflow.show_seconds(self.port.handshake_timeout)
            self._complain(connection, f"began no TLS in {limit}: does it wait for us to speak, without TLS?")
            return False
        except OSError as error:
            self._complain(connection, error.strerror or str(error))
            if not connection.closed:
                await connection.finish(_FAREWELL)  # or what it is answered might not reach it
            return False
        if not self._allow.admits(connection.host, connection.certificate):
            self._refuse(connection, "not in allow")
            await connection.finish(_FAREWELL)
            return False
        return True

    def _refuse(self, connection: Connection, reason: str) -> None:
        about = {"certificate": str(connection.certificate)} if connection.certificate is not None else {}
        if (more := self._told.due("refused " + connection.host, trio.current_time())) is not None:
            log.warning(
                "connection refused",
                transport=self.name,
                peer=connection.peer,
                reason=reason,
                **about,
                unsaid=more,
            )

    def _complain(self, connection: Connection, reason: str) -> None:
        if (more := self._told.due("tls " + connection.host, trio.current_time())) is not None:
            log.warning(
                "no TLS with a client", transport=self.name, peer=connection.peer, reason=reason, unsaid=more
            )
