"""What state a feed is in, judged from what arrives and when. Pure: every instant is an argument."""

from collections import deque
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.events import FeedState

NO_LEVEL_DB = -120.0
STALL_S = 1.5
"""Without sound for this long a feed is stalled."""
SILENCE_S = 1.8
"""Quieter than the limit for this long, in stream time, a feed is silent."""
PLAYED_AHEAD_MAX_S = 30.0
"""A burst is granted at most this long to be played: a sender whose clock is fast would otherwise be granted more every day."""
WINDOW_SAMPLES = SAMPLE_RATE_HZ // 20
"""Levels are taken over 50 ms: a pause that begins inside one is noticed at most that much later."""
METER_WINDOWS = 2
"""The meter shows the last 100 ms."""
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """How a feed is at an instant; the fields are those of `FeedStatus`."""

    state: FeedState
    level_db: float
    position_s: float
    seen_mono_ns: int
    detail: str


class FeedWatch:
    """Follows one feed through connections, sound, silence, stalls and ends.

    Tell it what happens (`connecting`, `hear`, `end`, `fail`, `note`) and ask `view` how things are. A stall is
    what has *not* happened, so it shows in `view` alone, which therefore must be asked often.

    Args:
        silence_db: RMS level below which sound counts as silence, in dB full scale.
        stall_s: how long nothing may arrive.

    Attributes:
        segmented: sound comes in bursts (HLS): a burst may be played to its end before the wait for the next one counts.
    """

    def __init__(self, *, silence_db: float, stall_s: float = STALL_S) -> None:
        self._silence_power = 10 ** (silence_db / 10)
        self._stall_ns = round(stall_s * _NS_PER_S)
        self.segmented = False
        self._state = FeedState.CONNECTING
        self._detail = ""
        self._note = ""
        self._seen_mono_ns = 0
        self._played_until_mono_ns = 0
        self._next_sample = 0
        self._restart_levels()

    def connecting(self, detail: str = "") -> None:
        """A connection is being made."""
        self._enter(FeedState.CONNECTING, detail)

    def end(self, detail: str) -> None:
        """The feed came to its end."""
        self._enter(FeedState.ENDED, detail)

    def fail(self, detail: str) -> None:
        """The feed could not be opened, or broke."""
        self._enter(FeedState.FAILED, detail)

    def note(self, text: str) -> None:
        """Something to say about a feed that works; empty to say nothing."""
        self._note = text

    def hear(self, block: AudioBlock, *, first_sample: int | None = None) -> None:
        """Sound has arrived; its place in the feed is told where the block knows only that in its connection."""
        self._seen_mono_ns = block.seen_mono_ns
        self._next_sample = (block.first_sample if first_sample is None else first_sample) + len(block.pcm)
        length_ns = len(block.pcm) * _NS_PER_S // SAMPLE_RATE_HZ
        played_until_mono_ns = max(self._played_until_mono_ns, block.seen_mono_ns) + length_ns
        self._played_until_mono_ns = min(played_until_mono_ns, block.seen_mono_ns + round(PLAYED_AHEAD_MAX_S * _NS_PER_S))
        if block.gap or self._state not in (FeedState.LIVE, FeedState.SILENT):
            self._restart_levels()
            self._state, self._detail = FeedState.LIVE, ""
        self._measure(block)
        self._state = FeedState.SILENT if self._quiet_samples >= SILENCE_S * SAMPLE_RATE_HZ else FeedState.LIVE

    def view(self, now_mono_ns: int) -> FeedView:
        """How the feed is at this instant."""
        state = self.state(now_mono_ns)
        return FeedView(
            state=state,
            level_db=self._level_db() if state in (FeedState.LIVE, FeedState.SILENT) else NO_LEVEL_DB,
            position_s=self._next_sample / SAMPLE_RATE_HZ,
            seen_mono_ns=self._seen_mono_ns,
            detail=self._detail or self._say(state, now_mono_ns),
        )

    def state(self, now_mono_ns: int) -> FeedState:
        """The state alone, which is asked for with every block."""
        if self._state in (FeedState.LIVE, FeedState.SILENT):
            since_mono_ns = self._played_until_mono_ns if self.segmented else self._seen_mono_ns
            if now_mono_ns - since_mono_ns >= self._stall_ns:
                return FeedState.STALLED
        return self._state

    def _say(self, state: FeedState, now_mono_ns: int) -> str:
        match state:
            case FeedState.LIVE:
                return self._note
            case FeedState.SILENT:
                return f"silent for {self._quiet_samples / SAMPLE_RATE_HZ:.0f} s"
            case FeedState.STALLED:
                return f"nothing has arrived for {(now_mono_ns - self._seen_mono_ns) / _NS_PER_S:.0f} s"
            case FeedState.CONNECTING | FeedState.ENDED | FeedState.FAILED:
                return ""
        assert_never(state)

    def _enter(self, state: FeedState, detail: str) -> None:
        self._state, self._detail = state, detail
        self._played_until_mono_ns = 0
        self._restart_levels()

    def _restart_levels(self) -> None:
        self._window_power, self._window_samples, self._quiet_samples = 0.0, 0, 0
        self._powers: deque[float] = deque(maxlen=METER_WINDOWS)

    def _measure(self, block: AudioBlock) -> None:
        """Add a block to the running window; each full window counts as quiet or breaks the quiet."""
        begin = 0
        while begin < len(block.pcm):
            piece = block.pcm[begin : begin + WINDOW_SAMPLES - self._window_samples]
            self._window_power += float(np.dot(piece, piece))
            self._window_samples += len(piece)
            begin += len(piece)
            if self._window_samples == WINDOW_SAMPLES:
                power = self._window_power / WINDOW_SAMPLES
                self._powers.append(power)
                self._quiet_samples = self._quiet_samples + WINDOW_SAMPLES if power < self._silence_power else 0
                self._window_power, self._window_samples = 0.0, 0

    def _level_db(self) -> float:
        """RMS of the last 100 ms in dB full scale."""
        if not self._powers:
            return NO_LEVEL_DB
        power = sum(self._powers) / len(self._powers)
        return max(NO_LEVEL_DB, 10 * float(np.log10(power))) if power > 0 else NO_LEVEL_DB
