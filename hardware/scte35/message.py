"""What a SCTE-35 message says, as frozen values: the section's header, its command and its segmentations.

Instants are `_pts`: ticks of 90 kHz, 33 bits, with `pts_adjustment` added already.

Source: ANSI/SCTE 35 2023r1, sections 9 and 10.
"""

import enum
from dataclasses import dataclass

PTS_MODULUS = 1 << 33
"""Where presentation times begin again: after 26.5 hours."""
TICKS_PER_S = 90_000


class Command(enum.StrEnum):
    """What a message asks for."""

    SPLICE_NULL = "splice_null"
    SPLICE_SCHEDULE = "splice_schedule"
    SPLICE_INSERT = "splice_insert"
    TIME_SIGNAL = "time_signal"
    BANDWIDTH_RESERVATION = "bandwidth_reservation"
    PRIVATE = "private_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upid:
    """An identifier of what a segment is.

    Attributes:
        kind: its type, such as `ad_id` or `isci`.
        text: the identifier as people write it; hex digits where it has no such form.
        format_id: for an MPU, whose format its bytes have.
    """

    kind: str
    text: str
    format_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """A segmentation descriptor: which segment begins or ends at the message's time.

    Attributes:
        canceled: the segmentation of this event id does not happen after all; nothing else is told then.
        type_id: what begins or ends, such as 0x34.
        duration_ticks: how long it lasts, None when that is not told.
        segment_number, segments_expected: which of how many; 0 when they are not counted.
        upids: what it is.
    """

    event_id: int
    canceled: bool
    type_id: int = 0
    duration_ticks: int | None = None
    segment_number: int = 0
    segments_expected: int = 0
    upids: tuple[Upid, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """A splice_insert: the programme is left for a break, or returned to.

    Attributes:
        canceled: the splice of this event id does not happen after all; nothing else is told then.
        out: out of the programme into a break, else back to it.
        immediate: as soon as possible; `splice_pts` is None then.
        splice_pts: when; of several components the first.
        duration_ticks: how long the break is, None when that is not told.
        auto_return: the break ends by itself.
        avail_number, avails_expected: which of how many; 0 when they are not counted.
    """

    event_id: int
    canceled: bool
    out: bool = False
    immediate: bool = False
    splice_pts: int | None = None
    duration_ticks: int | None = None
    auto_return: bool = False
    unique_program_id: int = 0
    avail_number: int = 0
    avails_expected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpliceMessage:
    """One splice_info_section whose checksum is right.

    Attributes:
        pts_adjustment: what has been added to every time in it.
        splice: for a splice_insert, what it says.
        signal_pts: for a time_signal, its time; None when it means now.
        segmentations: its segmentation descriptors.
        avail_ids: its avail descriptors.
        encrypted: the command is encrypted and so not known.
        faults: what in it could not be understood, one phrase each; the rest stands.
        section: its bytes.
    """

    command: Command
    pts_adjustment: int
    tier: int
    splice: Splice | None = None
    signal_pts: int | None = None
    segmentations: tuple[Segmentation, ...] = ()
    avail_ids: tuple[int, ...] = ()
    encrypted: bool = False
    faults: tuple[str, ...] = ()
    section: bytes


SEGMENTATION_TYPES = {
    0x00: "not indicated",
    0x01: "content identification",
    0x02: "private",
    0x10: "program start",
    0x11: "program end",
    0x12: "program early termination",
    0x13: "program breakaway",
    0x14: "program resumption",
    0x15: "program runover planned",
    0x16: "program runover unplanned",
    0x17: "program overlap start",
    0x18: "program blackout override",
    0x19: "program join",
    0x1A: "program immediate resumption",
    0x20: "chapter start",
    0x21: "chapter end",
    0x22: "break start",
    0x23: "break end",
    0x24: "opening credit start",
    0x25: "opening credit end",
    0x26: "closing credit start",
    0x27: "closing credit end",
    0x30: "provider advertisement start",
    0x31: "provider advertisement end",
    0x32: "distributor advertisement start",
    0x33: "distributor advertisement end",
    0x34: "provider placement opportunity start",
    0x35: "provider placement opportunity end",
    0x36: "distributor placement opportunity start",
    0x37: "distributor placement opportunity end",
    0x38: "provider overlay placement opportunity start",
    0x39: "provider overlay placement opportunity end",
    0x3A: "distributor overlay placement opportunity start",
    0x3B: "distributor overlay placement opportunity end",
    0x3C: "provider promo start",
    0x3D: "provider promo end",
    0x3E: "distributor promo start",
    0x3F: "distributor promo end",
    0x40: "unscheduled event start",
    0x41: "unscheduled event end",
    0x42: "alternate content opportunity start",
    0x43: "alternate content opportunity end",
    0x44: "provider ad block start",
    0x45: "provider ad block end",
    0x46: "distributor ad block start",
    0x47: "distributor ad block end",
    0x50: "network start",
    0x51: "network end",
}
"""Source: SCTE 35 2023r1, table 23."""
