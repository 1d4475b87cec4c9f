"""One question or order to the running engine, for a command."""

import asyncio
from typing import Any

from console.config import Config
from sync.client import ControlClient

PATIENCE_S = 5.0
"""How long an answer is waited for."""


def ask_engine(config: Config, op: str, patience_s: float = PATIENCE_S, **fields: Any) -> dict[str, Any]:
    """The engine's answer to a request of docs/engine-socket.md, with these fields.

    Raises:
        ControlError: the engine refused it.
        EngineUnreachableError: nobody answers, or not in time.
    """

    async def ask() -> dict[str, Any]:
        async with ControlClient(config.paths.socket_file, timeout_s=patience_s) as client:
            return dict(await client.request(op, **fields))

    return asyncio.run(ask())
