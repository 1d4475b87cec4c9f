"""Open connections for the accounts that could fire any moment, and for no others."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sync.posting import Publisher

_log = logging.getLogger(__name__)


class Warmth:
    """Warms and cools accounts as they become armed and idle.

    Args:
        armed: the accounts of which something is armed now.
    """

    def __init__(self, publisher: Publisher, armed: Callable[[], frozenset[str]]) -> None:
        self._publisher, self._armed = publisher, armed
        self._warm: set[str] = set()
        self._look = asyncio.Event()

    def look(self) -> None:
        """Something has changed: look at the accounts again soon."""
        self._look.set()

    async def run(self) -> None:
        """Tend the accounts until cancelled."""
        while True:
            self._look.clear()
            armed = self._armed()
            for account_id in sorted(armed - self._warm):
                self._warm.add(account_id)
                await self._tend(self._publisher.warm(account_id), account_id)
            for account_id in sorted(self._warm - armed):
                self._warm.discard(account_id)
                await self._tend(self._publisher.cool(account_id), account_id)
            await self._look.wait()

    async def _tend(self, tending: Coroutine[Any, Any, None], account_id: str) -> None:
        try:
            await tending
        except Exception:
            # Cold connections cost milliseconds; a dead engine costs the evening.
            _log.exception("warming_failed", extra={"account_id": account_id})
