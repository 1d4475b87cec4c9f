"""What `hardware` tells the rest of the program: readings and what their differences mean."""

import enum
from dataclasses import dataclass, field
from datetime import datetime


class Side(enum.StrEnum):
    """Which side of a fixture."""

    HOME = "home"
    AWAY = "away"


class ScoreKind(enum.StrEnum):
    """What happened on the scoreboard."""

    GOAL = "goal"
    CORRECTION = "correction"
    PERIOD = "period"
    RESTART = "restart"
    """Play goes on: the game clock runs again after it had stopped."""
    STOP = "stop"
    """The game clock stops after it had run."""
    HORN = "horn"
    """The console's horn begins to sound."""
    TIMEOUT = "timeout"
    """A time-out begins."""
    TRIGGER = "trigger"
    """Something with a name happened that is no score: a button, a contact, a show's beginning."""


class Timeout(enum.StrEnum):
    """Whose time-out a console shows."""

    NONE = "none"
    HOME = "home"
    AWAY = "away"
    UNTOLD = "untold"
    """A time-out is on; the console does not say whose."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """One decoded state of a scoreboard. A value like the others, never changed once made.

    Not frozen: setting the fields of a frozen one took as long as all the rest of decoding a frame.

    Attributes:
        offset: index of the frame's first byte in everything fed so far.
        protocol: name of the decoder, as in `cuebird scoreboard decode --protocol`.
        home, away: points, None where the frame leaves them blank.
        clock: the game clock as shown, `mm:ss` or `ss.t`, empty when blank.
        period: as shown, empty when blank.
        running: whether the game clock runs, None where the protocol does not say.
        valid: the frame's checksum was right, or the protocol has none and the layout is sound.
        checked: the frame had a checksum, it was right and can be trusted alone; without it, changes need confirmation.
        home_told, away_told: whether this very frame told the points, rather than an earlier one of the same console.
        horn: whether the horn sounds, None where the protocol does not say.
        timeout: whose time-out is on, None where the protocol does not say.
        frame: the bytes it was read from, so that a record can name its evidence.
    """

    offset: int
    protocol: str
    home: int | None
    away: int | None
    clock: str
    period: str
    running: bool | None
    valid: bool
    checked: bool
    home_told: bool = True
    away_told: bool = True
    horn: bool | None = None
    timeout: Timeout | None = None
    frame: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreEvent:
    """What two readings' difference means, as received and verified by the engine's MQTT link.

    Attributes:
        event_id: the message's ULID, new for each message.
        venue, device, fixture: where it comes from and which match it tells of.
        kind: what happened.
        side: whose points changed, or whose time-out it is; None where it is nobody's or not told.
        delta: points added (a correction's is negative); 0 where no points changed.
        home, away: the score after the change.
        ordinal: for a goal, the side's points after it, in volleyball with 100 for each set before: with fixture and
            side it names the goal, whichever gateway reports it and however often. For a correction, the same. 0 otherwise.
        period, clock: as shown at the change.
        player: who scored, empty where the gateway does not know.
        name: of a trigger, what it tells of; empty otherwise.
        event_utc: when the change was seen at the gateway, by the gateway's clock.
        event_mono_ns: the same instant on this machine's CLOCK_MONOTONIC, estimated from `event_utc`.
        received_mono_ns: when the message reached this process.
    """

    event_id: str
    venue: str
    device: str
    fixture: str
    kind: ScoreKind
    side: Side | None
    delta: int
    home: int
    away: int
    ordinal: int
    period: str
    clock: str
    event_utc: datetime
    event_mono_ns: int
    received_mono_ns: int
    player: str = ""
    name: str = ""


class DeviceState(enum.StrEnum):
    """What a device is doing, from its retained state message and its silence."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """How a device is, for its tile; never fires anything.

    Attributes:
        key: id of the key that its newest state was signed with, empty before one came.
        clock_source, clock_error_us, clock_offset_us, clock_by: what the gateway says of its clock, as
            `hardware.clock_quality.ClockQuality`.
        clock_behind_ms: how far the gateway's clock is behind the engine's, as its newest messages show; negative when
            ahead. A message's way counts as lag, so it is at most some milliseconds too large.
        connections, dropped_events: since the gateway started: how often the console's line was opened, and events that grew
            too old before the broker could be reached.
        frame_mono_ns: when the console's newest sound frame came, by this machine's clock; 0 before the first.
    """

    venue: str
    device: str
    state: DeviceState
    fixture: str
    home: int | None
    away: int | None
    clock: str
    period: str
    good_frames: int
    bad_frames: int
    seen_mono_ns: int
    detail: str = ""
    key: str = ""
    clock_source: str = ""
    clock_error_us: int | None = None
    clock_offset_us: int | None = None
    clock_by: str = ""
    clock_behind_ms: float | None = None
    connections: int = 0
    dropped_events: int = 0
    frame_mono_ns: int = 0


class RefusalKind(enum.StrEnum):
    """Why a message is not believed, to count by; the sentence beside it tells the values."""

    RETAINED = "retained"
    TOO_LARGE = "too_large"
    OTHER_TOPIC = "other_topic"
    """Not a device's topic, or a state where an event belongs."""
    UNSIGNED = "unsigned"
    """No envelope."""
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_KEY = "unknown_key"
    ENDED_KEY = "ended_key"
    """Rightly signed with a key that is no longer valid."""
    OTHER_SIGNATURE = "other_signature"
    """A signature of another kind than the key's."""
    BAD_SIGNATURE = "bad_signature"
    MALFORMED = "malformed"
    """Signed, and no message that makes sense."""
    OTHER_DEVICE = "other_device"
    OTHER_FIXTURE = "other_fixture"
    STALE = "stale"
    FUTURE = "future"
    REPEATED = "repeated"
    OLDER_BOOT = "older_boot"
    OUT_OF_ORDER = "out_of_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that was not believed, and why; counted by kind, logged and shown, never fired."""

    topic: str
    kind: RefusalKind
    reason: str
    seen_mono_ns: int


class Admission(enum.StrEnum):
    """What became of a message at the verifier."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a sender is told of its message; `reason` is empty when it was accepted."""

    admission: Admission
    reason: str = ""
