"""What a tally tells the rest of the program: whether a display's lamp says that it is on air."""

import enum
from dataclasses import dataclass
from datetime import datetime


class TallyState(enum.StrEnum):
    """What the way to the mixer is doing."""

    WAITING = "waiting"
    """Nothing has told of this display yet, or whoever did has gone."""
    LIVE = "live"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyStatus:
    """How a tally is, told at each change and twice a second.

    Attributes:
        on_air: its lamp is red, as last told; False while nobody has told.
        label: the text of its display.
        frames, damaged: understood since the program started, and not, of all displays of its address.
        refused: datagrams and callers that were none of the mixer's.
        seen_mono_ns: when this very display was last told of, 0 before the first.
        detail: a sentence for people, empty when there is nothing to say.
    """

    tally_id: str
    state: TallyState
    on_air: bool
    label: str
    frames: int
    damaged: int
    refused: int
    seen_mono_ns: int
    sent_utc: datetime
    detail: str = ""
