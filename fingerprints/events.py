"""What `fingerprints` tells the rest of the program: plain, frozen facts about feeds."""

import enum
from dataclasses import dataclass
from datetime import datetime


class FeedState(enum.StrEnum):
    """What a feed is doing, as seen by its listener."""

    CONNECTING = "connecting"
    LIVE = "live"
    SILENT = "silent"
    STALLED = "stalled"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Evidence that a spot's first audible sample was heard on a feed.

    Attributes:
        spot_id: the likeliest spot.
        spot_ids: every spot the evidence cannot tell apart yet, `spot_id` among them, sorted
            (cut-downs of one campaign share their heads).
        feed_id: where it was heard.
        onset_s: stream position of the spot's first audible sample, seconds since the feed opened.
        decided_s: stream position of the last sample the decision needed.
        score: log-likelihood ratio at the decision, in nats.
        threshold: what the score had to reach, in nats.
        speed: playback speed against the reference, 1.0 as delivered.
        onset_mono_ns: when that first audible sample reached the capture, by CLOCK_MONOTONIC.
        decided_mono_ns: when the decision was made.
        decided_utc: the same instant, aware.
    """

    spot_id: str
    spot_ids: tuple[str, ...]
    feed_id: str
    onset_s: float
    decided_s: float
    score: float
    threshold: float
    speed: float
    onset_mono_ns: int
    decided_mono_ns: int
    decided_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEnd:
    """How far a detected spot ran: sent when it ends or is cut. Never fires anything.

    Attributes:
        onset_s: the `onset_s` of the `Detection` it belongs to.
        end_s: stream position after the last sample that still matched.
        coverage: share of the spot's length that was heard, 0 to 1.
        spot_id: the spot it turned out to be (a cut-down may be told from its long version only here).
        speed: playback speed against the reference, 1.0 as delivered.
        confidence: share of the evidence that a flawless reception would have given, 0 to 1.
        confidences: the same for each second of the spot until it was last heard; None for a second in which the spot itself
            says next to nothing, 0 for one before a late airing was joined.
        cut_s: how long after its onset it was broken off, seconds as played; None when it ran to its end.
        late: its head was not heard; `onset_s` is where it would have begun, and may lie before the feed did.
    """

    spot_id: str
    feed_id: str
    onset_s: float
    end_s: float
    coverage: float
    speed: float = 1.0
    confidence: float = 1.0
    cut_s: float | None = None
    confidences: tuple[float | None, ...] = ()
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFound:
    """A spot is on air whose beginning was not heard. Never fires anything; a `FollowEnd` with `late` follows it.

    Attributes:
        spot_id: the likeliest spot.
        spot_ids: every spot it may be, `spot_id` among them, sorted.
        onset_s: stream position at which it would have begun; negative when that was before the feed opened.
        joined_s: stream position from which on it was heard.
        decided_s: stream position of the last sample the decision needed.
        score: log-likelihood ratio at the decision, in nats.
        threshold: what the score had to reach, in nats.
        speed: playback speed against the reference, 1.0 as delivered.
    """

    spot_id: str
    spot_ids: tuple[str, ...]
    feed_id: str
    onset_s: float
    joined_s: float
    decided_s: float
    score: float
    threshold: float
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """How a feed is, sent ten times a second while it lives and at each change of state.

    Attributes:
        level_db: RMS of the last block in dB full scale, -120.0 when there is none.
        position_s: stream position of the newest sample.
        seen_mono_ns: when the newest sample arrived, 0 before the first.
        detail: a sentence for people, empty when there is nothing to say.
        delay_ms: the longest time, since the last status, from the arrival of a block to the decision about it.
        dropped_blocks: blocks lost since the feed was first opened because matching did not keep up.
        gaps: how often sound has been missing: dropped, lost on the way, or between two connections.
    """

    feed_id: str
    state: FeedState
    level_db: float
    position_s: float
    seen_mono_ns: int
    sent_utc: datetime
    detail: str = ""
    delay_ms: float = 0.0
    dropped_blocks: int = 0
    gaps: int = 0
