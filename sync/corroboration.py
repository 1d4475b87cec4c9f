"""Waiting for the second source: what has been said, and who waits for more."""

import asyncio
from dataclasses import replace

from sync.decide import Intent
from sync.quorum import Quorum, Statements
from timebase import Clock


class Corroboration:
    """What sources have said, for those who ask and those who wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said = Statements()
        self._news = asyncio.Event()

    def note(self, key: str, at_mono_ns: int) -> None:
        """Keep that something happened, as a source says, and wake whoever waits."""
        self._said.note(key, at_mono_ns)
        # Whoever waits now is woken once; who comes later waits for the next one.
        self._news.set()
        self._news = asyncio.Event()

    def forget(self, key: str) -> None:
        """Take back what was said under a key."""
        self._said.forget(key)

    def asked(self, intent: Intent) -> Intent:
        """The intent with what its second source has said so far."""
        return intent if intent.quorum is None else replace(intent, quorum=self._said.asked(intent.quorum))

    async def awaited(self, intent: Intent) -> Intent:
        """The intent once both sources agree, or once the second one has had its time: the gate then says so."""
        quorum = intent.quorum
        while quorum is not None:
            quorum = self._said.asked(quorum)
            if quorum.agrees or not await self._news_before(quorum):
                break
        return replace(intent, quorum=quorum)

    async def _news_before(self, quorum: Quorum) -> bool:
        """Whether something was said before its time was over."""
        if self._clock.mono_ns() >= quorum.until_mono_ns:
            return False
        news = asyncio.create_task(self._news.wait(), name="quorum")
        over = asyncio.create_task(self._clock.sleep_until(quorum.until_mono_ns), name="quorum-over")
        try:
            await asyncio.wait({news, over}, return_when=asyncio.FIRST_COMPLETED)
            return True
        finally:
            news.cancel()
            over.cancel()
