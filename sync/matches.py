"""The matches the engine follows: what their score events mean, and what it must not forget of them."""

from collections.abc import Iterator

from hardware.events import ScoreEvent, Side
from sync.firings import Firings
from sync.fixtures import FixtureState, dump, load, remember
from sync.ledger import Ledger
from sync.signals import GoalScored, GoalTakenBack, goal_occurrence
from sync.translate import score_signals
from sync.writer import Writer


class Matches:
    """The state of each configured fixture, kept in the ledger."""

    def __init__(self, fixtures: tuple[str, ...], *, ledger: Ledger, firings: Firings, writer: Writer) -> None:
        self._states = {fixture: FixtureState(fixture=fixture) for fixture in fixtures}
        self._ledger, self._firings, self._writer = ledger, firings, writer
        self._taken_back: set[str] = set()

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

    def take(self, event: ScoreEvent) -> tuple[GoalScored | GoalTakenBack, ...] | None:
        """What a score event means; None for a fixture that is not configured."""
        state = self._states.get(event.fixture)
        if state is None:
            return None
        self._states[event.fixture], signals = score_signals(state, event)
        self._taken_back.update(signal.occurrence_id for signal in signals if isinstance(signal, GoalTakenBack))
        return signals

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
