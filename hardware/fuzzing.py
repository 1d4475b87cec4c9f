"""Whether damage can make a scoreboard tell what did not happen: a made-up match on a line that gets worse and better.

The match, the damage and the cuts come from one seed, so a run repeats exactly. Pure.

Judged: no bytes raise; from noise alone no event comes; a goal or a correction is told only of a side
whose board showed those points, reached that way, within the last seconds.
"""

import random
from collections import deque
from dataclasses import dataclass

from hardware.events import ScoreKind, Side
from hardware.match import random_match
from hardware.scoreboards.decoding import Decoder
from hardware.scoreboards.protocols import Check, ScoreboardProtocol
from hardware.scoring import ScoreChange, ScoreKeeper, Seen

NS_PER_MS = 1_000_000
REMEMBERED_CYCLES = 600
"""How far back a told change may have happened: a minute. Damage can hide it for as long as a burst lasts."""
MATCH_S = 90.0
QUIET_CYCLES = 60
BURST_CYCLES = 30
NOISE_BYTES = 10_000


@dataclass(slots=True)
class FuzzResult:
    """What came of it; `+=` sums two up.

    Attributes:
        data_bytes: how many bytes were decoded.
        good_frames, bad_frames: as the decoder counted them.
        true_events: goals and corrections told that had happened.
        false_events: those that had not, each with what is needed to find it.
    """

    data_bytes: int = 0
    good_frames: int = 0
    bad_frames: int = 0
    true_events: int = 0
    false_events: tuple[str, ...] = ()

    def __iadd__(self, other: "FuzzResult") -> "FuzzResult":
        self.data_bytes += other.data_bytes
        self.good_frames += other.good_frames
        self.bad_frames += other.bad_frames
        self.true_events += other.true_events
        self.false_events += other.false_events
        return self


def fuzz_match(protocol: ScoreboardProtocol, *, seed: int, length_s: float = MATCH_S) -> FuzzResult:
    """Play one match with every kind of damage to the bytes.

    Raises:
        Exception: whatever a decoder or the keeper raises; nothing should.
    """
    rng = random.Random(f"{protocol.name} {seed}")
    sport = rng.choice(protocol.sports)
    match = random_match(sport=sport, seed=seed, length_s=length_s, every_s=3.0, line_faults=False)
    encode, decoder, keeper = protocol.encoder(sport), protocol.decoder(), ScoreKeeper(sport=sport)
    judge, result = _Judge(f"{protocol.name}, {sport}, seed {seed}"), FuzzResult()
    line = _Line(rng, vouched=protocol.check is Check.TCP)
    for cycle in range(int(length_s * 1000) // protocol.cycle_ms):
        board = match.board(cycle * protocol.cycle_ms / 1000)
        judge.show(board.home, board.away)
        data = line.carry(encode(board))
        result.data_bytes += len(data)
        for change in _decoded(decoder, keeper, data, rng, cycle * protocol.cycle_ms):
            judge.hear(change, cycle, result)
    result.good_frames, result.bad_frames = decoder.good_frames, decoder.bad_frames
    return result


def fuzz_noise(protocol: ScoreboardProtocol, *, seed: int) -> FuzzResult:
    """Decode random bytes; no goal or correction may come of them."""
    rng = random.Random(f"{protocol.name} {seed} noise")
    decoder, keeper, result = protocol.decoder(), ScoreKeeper(sport=protocol.sports[0]), FuzzResult()
    judge = _Judge(f"{protocol.name}, noise, seed {seed}")
    starts = b"".join(protocol.encoder(protocol.sports[0])(random_match(sport=protocol.sports[0], seed=seed).start))
    data = bytearray(rng.randbytes(NOISE_BYTES))
    for _ in range(NOISE_BYTES // 200):
        # Noise alone hardly ever begins like a frame: scraps of real ones lead further into the decoder.
        at, scrap = rng.randrange(NOISE_BYTES), rng.randrange(len(starts))
        data[at:at] = starts[scrap : scrap + rng.randint(1, 30)]
    for change in _decoded(decoder, keeper, bytes(data), rng, 0):
        judge.hear(change, 0, result)
    result.data_bytes, result.good_frames, result.bad_frames = len(data), decoder.good_frames, decoder.bad_frames
    return result


def _decoded(decoder: Decoder, keeper: ScoreKeeper, data: bytes, rng: random.Random, now_ms: int) -> list[ScoreChange]:
    changes: list[ScoreChange] = []
    at = 0
    while at < len(data):
        cut = at + rng.choice((1, 3, 16, 64, 4096))
        for reading in decoder.feed(data[at:cut]):
            outcomes = keeper.observe(Seen(reading=reading, mono_ns=now_ms * NS_PER_MS, utc_ns=now_ms * NS_PER_MS))
            changes += [outcome for outcome in outcomes if isinstance(outcome, ScoreChange)]
        at = cut
    return changes


class _Line:
    """A cable in turns sound and bad."""

    def __init__(self, rng: random.Random, *, vouched: bool) -> None:
        """`vouched`: TCP vouches for each byte; messages may break off, come twice, or have strange ones between them."""
        self._rng, self._left, self._bad = rng, QUIET_CYCLES, False
        self._damaged = self._broken if vouched else self._garbled

    def carry(self, frames: list[bytes]) -> bytes:
        self._left -= 1
        if self._left <= 0:
            self._bad = not self._bad
            self._left = self._rng.randint(1, 2 * (BURST_CYCLES if self._bad else QUIET_CYCLES))
        return b"".join(self._damaged(frame) for frame in frames) if self._bad else b"".join(frames)

    def _broken(self, frame: bytes) -> bytes:
        rng = self._rng
        strange = rng.randbytes(rng.randint(1, 60)).replace(b"\n", b"") + b"\n"
        return rng.choice((frame, frame[: rng.randrange(len(frame))], frame * 2, strange + frame))

    def _garbled(self, frame: bytes) -> bytes:
        rng, data = self._rng, bytearray(frame)
        match rng.randrange(8):
            case 0:
                return frame
            case 1:
                at = rng.randrange(len(data))
                data[at : at + rng.randint(1, 8)] = b""
            case 2:
                at = rng.randrange(len(data) + 1)
                data[at:at] = rng.randbytes(rng.randint(1, 60))
            case 3:
                data *= 2
            case _:
                for _ in range(rng.randint(1, 4)):
                    at = rng.randrange(len(data))
                    # A digit for a digit is the worst that can happen: the layout stays sound.
                    data[at] = rng.choice((rng.randrange(256), data[at] ^ 1 << rng.randrange(8), rng.choice(b" 0123456789")))
        return bytes(data)


class _Judge:
    """What the board really showed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_CYCLES)

    def show(self, home: int, away: int) -> None:
        self._shown.append((home, away))

    def hear(self, change: ScoreChange, cycle: int, result: FuzzResult) -> None:
        """Judge a goal or a correction; other changes fire nothing."""
        if change.kind not in (ScoreKind.GOAL, ScoreKind.CORRECTION):
            return
        index = 0 if change.side is Side.HOME else 1
        after = (change.home, change.away)[index]
        points = [shown[index] for shown in self._shown]
        # First the board showed what it is said to have shown before, then what it is said to show.
        before = after - change.delta
        happened = before in points and after in points[points.index(before) :]
        if happened:
            result.true_events += 1
        else:
            result.false_events += (f"{self._name}, cycle {cycle}: {change.kind} of {change.side} to {after} by {change.delta}",)
