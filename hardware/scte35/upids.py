"""Identifiers in segmentation descriptors: their bytes as people write them. Pure; any bytes give a text.

Source: ANSI/SCTE 35 2023r1, table 22; EIDR's check character is ISO/IEC 7064 MOD 37,36 (EIDR ID Format 1.51).
"""

import uuid

from hardware.scte35.message import Upid

_KINDS = {
    0x01: "user_defined",
    0x02: "isci",
    0x03: "ad_id",
    0x04: "umid",
    0x05: "isan_deprecated",
    0x06: "isan",
    0x07: "tid",
    0x08: "turner_id",
    0x09: "adi",
    0x0A: "eidr",
    0x0B: "atsc_content_id",
    0x0C: "mpu",
    0x0D: "mid",
    0x0E: "ads_information",
    0x0F: "uri",
    0x10: "uuid",
    0x11: "scr",
}
_TEXTS = frozenset(("user_defined", "isci", "ad_id", "tid", "adi", "ads_information", "uri", "scr"))
_NOT_USED, _MID = 0x00, 0x0D
_MID_MAX = 32
"""Identifiers in one list; a list of 255 bytes holds no more that say something."""
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def upids_of(type_number: int, data: bytes) -> tuple[Upid, ...]:
    """The identifiers in a descriptor's UPID field: none, one, or those of a list."""
    if type_number == _MID:
        return _listed(data)
    if type_number == _NOT_USED or not data:
        return ()
    kind = _KINDS.get(type_number, f"type_{type_number:02x}")
    if kind == "mpu" and len(data) >= 4:
        return (Upid(kind=kind, text=_readable(data[4:]), format_id=_readable(data[:4])),)
    return (Upid(kind=kind, text=_text(kind, data)),)


def _listed(data: bytes) -> tuple[Upid, ...]:
    found: list[Upid] = []
    at = 0
    while at + 2 <= len(data) and len(found) < _MID_MAX:
        number, length = data[at], data[at + 1]
        value = data[at + 2 : at + 2 + length]
        if len(value) < length:
            break
        if number != _MID:  # a list in a list has no meaning
            found += upids_of(number, value)
        at += 2 + length
    return tuple(found)


def _text(kind: str, data: bytes) -> str:
    if kind in _TEXTS:
        return _readable(data)
    if kind == "uuid" and len(data) == 16:
        return str(uuid.UUID(bytes=data))
    if kind == "eidr" and len(data) == 12:
        return _eidr(data)
    if kind == "turner_id" and len(data) == 8:
        return _turner(data)
    return data.hex()


def _turner(data: bytes) -> str:
    """Its eight bytes are a number; some senders write the digits themselves."""
    return data.decode() if all(0x30 <= byte <= 0x39 for byte in data) else str(int.from_bytes(data, "big"))


def _readable(data: bytes) -> str:
    """Text as it stands when it is printable, without the blanks and zeros some senders fill up with; else hex digits."""
    try:
        text = data.decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return data.hex()
    return text if text.isprintable() else data.hex()


def _eidr(data: bytes) -> str:
    suffix = data[2:].hex().upper()
    groups = "-".join(suffix[at : at + 4] for at in range(0, 20, 4))
    return f"10.{int.from_bytes(data[:2], 'big')}/{groups}-{_check_character(suffix)}"


def _check_character(text: str) -> str:
    product = 36
    for character in text:
        product = ((product + _ALPHABET.index(character)) % 36 or 36) * 2 % 37
    return _ALPHABET[(37 - product) % 36]
