"""What the engine shows of itself: the values of docs/engine-socket.md, as frozen classes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

JsonObject = dict[str, Any]
"""A parsed JSON object; its values are whatever JSON holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerView:
    """How late the timer of audience delays is.

    Attributes:
        waits, sum_ms: since the engine began.
        p50_ms, p99_ms, max_ms: of its newest thousand waits; None before the first.
        buckets: each bound in milliseconds, and how many waits since the beginning were late by at most that.
    """

    waits: int
    sum_ms: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    buckets: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """The engine itself; sent once a second as `heartbeat`."""

    pid: int
    started_utc: datetime
    utc: datetime
    mono_ns: int
    epoch: int
    mode: str
    killed: bool
    kill_reason: str
    kill_actor: str
    timer: TimerView


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """A feed's last status and last match.

    `delay_ms` runs from the arrival of sound to the decision about it; `dropped_blocks` and `gaps` count from its opening.
    """

    feed_id: str
    channel: str
    state: str
    level_db: float
    position_s: float
    seen_mono_ns: int
    sent_utc: datetime | None
    detail: str
    last_spot: str
    last_utc: datetime | None
    delay_ms: float = 0.0
    dropped_blocks: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionView:
    """A detection, with the channel its feed belongs to."""

    spot_id: str
    spot_ids: tuple[str, ...]
    feed_id: str
    channel: str
    onset_s: float
    decided_s: float
    score: float
    threshold: float
    speed: float
    onset_mono_ns: int
    decided_mono_ns: int
    decided_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A scoreboard's last state.

    `refusals`: how many of its messages were refused, by `hardware.events.RefusalKind`; `refused` is their sum. `key`: id of
    the key that its last state was signed with. `clock_*`, `connections`, `dropped_events` and `frame_mono_ns`: as in
    `hardware.events.DeviceStatus`. `last_event`: its newest one in words, empty before the first.
    """

    venue: str
    device: str
    state: str
    fixture: str
    home: int | None
    away: int | None
    clock: str
    period: str
    good_frames: int
    bad_frames: int
    refused: int
    seen_mono_ns: int
    detail: str
    key: str = ""
    clock_source: str = ""
    clock_error_us: int | None = None
    clock_offset_us: int | None = None
    clock_by: str = ""
    clock_behind_ms: float | None = None
    refusals: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    dropped_events: int = 0
    frame_mono_ns: int = 0
    last_event: str = ""
    last_event_utc: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSourceView:
    """A source of broadcasters' markers; `ignored` are those without a usable instant."""

    source_id: str
    channel: str
    state: str
    messages: int
    damaged: int
    ignored: int
    seen_mono_ns: int
    sent_utc: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyView:
    """A mixer's tally lamp that cues wait for; `on_air` is what was last told, `seen_mono_ns` when, good for `silence_s`."""

    tally_id: str
    state: str
    on_air: bool
    label: str
    frames: int
    damaged: int
    refused: int
    seen_mono_ns: int
    silence_s: float
    sent_utc: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerView:
    """A marker and what it was taken for.

    Attributes:
        spot_id, airing_id: empty when it names none of ours, or is off plan.
        state: `announced` or `canceled`.
        sound_later_ms: by how much the spot's sound began later than the marker says; None while it was not heard.
    """

    source_id: str
    event: str
    channel: str
    what: str
    spot_id: str
    airing_id: str
    upids: tuple[str, ...]
    at_mono_ns: int
    at_utc: datetime
    state: str
    sound_later_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CueView:
    """A cue and whether it could fire now; `warning` is what will keep it from firing later, empty when nothing will."""

    cue_id: str
    name: str
    kind: str
    account_id: str
    state: str
    detail: str
    variants_left: int
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AiringView:
    """A planned airing and what became of it so far."""

    airing_id: str
    channel: str
    spot_id: str
    number: int
    planned_utc: datetime
    opens_utc: datetime
    closes_utc: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    """A firing's instants; None where it has not got so far."""

    on_air_mono_ns: int | None
    heard_mono_ns: int | None
    decided_mono_ns: int | None
    claimed_mono_ns: int | None
    first_byte_mono_ns: int | None
    answered_mono_ns: int | None
    on_air_utc: datetime | None
    decided_utc: datetime | None
    answered_utc: datetime | None
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringView:
    """A firing record with its receipt."""

    firing_id: int
    occurrence_id: str
    cue_id: str
    cue_name: str
    account_id: str
    mode: str
    action: str
    state: str
    reason: str
    guard: str
    text: str
    tweet_id: str | None
    updated_utc: datetime
    receipt: ReceiptView
    steps_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account's connections, limits and, with OAuth 2.0, the end of its access token."""

    account_id: str
    handle: str
    connections: int
    warm: bool
    remaining: int | None
    reset_utc: datetime | None
    last_answer_utc: datetime | None
    detail: str
    token_expires_utc: datetime | None
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """One thing a person should know of."""

    alarm_id: int
    utc: datetime
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything at once."""

    engine: EngineView
    feeds: tuple[FeedView, ...]
    detections: tuple[DetectionView, ...]
    devices: tuple[DeviceView, ...]
    marker_sources: tuple[MarkerSourceView, ...]
    markers: tuple[MarkerView, ...]
    tallies: tuple[TallyView, ...]
    cues: tuple[CueView, ...]
    airings: tuple[AiringView, ...]
    firings: tuple[FiringView, ...]
    accounts: tuple[AccountView, ...]
    alarms: tuple[AlarmView, ...]


def as_json(value: object) -> JsonObject:
    """A frozen class as a JSON object: instants as ISO 8601, tuples as lists, enums as their values."""
    result: JsonObject = to_jsonable_python(value)
    return result
