"""The console as a client of the engine's control socket (docs/engine-socket.md)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol, cast

from console.web.live import EngineLostError, EngineStandsByError, Subscription
from sync.client import ControlClient, ControlEvent
from sync.errors import ControlError, EngineUnreachableError
from sync.standby import STANDBY_NAME, standby_at

ANSWER_MOST_S: Final = 2.0
"""How long a command may take; a kill is answered in milliseconds or something is wrong."""


class EngineRefusedError(Exception):
    """The engine understood a command and said no, in one sentence."""


class Engine(Protocol):
    """What the console asks of the engine."""

    def subscribe(self) -> AbstractAsyncContextManager[Subscription]:
        """A `live.Subscribe`: snapshot first, then events, until the engine or the reader ends it.

        Raises:
            EngineLostError: at the start or while reading: nobody answers, or not in the way agreed.
        """
        ...

    async def request(self, op: str, **fields: object) -> dict[str, Any]:
        """The result of one command.

        Raises:
            EngineRefusedError: the engine says no.
            EngineLostError: it does not answer within `ANSWER_MOST_S`; whether the command was carried out is not known.
        """
        ...


class EngineSocket:
    """The engine behind a Unix socket. Every command has a connection of its own, so that none waits for another."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        """See `Engine.subscribe`."""
        async with ControlClient(self._path, timeout_s=ANSWER_MOST_S) as client, aclosing(self._pairs(client)) as pairs:
            yield pairs

    async def request(self, op: str, **fields: object) -> dict[str, Any]:
        """See `Engine.request`."""
        try:
            async with ControlClient(self._path, timeout_s=ANSWER_MOST_S) as client:
                return await client.request(op, **fields)
        except EngineUnreachableError as error:
            raise await self._lost(error) from error
        except ControlError as error:
            raise EngineRefusedError(str(error)) from error

    async def _pairs(self, client: ControlClient) -> AsyncGenerator[tuple[str, object], None]:
        try:
            # Closed here and now, so that the connection does not wait for the garbage collector.
            async with aclosing(cast(AsyncGenerator[ControlEvent, None], client.events())) as events:
                async for event in events:
                    yield event.event, event.data
        except EngineUnreachableError as error:
            raise await self._lost(error) from error
        except ControlError as error:
            raise EngineLostError(_plain(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise EngineLostError("it sent a line that is not of the agreed form") from error

    async def _lost(self, error: EngineUnreachableError) -> EngineLostError:
        """Why nobody answers: the engine may live, and stand by."""
        standby = await standby_at(self._path.with_name(STANDBY_NAME))
        return EngineLostError(_plain(error)) if standby is None else EngineStandsByError(str(standby))


def _plain(error: Exception) -> str:
    # The socket's path helps nobody who looks at the page.
    return str(error).rpartition(".sock: ")[2]
