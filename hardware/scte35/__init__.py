"""Broadcasters' markers: SCTE-35 messages in a transport stream, SCTE-104 messages on their way there.

    bytes ─► packets ─► sections ─► message ─► markers (what begins or ends, and when) ─► MarkerReport
             transport              sections   markers                     stream_clock

All of it is pure: bytes, values and instants come as arguments.
"""

from hardware.scte35.message import SEGMENTATION_TYPES, Command, Segmentation, Splice, SpliceMessage, Upid
from hardware.scte35.sections import SectionError, decode_section, section_from_text
from hardware.scte35.transport import ClockReading, HeardMessage, TransportDecoder

__all__ = [
    "SEGMENTATION_TYPES",
    "ClockReading",
    "Command",
    "HeardMessage",
    "SectionError",
    "Segmentation",
    "Splice",
    "SpliceMessage",
    "TransportDecoder",
    "Upid",
    "decode_section",
    "section_from_text",
]
