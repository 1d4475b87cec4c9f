"""An MQTT broker inside this process, for the demonstration and for tests. 3.1.1 only."""

import asyncio
import contextlib
import ipaddress
import logging
from types import TracebackType
from typing import Self

from hardware.errors import EmbeddedBrokerError, SettingError

STOP_TIMEOUT_S = 2.0


class EmbeddedBroker:
    """`async with EmbeddedBroker(host, port) as broker:` serves anonymous clients of this machine.

    Loopback only: it asks nobody who they are. It keeps retained messages in memory and forgets
    them at the end. Port 0 takes a free one; `port` tells which.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare to listen on `host:port`.

        Raises:
            SettingError: `host` is not an address of this machine alone.
        """
        loopback = host == "localhost"
        with contextlib.suppress(ValueError):
            loopback = loopback or ipaddress.ip_address(host).is_loopback
        if not loopback:
            raise SettingError(
                f"embedded broker on {host}: it has no log-in, so it listens on 127.0.0.1 only; run mosquitto for more"
            )
        self.host, self.port = host, port
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        from amqtt.broker import Broker
        from amqtt.errors import BrokerError

        # amqtt logs every packet, and disconnections as warnings; the gateway and the link report for themselves.
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.WARNING)
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        self._serve, self._broker.stream_connected = self._broker.stream_connected, self._connected
        try:
            await self._broker.start()
        except BrokerError as error:
            raise EmbeddedBrokerError(
                f"embedded broker on {self.host}:{self.port}: {error}; stop what uses the port, or set another under [mqtt]"
            ) from error
        self._listener = self._broker._servers["default"].instance
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer, listener_name)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.close()
        # amqtt ends a client by cancelling its reader, which Python before 3.12 can lose while data arrives
        # (asyncio.wait_for), and then waits for ever. A reader whose connection is gone ends by itself.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while self._writers:
                    for writer in self._writers:
                        writer.transport.abort()
                    await asyncio.sleep(0.01)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._broker.shutdown()
