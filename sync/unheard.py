"""Follows the airings that may fire unheard, and those that somebody wants to be told of when they are not heard."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules.airing import Airing
from sync.alarms import Alarms
from sync.board import Board
from sync.conditions import SpotCondition
from sync.cues import Cue
from sync.decide import Evidence, Intent, Moment, decide_planned
from sync.fallbacks import DOWN, FeedWord, as_planned_sentence, deaf_evidence, unheard_sentence
from sync.signals import SpotPlanned, airing_occurrence
from sync.tasks import Tasks
from timebase import Clock

LOOK_EVERY_S = 0.25
"""How late a planned instant may be seen."""
IDLE_S = 1.0
"""The same while no cue asks for anything."""
TOLD_WITHIN = timedelta(minutes=10)
"""An airing whose alarm was due longer ago, while no engine ran, stands in the as-run report alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """Something to do about an airing from an instant on, until another.

    Attributes:
        fires: let it fire; else tell of it.
    """

    at_utc: datetime
    until_utc: datetime
    airing: Airing
    cue: Cue
    fires: bool

    @property
    def key(self) -> tuple[str, str]:
        """What is done once: a firing by cue, and one alarm for all cues."""
        return (self.cue.cue_id if self.fires else "", self.airing.airing_id)


class Unheard:
    """Looks at what is due.

    Args:
        fire: brings intents to rest.
    """

    def __init__(
        self,
        *,
        board: Board,
        alarms: Alarms,
        clock: Clock,
        tasks: Tasks,
        fire: Callable[[Iterable[Intent]], None],
    ) -> None:
        self._board, self._alarms = board, alarms
        self._clock, self._tasks, self._fire = clock, tasks, fire
        self._known: tuple[object, object] = (None, None)
        self._to_come = deque[_Due]()
        self._open: list[_Due] = []
        self._done: set[tuple[str, str]] = set()
        self._down_since_ns: dict[str, int] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_EVERY_S if self._to_come or self._open else IDLE_S)

    def look(self) -> None:
        """Do what is due now."""
        if self._known[0] is not self._board.cues or self._known[1] is not self._board.airings:
            self._plan()
        now = Moment(mono_ns=self._clock.mono_ns(), utc=self._clock.utc())
        if self._to_come or self._open:
            self._follow_feeds(now.mono_ns)
        while self._to_come and self._to_come[0].at_utc <= now.utc:
            self._open.append(self._to_come.popleft())
        self._open = [due for due in self._open if not self._is_done(due, now)]

    def _plan(self) -> None:
        """Gather what cues ask for of the airings that stand."""
        self._known, self._open = (self._board.cues, self._board.airings), []
        self._to_come = deque(sorted(self._dues(), key=lambda due: (due.at_utc, due.cue.cue_id, due.airing.airing_id)))

    def _dues(self) -> Iterator[_Due]:
        for stored in self._board.cues:
            cue, on = stored.cue, stored.cue.on
            if not isinstance(on, SpotCondition) or (on.feed_down == "hold" and on.alert_unheard_s is None):
                continue
            for airing in self._board.airings_of(on.channel, on.spots):
                if on.feed_down == "fire_as_planned":
                    until_utc = airing.planned_utc + timedelta(milliseconds=cue.deadline_ms)
                    yield _Due(at_utc=airing.planned_utc, until_utc=until_utc, airing=airing, cue=cue, fires=True)
                if on.alert_unheard_s is not None:
                    at_utc = airing.closes_utc + timedelta(seconds=on.alert_unheard_s)
                    yield _Due(at_utc=at_utc, until_utc=at_utc + TOLD_WITHIN, airing=airing, cue=cue, fires=False)

    def _is_done(self, due: _Due, now: Moment) -> bool:
        """Whether nothing more is to be done about it, now that what can be has been done."""
        if now.utc > due.until_utc or due.key in self._done or self._board.is_heard(due.airing.airing_id):
            return True
        feeds = self._words(due.airing.channel, now.mono_ns)
        if not due.fires:
            self._tell(due, feeds)
        elif (evidence := deaf_evidence(feeds)) is not None:
            self._begin(due, evidence, now)
            self._sound(as_planned_sentence(due.airing, feeds))
        else:
            return False
        self._done.add(due.key)
        return True

    def _begin(self, due: _Due, evidence: Evidence, now: Moment) -> None:
        """Let an airing fire as if it began at its planned instant."""
        late_ns = (now.utc - due.airing.planned_utc) // timedelta(microseconds=1) * 1000
        signal = SpotPlanned(
            occurrence_id=airing_occurrence(due.airing),
            airing=due.airing,
            spot_id=due.airing.spot_id,
            channel=due.airing.channel,
            on_air_mono_ns=now.mono_ns - late_ns,
            on_air_utc=due.airing.planned_utc,
            heard_mono_ns=now.mono_ns,
        )
        self._fire(decide_planned(signal, [due.cue], evidence=evidence, now=now))

    def _tell(self, due: _Due, feeds: list[FeedWord]) -> None:
        """Tell of an airing that was not heard, unless an engine before this one has."""
        sentence = unheard_sentence(due.airing, feeds)
        if not any(alarm.text.split(";")[0] == sentence.split(";")[0] for alarm in self._board.alarms):
            self._sound(sentence)

    def _sound(self, sentence: str) -> None:
        self._tasks.begin(self._alarms.sound("warning", sentence), name="alarm")

    def _follow_feeds(self, now_ns: int) -> None:
        """Note since when each feed's listener says that it is down."""
        for feed in self._board.feed_views():
            word = self._word(feed.feed_id, feed.state, now_ns)
            if word.is_fresh and feed.state in DOWN:
                self._down_since_ns.setdefault(feed.feed_id, now_ns)
            else:
                self._down_since_ns.pop(feed.feed_id, None)

    def _words(self, channel: str, now_ns: int) -> list[FeedWord]:
        return [self._word(feed.feed_id, feed.state, now_ns) for feed in self._board.feed_views() if feed.channel == channel]

    def _word(self, feed_id: str, state: str, now_ns: int) -> FeedWord:
        return FeedWord(
            feed_id=feed_id,
            state=state,
            age_ns=self._board.status_age_ns(feed_id, now_mono_ns=now_ns),
            down_for_ns=now_ns - self._down_since_ns.get(feed_id, now_ns),
        )
