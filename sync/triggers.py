"""Which press of a button a report tells of: the same one, whoever reports it and however often. Pure: instants come with it."""

from collections import deque
from datetime import UTC, datetime, timedelta

from hardware.events import ScoreEvent
from sync.signals import OccurrenceId, Triggered, trigger_occurrence

SAME = timedelta(seconds=5)
"""Reports of one name that lie no further apart tell of one press: two gateways on one contact, a clock a second off."""
NAMES_MAX = 1000
INSTANTS_MAX = 64


class Triggers:
    """The presses of late, by fixture and name. Bounded: of too many the oldest go."""

    def __init__(self) -> None:
        self._first_utc: dict[tuple[str, str], deque[datetime]] = {}

    def remember(self, occurrence_id: str) -> None:
        """Know an occurrence that was claimed before this process began."""
        fixture, name, instant = occurrence_id.removeprefix("trigger:").rsplit("/", 2)
        first_utc = datetime.strptime(instant, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        self._instants(fixture, name).append(first_utc)

    def signal(self, event: ScoreEvent) -> Triggered:
        """What a trigger's event means."""
        return Triggered(
            occurrence_id=self._occurrence(event.fixture, event.name, event.event_utc),
            fixture=event.fixture,
            name=event.name,
            device=event.device,
            on_air_mono_ns=event.event_mono_ns,
            on_air_utc=event.event_utc,
            heard_mono_ns=event.received_mono_ns,
        )

    def _occurrence(self, fixture: str, name: str, event_utc: datetime) -> OccurrenceId:
        known = self._instants(fixture, name)
        near = [first_utc for first_utc in known if abs(first_utc - event_utc) <= SAME]
        if not near:
            known.append(event_utc)
        first_utc = min(near, key=lambda one: abs(one - event_utc), default=event_utc)
        return trigger_occurrence(fixture=fixture, name=name, first_utc=first_utc)

    def _instants(self, fixture: str, name: str) -> deque[datetime]:
        known = self._first_utc.pop((fixture, name), None) or deque(maxlen=INSTANTS_MAX)
        self._first_utc[fixture, name] = known
        while len(self._first_utc) > NAMES_MAX:
            del self._first_utc[next(iter(self._first_utc))]
        return known
