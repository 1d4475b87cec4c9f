"""Transport streams with markers, made for tests: sections with right checksums, in packets with right counters."""

from dataclasses import dataclass, field

from hardware.scte35.sections import crc32_mpeg2

PMT_PID, SPLICE_PID, CLOCK_PID = 0x100, 0x1F4, 0x101
CUEI = b"CUEI"


def with_checksum(section: bytes) -> bytes:
    """A section whose length and checksum are right; its length field is still zero."""
    length = len(section) + 4 - 3
    section = section[:1] + bytes([section[1] & 0xF0 | length >> 8, length & 0xFF]) + section[3:]
    return section + crc32_mpeg2(section).to_bytes(4, "big")


def pat(program: int = 1, pmt_pid: int = PMT_PID) -> bytes:
    """A programme table of one programme."""
    body = program.to_bytes(2, "big") + (0xE000 | pmt_pid).to_bytes(2, "big")
    return with_checksum(bytes([0x00, 0xB0, 0, 0, 1, 0xC1, 0, 0]) + body)


def pmt(program: int = 1, *, registered: bool = True, splice_pid: int = SPLICE_PID, clock_pid: int = CLOCK_PID) -> bytes:
    """A programme's map with one stream of markers."""
    info = b"\x05\x04" + CUEI if registered else b""
    head = bytes([0x02, 0xB0, 0]) + program.to_bytes(2, "big") + bytes([0xC1, 0, 0]) + (0xE000 | clock_pid).to_bytes(2, "big")
    body = (0xF000 | len(info)).to_bytes(2, "big") + info
    streams = bytes([0x1B]) + (0xE000 | clock_pid).to_bytes(2, "big") + b"\xf0\x00"
    streams += bytes([0x86]) + (0xE000 | splice_pid).to_bytes(2, "big") + b"\xf0\x00"
    return with_checksum(head + body + streams)


def splice_time(pts: int | None) -> bytes:
    """A splice_time."""
    return b"\x7f" if pts is None else ((0x7F << 33) | pts).to_bytes(5, "big")


def message(command: int, body: bytes, descriptors: bytes = b"", *, adjustment: int = 0) -> bytes:
    """A splice_info_section."""
    head = bytes([0xFC, 0x30, 0, 0]) + adjustment.to_bytes(5, "big") + b"\x00"
    length = (0xFFF << 12 | len(body)).to_bytes(3, "big")
    return with_checksum(head + length + bytes([command]) + body + len(descriptors).to_bytes(2, "big") + descriptors)


def insert(
    event_id: int,
    pts: int | None,
    *,
    out: bool = True,
    duration: int | None = None,
    adjustment: int = 0,
    avail: tuple[int, int] = (0, 0),
    canceled: bool = False,
) -> bytes:
    """A splice_insert; without an instant it is immediate."""
    if canceled:
        return message(5, event_id.to_bytes(4, "big") + b"\xff", adjustment=adjustment)
    flags = out << 7 | 1 << 6 | (duration is not None) << 5 | (pts is None) << 4 | 0x0F
    body = event_id.to_bytes(4, "big") + bytes([0x7F, flags])
    body += b"" if pts is None else splice_time(pts)
    body += b"" if duration is None else ((0x7F << 33) | duration).to_bytes(5, "big")
    return message(5, body + b"\x00\x07" + bytes(avail), adjustment=adjustment)


def segmentation(
    event_id: int,
    type_id: int,
    *,
    upid: tuple[int, bytes] = (0, b""),
    number: int = 0,
    expected: int = 0,
    duration: int | None = None,
    canceled: bool = False,
) -> bytes:
    """A segmentation descriptor."""
    if canceled:
        body = CUEI + event_id.to_bytes(4, "big") + b"\xff"
    else:
        flags = 1 << 7 | (duration is not None) << 6 | 0x3F
        body = CUEI + event_id.to_bytes(4, "big") + bytes([0x7F, flags])
        body += b"" if duration is None else duration.to_bytes(5, "big")
        body += bytes([upid[0], len(upid[1])]) + upid[1] + bytes([type_id, number, expected])
    return bytes([0x02, len(body)]) + body


def signal(pts: int | None, *descriptors: bytes, adjustment: int = 0) -> bytes:
    """A time_signal."""
    return message(6, splice_time(pts), b"".join(descriptors), adjustment=adjustment)


@dataclass
class StreamMaker:
    """Writes packets, counting for each PID."""

    program: int = 1
    counters: dict[int, int] = field(default_factory=dict)

    def section(self, pid: int, section: bytes) -> bytes:
        """A section in as many packets as it needs."""
        data, packets, starts = b"\x00" + section, b"", True
        while data:
            payload, data = data[:184], data[184:]
            packets += self._packet(pid, payload.ljust(184, b"\xff"), starts=starts)
            starts = False
        return packets

    def tables(self, *, registered: bool = True) -> bytes:
        """What tells where the markers are."""
        return self.section(0, pat(self.program)) + self.section(PMT_PID, pmt(self.program, registered=registered))

    def clock(self, pts: int, *, jumped: bool = False) -> bytes:
        """A packet with a clock reference and nothing else."""
        field_bits = pts << 15 | 0x3F << 9
        head = bytes([0x47, CLOCK_PID >> 8, CLOCK_PID & 0xFF, 0x20 | self.counters.get(CLOCK_PID, 0)])
        return head + bytes([183, 0x10 | jumped << 7]) + field_bits.to_bytes(6, "big") + b"\xff" * 176

    def markers(self, *sections: bytes) -> bytes:
        """Messages, each in packets of its own."""
        return b"".join(self.section(SPLICE_PID, section) for section in sections)

    def _packet(self, pid: int, payload: bytes, *, starts: bool) -> bytes:
        counter = self.counters.get(pid, 0)
        self.counters[pid] = (counter + 1) & 15
        return bytes([0x47, starts << 6 | pid >> 8, pid & 0xFF, 0x10 | counter]) + payload
