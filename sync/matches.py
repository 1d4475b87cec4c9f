"""The matches the engine follows: what their score events mean, and what it must not forget of them."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from hardware.events import ScoreEvent, Side
from sync.firings import Firings
from sync.fixtures import FixtureState, dump, load, remember
from sync.ledger import Ledger
from sync.signals import GoalTakenBack, PlayRestarted, goal_occurrence
from sync.translate import ScoreSignal, score_signals
from sync.writer import Writer


class Matches:
    """The state of each configured fixture, kept in the ledger."""

    def __init__(self, fixtures: tuple[str, ...], *, ledger: Ledger, firings: Firings, writer: Writer) -> None:
        self._states = {fixture: FixtureState(fixture=fixture) for fixture in fixtures}
        self._ledger, self._firings, self._writer = ledger, firings, writer
        self._taken_back: set[str] = set()
        self._restarted_utc: dict[str, datetime] = {}
        self._restarted = {fixture: asyncio.Event() for fixture in fixtures}

    async def remember(self) -> None:
        """Read what the ledger kept, and mend from the claims what a crash kept from it.

        Raises:
            LedgerError: it cannot be read.
        """
        for fixture, text in (await self._writer.run(self._ledger.fixture_states)).items():
            if fixture in self._states:
                self._states[fixture] = load(text)
        for record in await self._writer.run(self._firings.goals_claimed):
            fixture, side, ordinal, take = record.occurrence_id.removeprefix("goal:").rsplit("/", 3)
            if fixture in self._states and record.on_air_utc is not None:
                state = self._states[fixture]
                self._states[fixture] = remember(state, Side(side), int(ordinal), int(take), record.on_air_utc)
        for state in self._states.values():
            self._taken_back.update(_taken_back(state))

    def take(self, event: ScoreEvent) -> tuple[ScoreSignal, ...] | None:
        """What a score event means; None for a fixture that is not configured."""
        state = self._states.get(event.fixture)
        if state is None:
            return None
        self._states[event.fixture], signals = score_signals(state, event)
        self._taken_back.update(signal.occurrence_id for signal in signals if isinstance(signal, GoalTakenBack))
        for signal in signals:
            if isinstance(signal, PlayRestarted):
                self._note_restart(signal)
        return signals

    async def play_restarted(self, fixture: str, after_utc: datetime) -> None:
        """Return once play has gone on after that instant; a restart before the engine's time is not known."""
        while (restarted_utc := self._restarted_utc.get(fixture)) is None or restarted_utc <= after_utc:
            await self._restarted[fixture].wait()

    def _note_restart(self, signal: PlayRestarted) -> None:
        before_utc = self._restarted_utc.get(signal.fixture, signal.on_air_utc)
        self._restarted_utc[signal.fixture] = max(before_utc, signal.on_air_utc)
        # Whoever waits now is woken once; who comes later waits for the next one.
        self._restarted[signal.fixture].set()
        self._restarted[signal.fixture] = asyncio.Event()

    def is_taken_back(self, occurrence_id: str) -> bool:
        """Whether that goal does not stand any more."""
        return occurrence_id in self._taken_back

    async def save(self, fixture: str) -> None:
        """Keep the fixture's state.

        Raises:
            LedgerError: it cannot be written.
        """
        await self._writer.run(self._ledger.save_fixture, fixture, dump(self._states[fixture]))


def _taken_back(state: FixtureState) -> Iterator[str]:
    for side in Side:
        for ordinal, takes in state.side(side).goals.items():
            for number, take in enumerate(takes, start=1):
                if take.taken_back_utc is not None:
                    yield goal_occurrence(fixture=state.fixture, side=side, ordinal=ordinal, take=number)
