"""SCTE-104: what playout automation asks an injector to mark. Bytes in, messages and the answers they are owed out. Pure.

An automation system connects by TCP, introduces itself, and asks to be answered that we live; each request for a marker is a
message of one or several operations, with the time in milliseconds until it happens (its pre-roll).

Source: ANSI/SCTE 104 2023, sections 8 (messages), 9 (operations) and 12 (timestamps).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hardware.scte35.bits import Bits, CutShortError
from hardware.scte35.message import Command, Segmentation, Splice, SpliceMessage
from hardware.scte35.upids import upids_of

MESSAGE_BYTES_MAX = 16_384
OPERATIONS_MAX = 64
SUCCESS, INVALID_SYNTAX = 100, 112
_SINGLE_BYTES, _MULTIPLE_BYTES = 13, 12
_MULTIPLE = 0xFFFF
_INIT_REQUEST, _INIT_RESPONSE, _ALIVE_REQUEST, _ALIVE_RESPONSE, _INJECT_RESPONSE = 0x0001, 0x0002, 0x0003, 0x0004, 0x0007
_SPLICE, _TIME_SIGNAL, _SEGMENTATION = 0x0101, 0x0104, 0x010B
_START_NORMAL, _START_NOW, _END_NORMAL, _END_NOW, _CANCEL = 1, 2, 3, 4, 5
_TIMESTAMP_BYTES = {0: 0, 1: 6, 2: 4, 3: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A marker that was asked for.

    Attributes:
        message: what it says, as in the stream it would be put into; its time is the pre-roll.
        pre_roll_ms: how long after its arrival it happens; None when it happens at once.
        timed: it is to be counted from a time stamp and not from its arrival, which is not followed.
    """

    message: SpliceMessage
    pre_roll_ms: int | None
    timed: bool


class AutomationDecoder:
    """One connection of an automation system.

    Attributes:
        good_messages, bad_messages: understood, and not.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.good_messages = self.bad_messages = 0
        self.lost = False
        """What came cannot be a message: the connection is of no use any more."""

    def feed(self, data: bytes) -> list[Asked | bytes]:
        """What `data` completes: markers, and answers to be sent back, in order."""
        self._buffer += data
        done: list[Asked | bytes] = []
        while not self.lost and len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[2:4], "big")
            least = _MULTIPLE_BYTES if self._buffer[:2] == b"\xff\xff" else _SINGLE_BYTES
            if not least <= length <= MESSAGE_BYTES_MAX:
                # Nothing says where the next message begins.
                self.bad_messages += 1
                self.lost = True
                self._buffer.clear()
                break
            if len(self._buffer) < length:
                break
            message = bytes(self._buffer[:length])
            del self._buffer[:length]
            done += self._take(message)
        return done

    def _take(self, message: bytes) -> Iterator[Asked | bytes]:
        if int.from_bytes(message[:2], "big") != _MULTIPLE:
            self.good_messages += 1
            yield from _answer(message)
            return
        try:
            asked = _asked(message)
        except CutShortError:
            self.bad_messages += 1
            yield _response(_INJECT_RESPONSE, message[4:9], INVALID_SYNTAX, message[6:7])
            return
        self.good_messages += 1
        yield _response(_INJECT_RESPONSE, message[4:9], SUCCESS, message[6:7])
        yield from asked


def _answer(message: bytes) -> Iterator[bytes]:
    """What a single operation is answered."""
    operation = int.from_bytes(message[:2], "big")
    responses = {_INIT_REQUEST: _INIT_RESPONSE, _ALIVE_REQUEST: _ALIVE_RESPONSE}
    if operation in responses:
        # An alive request carries its time, which an injector gives back.
        data = message[_SINGLE_BYTES:] if operation == _ALIVE_REQUEST else b""
        yield _response(responses[operation], message[8:13], SUCCESS, data)


def _response(operation: int, who: bytes, result: int, data: bytes) -> bytes:
    """A single operation message; `who` is protocol version, automation index, message number and PID index."""
    length = _SINGLE_BYTES + len(data)
    numbers = (operation, length, result, 0xFFFF)
    return b"".join(number.to_bytes(2, "big") for number in numbers) + who + data


def _asked(message: bytes) -> list[Asked]:
    bits = Bits(message[4:])
    bits.skip(8 * 6)
    time_type = bits.number(8)
    bits.octets(_TIMESTAMP_BYTES.get(time_type, 0))
    splices, segmentations = list[tuple[Splice, int | None]](), list[Segmentation]()
    pre_roll_ms: int | None = None
    signals = False
    for _ in range(min(bits.number(8), OPERATIONS_MAX)):
        operation, body = bits.number(16), Bits(bits.octets(bits.number(16)))
        if operation == _SPLICE:
            splices.append(_splice(body))
        elif operation == _TIME_SIGNAL:
            pre_roll_ms, signals = body.number(16), True
        elif operation == _SEGMENTATION:
            segmentations.append(_segmentation(body))
    timed = time_type != 0
    asked = [_of_splice(splice, roll_ms, message, timed=timed) for splice, roll_ms in splices]
    if signals or segmentations:
        roll_ms = pre_roll_ms if signals else (asked[0].pre_roll_ms if asked else None)
        one = SpliceMessage(
            command=Command.TIME_SIGNAL,
            pts_adjustment=0,
            tier=0xFFF,
            signal_pts=None if roll_ms is None else roll_ms * 90,
            segmentations=tuple(segmentations),
            section=message,
        )
        asked.append(Asked(message=one, pre_roll_ms=roll_ms, timed=timed))
    return asked


def _of_splice(splice: Splice, roll_ms: int | None, message: bytes, *, timed: bool) -> Asked:
    if roll_ms is not None:
        splice = replace(splice, splice_pts=roll_ms * 90)
    one = SpliceMessage(command=Command.SPLICE_INSERT, pts_adjustment=0, tier=0xFFF, splice=splice, section=message)
    return Asked(message=one, pre_roll_ms=roll_ms, timed=timed)


def _splice(bits: Bits) -> tuple[Splice, int | None]:
    kind, event_id, program_id = bits.number(8), bits.number(32), bits.number(16)
    roll_ms, tenths = bits.number(16), bits.number(16)
    avail, expected, returns = bits.number(8), bits.number(8), bits.number(8)
    if kind == _CANCEL:
        return Splice(event_id=event_id, canceled=True), None
    at_once = kind in (_START_NOW, _END_NOW)
    splice = Splice(
        event_id=event_id,
        canceled=False,
        out=kind in (_START_NORMAL, _START_NOW),
        immediate=at_once,
        duration_ticks=tenths * 9000 or None,
        auto_return=bool(returns),
        unique_program_id=program_id,
        avail_number=avail,
        avails_expected=expected,
    )
    return splice, None if at_once else roll_ms


def _segmentation(bits: Bits) -> Segmentation:
    event_id, canceled, duration_s = bits.number(32), bool(bits.number(8)), bits.number(16)
    kind, length = bits.number(8), bits.number(8)
    upids = upids_of(kind, bits.octets(length))
    type_id, number, expected = bits.number(8), bits.number(8), bits.number(8)
    if canceled:
        return Segmentation(event_id=event_id, canceled=True)
    return Segmentation(
        event_id=event_id,
        canceled=False,
        type_id=type_id,
        duration_ticks=duration_s * 90_000 or None,
        segment_number=number,
        segments_expected=expected,
        upids=upids,
    )
