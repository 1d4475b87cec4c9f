"""An MQTT broker inside this process, for the demonstration and for tests. 3.1.1 only."""

import contextlib
import ipaddress
import logging
from types import TracebackType
from typing import Self

from hardware.errors import EmbeddedBrokerError, SettingError


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
        try:
            await self._broker.start()
        except BrokerError as error:
            raise EmbeddedBrokerError(
                f"embedded broker on {self.host}:{self.port}: {error}; stop what uses the port, or set another under [mqtt]"
            ) from error
        self.port = self._broker._servers["default"].instance.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._broker.shutdown()
