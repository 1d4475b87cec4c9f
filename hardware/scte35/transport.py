"""An MPEG transport stream taken apart as far as markers need it: packets, sections, programmes and their clocks.

Pure: bytes in, events out, wherever the stream was cut; no bytes raise. Everything that is kept is bounded.

Source: ISO/IEC 13818-1, sections 2.4.3 (packets) and 2.4.4 (tables); ANSI/SCTE 35 2023r1, section 8 (where messages are).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hardware.scte35.message import SpliceMessage
from hardware.scte35.sections import SectionError, crc32_mpeg2, decode_section

PACKET_BYTES = 188
PROGRAMS_MAX = 256
"""Programmes followed in one stream; real ones have a few."""
_STRIDES = (188, 192, 204)
"""Packets alone, with a time stamp before each (Blu-ray), or with error correction behind (DVB)."""
_SYNC = 0x47
_PAT_PID, _NULL_PID = 0x0000, 0x1FFF
_PAT_TABLE, _PMT_TABLE, _STUFFING = 0x00, 0x02, 0xFF
_SPLICE_STREAM = 0x86
_REGISTRATION = 0x05


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """A programme clock reference.

    Attributes:
        pcr: ticks of 27 MHz.
        jumped: the sender says that the clock began anew.
    """

    program: int
    pcr: int
    jumped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardMessage:
    """A message of a programme.

    Attributes:
        offset: place in the stream of the packet that completed it.
        registered: its stream says that it carries SCTE-35; without that it was only found there.
        clock_pts: the programme's clock when it came, in ticks of 90 kHz; None before the first reference.
    """

    offset: int
    program: int
    pid: int
    registered: bool
    clock_pts: int | None
    message: SpliceMessage


@dataclass(slots=True)
class _Assembler:
    """Sections of one PID, put together from its packets; a section's length has 12 bits, which bounds the buffer."""

    buffer: bytearray = field(default_factory=bytearray)
    begun: bool = False
    counter: int | None = None

    def drop(self) -> None:
        self.buffer.clear()
        self.begun = False

    def feed(self, payload: bytes, *, starts: bool) -> Iterator[bytes]:
        if starts:
            pointer = payload[0] if payload else 0
            if pointer + 1 > len(payload):
                self.drop()
                return
            if self.begun:
                self.buffer += payload[1 : 1 + pointer]
                yield from self._whole()
            self.buffer[:] = payload[1 + pointer :]
            self.begun = True
        elif self.begun:
            self.buffer += payload
        else:
            return
        yield from self._whole()

    def _whole(self) -> Iterator[bytes]:
        while self.begun and len(self.buffer) >= 3:
            if self.buffer[0] == _STUFFING:
                self.drop()
                return
            length = 3 + ((self.buffer[1] & 0x0F) << 8 | self.buffer[2])
            if len(self.buffer) < length:
                return
            yield bytes(self.buffer[:length])
            del self.buffer[:length]


@dataclass(slots=True)
class _Program:
    number: int
    table: bytes = b""
    clock_pid: int = _NULL_PID
    splice_pids: dict[int, bool] = field(default_factory=dict)
    pcr: int | None = None


class TransportDecoder:
    """Turns a transport stream's bytes into its programmes' messages and clock references.

    Args:
        program: the one that is followed; None for all.

    Attributes:
        good_sections, bad_sections: messages understood, and those damaged or not to be understood.
        lost_packets: how often the packets of a followed PID did not follow each other.
        last_fault: what was wrong with the newest bad one, empty before the first.
    """

    def __init__(self, *, program: int | None = None) -> None:
        self._wanted = program
        self._buffer = bytearray()
        self._buffer_offset = 0
        self._stride = PACKET_BYTES
        self._skip = 0
        self._table = b""
        self._programs: dict[int, _Program] = {}
        """By the PID of its map."""
        self._assemblers: dict[int, _Assembler] = {_PAT_PID: _Assembler()}
        self._splice: dict[int, list[_Program]] = {}
        self._clocks: dict[int, list[_Program]] = {}
        self.good_sections = self.bad_sections = self.lost_packets = 0
        self.last_fault = ""

    @property
    def programs(self) -> dict[int, tuple[int, ...]]:
        """The PIDs that carry messages, by programme."""
        return {one.number: tuple(one.splice_pids) for one in self._programs.values()}

    def feed(self, data: bytes) -> list[HeardMessage | ClockReading]:
        """What `data` completes, in the stream's order."""
        self._buffer += data
        events: list[HeardMessage | ClockReading] = []
        buffer, at = self._buffer, self._skip
        while at + PACKET_BYTES <= len(buffer):
            if buffer[at] != _SYNC:
                found = self._synchronised(at)
                if found is None:
                    at = max(at, len(buffer) - max(_STRIDES))
                    break
                at = found
                continue
            pid = (buffer[at + 1] & 0x1F) << 8 | buffer[at + 2]
            if pid in self._assemblers or pid in self._clocks:
                self._take(bytes(buffer[at : at + PACKET_BYTES]), pid, self._buffer_offset + at, events)
            at += self._stride
        # What stands between two packets may not have arrived yet.
        self._skip = max(0, at - len(buffer))
        at -= self._skip
        del buffer[:at]
        self._buffer_offset += at
        return events

    def _synchronised(self, at: int) -> int | None:
        """Where the next packet begins: a sync byte that another one follows; None when that is not to be seen yet."""
        buffer = self._buffer
        while (at := buffer.find(_SYNC, at)) >= 0 and at + max(_STRIDES) < len(buffer):
            for stride in _STRIDES:
                if buffer[at + stride] == _SYNC:
                    self._stride = stride
                    return at
            at += 1
        return None

    def _take(self, packet: bytes, pid: int, offset: int, events: list[HeardMessage | ClockReading]) -> None:
        damaged, starts = bool(packet[1] & 0x80), bool(packet[1] & 0x40)
        scrambled, adaptation, counter = packet[3] >> 6, packet[3] >> 4 & 3, packet[3] & 15
        assembler = self._assemblers.get(pid)
        if damaged:
            if assembler is not None:
                assembler.drop()
            return
        begin, jumped = 4, False
        if adaptation & 2:
            begin = 5 + packet[4]
            jumped = packet[4] > 0 and bool(packet[5] & 0x80)
            if packet[4] >= 7 and packet[5] & 0x10:
                self._take_clock(packet, pid, events, jumped=jumped)
        if assembler is None or not adaptation & 1 or scrambled or begin >= PACKET_BYTES:
            return
        if not self._follows(assembler, counter, jumped=jumped):
            return
        for section in assembler.feed(packet[begin:], starts=starts):
            self._take_section(section, pid, offset, events)

    def _follows(self, assembler: _Assembler, counter: int, *, jumped: bool) -> bool:
        """Whether a packet is the next one of its PID; a repeated one is not, and behind a gap another section begins."""
        before, assembler.counter = assembler.counter, counter
        if before is None or jumped:
            return True
        if counter == before:
            return False
        if counter != (before + 1) & 15:
            self.lost_packets += 1
            assembler.drop()
        return True

    def _take_clock(self, packet: bytes, pid: int, events: list[HeardMessage | ClockReading], *, jumped: bool) -> None:
        field_bits = int.from_bytes(packet[6:12], "big")
        pcr = (field_bits >> 15) * 300 + (field_bits & 0x1FF)
        for program in self._clocks.get(pid, ()):
            program.pcr = pcr
            events.append(ClockReading(program=program.number, pcr=pcr, jumped=jumped))

    def _take_section(self, section: bytes, pid: int, offset: int, events: list[HeardMessage | ClockReading]) -> None:
        if pid == _PAT_PID:
            self._take_programs(section)
        elif pid in self._programs:
            self._take_map(section, self._programs[pid])
        if pid in self._splice:
            self._take_message(section, pid, offset, events)

    def _take_message(self, section: bytes, pid: int, offset: int, events: list[HeardMessage | ClockReading]) -> None:
        try:
            message = decode_section(section)
        except SectionError as error:
            self.bad_sections += 1
            self.last_fault = str(error)
            return
        self.good_sections += 1
        events += [
            HeardMessage(
                offset=offset,
                program=program.number,
                pid=pid,
                registered=program.splice_pids[pid],
                clock_pts=None if program.pcr is None else program.pcr // 300,
                message=message,
            )
            for program in self._splice[pid]
        ]

    # --- tables ---------------------------------------------------------------------------------

    def _take_programs(self, section: bytes) -> None:
        if section == self._table or not _is_current(section, _PAT_TABLE):
            return
        self._table = section
        programs: dict[int, _Program] = {}
        for at in range(8, len(section) - 4 - 3, 4):
            number, pid = int.from_bytes(section[at : at + 2], "big"), int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF
            if number == 0 or self._wanted not in (None, number) or len(programs) >= PROGRAMS_MAX:
                continue
            known = self._programs.get(pid)
            programs[pid] = known if known is not None and known.number == number else _Program(number=number)
        self._programs = programs
        self._look_up()

    def _take_map(self, section: bytes, program: _Program) -> None:
        if section == program.table or not _is_current(section, _PMT_TABLE) or len(section) < 16:
            return
        if int.from_bytes(section[3:5], "big") != program.number:
            return  # Several programmes may share the PID of their maps.
        program.table = section
        program.clock_pid = int.from_bytes(section[8:10], "big") & 0x1FFF
        begin = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
        of_program = _has_registration(section[12:begin])
        program.splice_pids = {}
        while begin + 5 <= len(section) - 4:
            kind, pid = section[begin], int.from_bytes(section[begin + 1 : begin + 3], "big") & 0x1FFF
            end = begin + 5 + (int.from_bytes(section[begin + 3 : begin + 5], "big") & 0x0FFF)
            if kind == _SPLICE_STREAM:
                program.splice_pids[pid] = of_program or _has_registration(section[begin + 5 : end])
            begin = end
        self._look_up()

    def _look_up(self) -> None:
        """Follow the PIDs that the tables name now, and forget the others."""
        self._splice, self._clocks = {}, {}
        for program in self._programs.values():
            for pid in program.splice_pids:
                self._splice.setdefault(pid, []).append(program)
            if program.clock_pid != _NULL_PID:
                self._clocks.setdefault(program.clock_pid, []).append(program)
        followed = {_PAT_PID, *self._programs, *self._splice}
        self._assemblers = {pid: self._assemblers.get(pid) or _Assembler() for pid in followed}


def _is_current(section: bytes, table: int) -> bool:
    """Whether it is an undamaged section of that table, valid now."""
    return len(section) >= 12 and section[0] == table and bool(section[5] & 1) and not crc32_mpeg2(section)


def _has_registration(descriptors: bytes) -> bool:
    at = 0
    while at + 6 <= len(descriptors):
        if descriptors[at] == _REGISTRATION and descriptors[at + 2 : at + 6] == b"CUEI":
            return True
        at += 2 + descriptors[at + 1]
    return False
