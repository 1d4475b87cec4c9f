"""What a broadcaster's markers tell the rest of the program: that something begins on a channel at an instant, or does not."""

import enum
from dataclasses import dataclass
from datetime import datetime


class MarkerKind(enum.StrEnum):
    """What a marker says."""

    BEGINS = "begins"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerReport:
    """A marker as its source heard it. Told once, however often it is sent.

    Attributes:
        source_id: where it was heard.
        event: names the marker at its source: the same in its cancellation, another one when it is moved.
        what: what begins, in words, such as `provider advertisement start`.
        spot_ids: the spots its identifiers name, sorted; empty when they name none of ours.
        position: which spot of its break it begins, from 1; None when that is not told, or its identifiers name a spot
            that is not ours.
        upids: its identifiers as written.
        at_mono_ns: when it happens, by CLOCK_MONOTONIC (the stream's clock brought over to this machine's); mostly some
            seconds ahead.
        seen_mono_ns: when the message arrived.
        sent_utc: the same instant, aware.
    """

    source_id: str
    event: str
    kind: MarkerKind
    what: str
    spot_ids: tuple[str, ...]
    position: int | None
    upids: tuple[str, ...]
    at_mono_ns: int
    seen_mono_ns: int
    sent_utc: datetime


class MarkerSourceState(enum.StrEnum):
    """What a source of markers is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSourceStatus:
    """How a source of markers is, told once a second.

    Attributes:
        messages, damaged: understood since it was opened, and not.
        ignored: markers without an instant, too far ahead, or over.
        seen_mono_ns: when its newest data arrived, 0 before the first.
        detail: a sentence for people, empty when there is nothing to say.
    """

    source_id: str
    state: MarkerSourceState
    messages: int
    damaged: int
    ignored: int
    seen_mono_ns: int
    sent_utc: datetime
    detail: str = ""
