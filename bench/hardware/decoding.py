"""How fast each console's bytes are decoded, and how many consoles one core reads."""

import time
from dataclasses import dataclass

from hardware.match import random_match
from hardware.scoreboards.protocols import PROTOCOLS, ScoreboardProtocol
from hardware.scoring import ScoreKeeper, Seen

CHUNK_BYTES = 64
"""What a serial port hands over at once."""
MATCH_S = 60.0
CONSOLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """One protocol's figures; processor time only, the least of several rounds.

    Attributes:
        data_bytes: a made-up match of `MATCH_S` seconds at the console's pace, without faults.
        decode_s: decoding it in chunks of `CHUNK_BYTES`.
        keep_s: decoding it and keeping the score.
        floor_s: taking over the same chunks and looking for the first byte of every frame, once each.
    """

    name: str
    data_bytes: int
    good_frames: int
    decode_s: float
    keep_s: float
    floor_s: float
    line_bytes_s: float | None

    @property
    def megabytes_s(self) -> float:
        """Millions of bytes a second of processor time."""
        return self.data_bytes / self.decode_s / 1e6

    @property
    def frame_us(self) -> float:
        """Microseconds a frame."""
        return self.decode_s / self.good_frames * 1e6

    @property
    def cores(self) -> float:
        """Cores that read and keep the score of `CONSOLES` consoles at their pace."""
        return self.keep_s / MATCH_S * CONSOLES

    @property
    def cores_full_line(self) -> float | None:
        """Cores that decode `CONSOLES` consoles whose lines carry bytes without a pause; None for a network."""
        return None if self.line_bytes_s is None else CONSOLES * self.line_bytes_s * self.decode_s / self.data_bytes


def measure_decoding(*, rounds: int) -> list[Decoding]:
    """Every protocol, one after the other."""
    return [_measure(protocol, rounds) for protocol in PROTOCOLS.values()]


def _measure(protocol: ScoreboardProtocol, rounds: int) -> Decoding:
    sport = protocol.sports[0]
    match, encode = random_match(sport=sport, seed=1, length_s=MATCH_S, line_faults=False), protocol.encoder(sport)
    cycles = int(MATCH_S * 1000) // protocol.cycle_ms
    data = b"".join(frame for at in range(cycles) for frame in encode(match.board(at * protocol.cycle_ms / 1000)))
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    decoder = protocol.decoder()
    for chunk in chunks:
        decoder.feed(chunk)
    frames = decoder.good_frames
    return Decoding(
        name=protocol.name,
        data_bytes=len(data),
        good_frames=frames,
        decode_s=min(_decode_s(protocol, chunks) for _ in range(rounds)),
        keep_s=min(_keep_s(protocol, chunks, sport) for _ in range(rounds)),
        floor_s=min(_floor_s(chunks, data[:1], frames) for _ in range(rounds)),
        # A start bit, eight, perhaps a parity bit, a stop bit.
        line_bytes_s=protocol.speeds[0] / (11 if protocol.parity == "E" else 10) if protocol.speeds else None,
    )


def _decode_s(protocol: ScoreboardProtocol, chunks: list[bytes]) -> float:
    decoder = protocol.decoder()
    begin_s = time.process_time()
    for chunk in chunks:
        decoder.feed(chunk)
    return time.process_time() - begin_s


def _keep_s(protocol: ScoreboardProtocol, chunks: list[bytes], sport: str) -> float:
    decoder, keeper = protocol.decoder(), ScoreKeeper(sport=sport)
    begin_s = time.process_time()
    for at, chunk in enumerate(chunks):
        for reading in decoder.feed(chunk):
            keeper.observe(Seen(reading=reading, mono_ns=at * 1_000_000, utc_ns=at))
    return time.process_time() - begin_s


def _floor_s(chunks: list[bytes], start: bytes, frames: int) -> float:
    buffer, at = bytearray(), 0
    begin_s = time.process_time()
    for chunk in chunks:
        buffer += chunk
    for _ in range(frames):
        at = max(buffer.find(start, at) + 1, 0)
    return time.process_time() - begin_s
