"""Splice information sections: bytes to messages. Pure: nothing but `SectionError` is raised, whatever the bytes.

Source: ANSI/SCTE 35 2023r1, section 9.6; CRC: ISO/IEC 13818-1 annex A.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from hardware.errors import HardwareError
from hardware.scte35.bits import Bits, CutShortError
from hardware.scte35.message import PTS_MODULUS, Command, Segmentation, Splice, SpliceMessage
from hardware.scte35.upids import upids_of

TABLE_ID = 0xFC
SECTION_BYTES_MAX = 4096
TEXT_LETTERS_MAX = 1 << 20
_SECTION_BYTES_MIN = 3 + 11 + 2 + 4
"""Header, fixed part, descriptor loop's length and checksum."""
_CUEI = b"CUEI"
_LENGTH_NOT_TOLD = 0xFFF
_COMMANDS = {
    0x00: Command.SPLICE_NULL,
    0x04: Command.SPLICE_SCHEDULE,
    0x05: Command.SPLICE_INSERT,
    0x06: Command.TIME_SIGNAL,
    0x07: Command.BANDWIDTH_RESERVATION,
    0xFF: Command.PRIVATE,
}
_AVAIL, _SEGMENTATION = 0x00, 0x02


class SectionError(HardwareError):
    """Bytes that are no splice information section, or a damaged one; the text says what is wrong."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def crc32_mpeg2(data: bytes) -> int:
    """The checksum of MPEG-2 sections; 0 over a whole section that is undamaged."""
    value = 0xFFFFFFFF
    for byte in data:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value


def section_from_text(text: str) -> bytes:
    """A section written in base64 or in hex digits, with or without 0x and blanks between.

    Raises:
        SectionError: it is neither.
    """
    if len(text) > TEXT_LETTERS_MAX:
        raise SectionError(f"{len(text)} letters; a message has at most {SECTION_BYTES_MAX} bytes")
    bare = re.sub(r"\s", "", text).strip("\"'")
    digits = bare[2:] if bare[:2].lower() == "0x" else bare
    if digits and len(digits) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", digits):
        return bytes.fromhex(digits)
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SectionError(f"{text[:40]!r}: neither base64 nor hex digits; a message begins with /D or FC") from error
    if not data:
        raise SectionError("empty; give a message in base64 or in hex digits")
    return data


def decode_section(section: bytes) -> SpliceMessage:
    """The message in a section; what follows its end is left alone.

    Raises:
        SectionError: it is another table, cut short, damaged, or says what no section may say.
    """
    if len(section) < _SECTION_BYTES_MIN:
        raise SectionError(f"{len(section)} bytes; a section has at least {_SECTION_BYTES_MIN}")
    if section[0] != TABLE_ID:
        raise SectionError(f"table {section[0]:02X}, not FC")
    length = 3 + ((section[1] & 0x0F) << 8 | section[2])
    if not _SECTION_BYTES_MIN <= length <= len(section):
        raise SectionError(f"its length says {length} bytes, there are {len(section)}")
    section = section[:length]
    if crc32_mpeg2(section):
        raise SectionError("its checksum is wrong")
    if section[3] != 0:
        raise SectionError(f"protocol version {section[3]}, not 0")
    try:
        return _parsed(section)
    except CutShortError as error:
        raise SectionError("its fields run past its end") from error


def _parsed(section: bytes) -> SpliceMessage:
    bits = Bits(section[4:-4])
    encrypted = bits.flag()
    bits.skip(6)
    adjustment = bits.number(33)
    bits.skip(8)
    tier, length, number = bits.number(12), bits.number(12), bits.number(8)
    command = _COMMANDS.get(number)
    if command is None:
        raise SectionError(f"command {number:02X} is reserved")
    if encrypted:
        return SpliceMessage(command=command, pts_adjustment=adjustment, tier=tier, encrypted=True, section=section)
    splice, signal_pts = None, None
    # A length is not told by old senders; the two commands that matter tell their own.
    body = bits if length == _LENGTH_NOT_TOLD else Bits(bits.octets(length))
    if command is Command.SPLICE_INSERT:
        splice = _splice(body, adjustment)
    elif command is Command.TIME_SIGNAL:
        signal_pts = _time(body, adjustment)
    elif length == _LENGTH_NOT_TOLD and command not in (Command.SPLICE_NULL, Command.BANDWIDTH_RESERVATION):
        return SpliceMessage(command=command, pts_adjustment=adjustment, tier=tier, section=section, faults=("no length told",))
    segmentations, avails, faults = _descriptors(bits.octets(bits.number(16)))
    return SpliceMessage(
        command=command,
        pts_adjustment=adjustment,
        tier=tier,
        splice=splice,
        signal_pts=signal_pts,
        segmentations=segmentations,
        avail_ids=avails,
        faults=faults,
        section=section,
    )


def _time(bits: Bits, adjustment: int) -> int | None:
    """A splice_time: the adjusted instant, None when it tells none."""
    if not bits.flag():
        bits.skip(7)
        return None
    bits.skip(6)
    return (bits.number(33) + adjustment) % PTS_MODULUS


def _splice(bits: Bits, adjustment: int) -> Splice:
    event_id, canceled = bits.number(32), bits.flag()
    bits.skip(7)
    if canceled:
        return Splice(event_id=event_id, canceled=True)
    out, whole_program, has_duration, immediate = bits.flag(), bits.flag(), bits.flag(), bits.flag()
    bits.skip(4)
    instant = None
    if whole_program:
        instant = None if immediate else _time(bits, adjustment)
    else:
        for _ in range(bits.number(8)):
            bits.skip(8)
            own = None if immediate else _time(bits, adjustment)
            instant = own if instant is None else instant
    auto_return, duration = False, None
    if has_duration:
        auto_return = bits.flag()
        bits.skip(6)
        duration = bits.number(33)
    return Splice(
        event_id=event_id,
        canceled=False,
        out=out,
        immediate=immediate,
        splice_pts=instant,
        duration_ticks=duration,
        auto_return=auto_return,
        unique_program_id=bits.number(16),
        avail_number=bits.number(8),
        avails_expected=bits.number(8),
    )


def _descriptors(data: bytes) -> tuple[tuple[Segmentation, ...], tuple[int, ...], tuple[str, ...]]:
    segmentations, avails, faults = list[Segmentation](), list[int](), list[str]()
    for tag, body in _each_descriptor(data, faults):
        try:
            if tag == _SEGMENTATION:
                segmentations.append(_segmentation(Bits(body)))
            elif tag == _AVAIL:
                avails.append(Bits(body).number(32))
        except CutShortError:
            faults.append(f"descriptor {tag:02X} is cut short")
    return tuple(segmentations), tuple(avails), tuple(faults)


def _each_descriptor(data: bytes, faults: list[str]) -> Iterator[tuple[int, bytes]]:
    """Each descriptor of SCTE's own; private ones are left out."""
    at = 0
    while at + 2 <= len(data):
        end = at + 2 + data[at + 1]
        if end > len(data):
            faults.append(f"descriptor {data[at]:02X} runs past its loop")
            return
        if data[at + 2 : at + 6] == _CUEI and end - at >= 6:
            yield data[at], data[at + 6 : end]
        at = end


def _segmentation(bits: Bits) -> Segmentation:
    event_id, canceled = bits.number(32), bits.flag()
    bits.skip(7)
    if canceled:
        return Segmentation(event_id=event_id, canceled=True)
    whole_program, has_duration = bits.flag(), bits.flag()
    bits.skip(6)
    if not whole_program:
        bits.skip(bits.number(8) * 48)
    duration = bits.number(40) if has_duration else None
    upid_type, upid_bytes = bits.number(8), bits.number(8)
    upids = upids_of(upid_type, bits.octets(upid_bytes))
    return Segmentation(
        event_id=event_id,
        canceled=False,
        type_id=bits.number(8),
        duration_ticks=duration,
        segment_number=bits.number(8),
        segments_expected=bits.number(8),
        upids=upids,
    )
