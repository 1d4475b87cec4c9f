"""How far did a detected spot run, and which of its look-alikes was it?

After the decision the same alignment is followed to the spot's end. Every candidate that could not be told apart at the
decision gathers its own evidence; the one whose best total is highest is the one that aired, and the frame of that best total is
where it was last heard. The alignment may drift: every fifth of a second the neighbours half a hop away are tried too, so
clocks that differ by hundreds of ppm do not lose it.

Pure, and independent of how the frames were delivered: windows are counted from the decision.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import HOP_SAMPLES, WINDOW_SAMPLES, Floats, StreamBits
from fingerprints.onset import row_of
from fingerprints.prints import LEAD_SAMPLES, LOSSES, PHASE_SAMPLES, Print

WINDOW_FRAMES: Final = 25
"""A fifth of a second: long enough to tell two alignments apart, short enough to follow drift."""

FRAME_MOST_NATS: Final = 4.0
"""What one frame may add or take, so that a click or a lost packet does not end a spot."""

DROP_NATS: Final = 240.0
"""A candidate this far below its best is over: half a second of something else."""

DOUBT_NATS: Final = 12.0
"""At the natural end of a candidate: less than this lost since its best contradicts nothing, so all of it aired."""

LEAN_KEPT: Final = 0.7
LEAN_NATS: Final = 10.0
"""By how much a neighbouring alignment must have been better lately to be taken."""


WHOLE_SAMPLES: Final = SAMPLE_RATE_HZ // 4
"""A spot heard to within a quarter of a second of its end ran to it: its last frames are often a fade."""

PLACES_HALF_HOPS: Final = 4
"""How far beside the decided onset a candidate that did not decide is looked for, 16 ms."""


class Candidate:
    """One spot that may be the one on air: its running evidence along its own alignment."""

    def __init__(self, print_: Print, *, onset: int, frame: int, score: float, placed: bool) -> None:
        self.print = print_
        self._placed = placed
        self.over = False
        self.complete = False
        self._onset = onset
        self._lean = np.zeros(3, np.float64)
        self._total = score
        self.best_total = score
        self.best_frame = frame

    def feed(self, bits: StreamBits) -> None:
        """Take one window of frames into account."""
        if not self._placed:
            self._place(bits)
        tried = [self._scores(bits, self._onset + shift) for shift in (-1, 0, 1)]
        path = self._total + np.cumsum(tried[1], dtype=np.float64)
        top = int(np.argmax(path))
        if path[top] > self.best_total:
            self.best_total, self.best_frame = float(path[top]), bits.first_frame + top
        self._total = float(path[-1])
        self._lean = LEAN_KEPT * self._lean + [float(scores.sum()) for scores in tried]
        self._follow_drift()
        if row_of(frame=bits.first_frame + len(bits), onset=self._onset)[1] >= self.print.rows:
            self.over, self.complete = True, self._total > self.best_total - DOUBT_NATS
        elif self._total < self.best_total - DROP_NATS:
            self.over = True

    def _place(self, bits: StreamBits) -> None:
        """Settle where it fits best: the same spot at another rate does so a few half hops beside the one that was decided."""
        shifts = sorted(range(-PLACES_HALF_HOPS, PLACES_HALF_HOPS + 1), key=abs)
        self._onset += max(shifts, key=lambda shift: float(self._scores(bits, self._onset + shift).sum()))
        self._placed = True

    @property
    def confidence(self) -> float:
        """Share of the evidence a flawless reception up to the best frame would have given, 0 to 1."""
        gains = np.minimum(self.print.gains[0, : row_of(frame=self.best_frame, onset=self._onset)[1] + 1], FRAME_MOST_NATS)
        return min(1.0, max(0.0, self.best_total / max(1.0, float(gains.sum()))))

    def heard_samples(self, *, onset: int) -> int:
        """How much of the spot was heard, in samples from its onset (half hops since the grid's origin)."""
        if self.complete:
            return self.print.audible_samples
        heard = self.best_frame * HOP_SAMPLES + WINDOW_SAMPLES - LEAD_SAMPLES - onset * PHASE_SAMPLES
        return min(max(0, heard), self.print.audible_samples)

    def _scores(self, bits: StreamBits, onset: int) -> Floats:
        phase, row = row_of(frame=bits.first_frame, onset=onset)
        words, gains = self.print.words[phase], self.print.gains[phase]
        scores: Floats = kernels.row_scores(words, gains, row, bits.signs, bits.stills, LOSSES)
        return np.clip(scores, -FRAME_MOST_NATS, FRAME_MOST_NATS)

    def _follow_drift(self) -> None:
        better = int(np.argmax(self._lean))
        if self._lean[better] > self._lean[1] + LEAN_NATS:
            self._onset += better - 1
            self._lean[:] = 0.0


class Follower:
    """Follows one airing from its decision to its end.

    Args:
        prints: the candidates, likeliest first.
        onset: half hops since the grid's origin.
        frame: the frame of the decision; feeding goes on with the next.
        score: nats at the decision.
    """

    def __init__(self, prints: Sequence[Print], *, onset: int, frame: int, score: float) -> None:
        self.onset = onset
        self._next_frame = frame + 1
        self._pending: list[StreamBits] = []
        self._pending_frames = 0
        self._candidates = [
            Candidate(print_, onset=onset, frame=frame, score=score, placed=place == 0) for place, print_ in enumerate(prints)
        ]

    @property
    def spot_ids(self) -> tuple[str, ...]:
        """Every candidate there ever was."""
        return tuple(candidate.print.spot_id for candidate in self._candidates)

    @property
    def ended(self) -> bool:
        """Whether every candidate has come to an end."""
        return all(candidate.over for candidate in self._candidates)

    @property
    def spot_id(self) -> str:
        """The likeliest candidate so far."""
        return self._likeliest().print.spot_id

    @property
    def end_sample(self) -> int:
        """One past the last sample in which it was heard, from the grid's origin."""
        return self.onset * PHASE_SAMPLES + self._likeliest().heard_samples(onset=self.onset)

    @property
    def cut_s(self) -> float | None:
        """Where in the spot it was broken off, seconds from its onset; None when it ran to its end."""
        likeliest = self._likeliest()
        heard = likeliest.heard_samples(onset=self.onset)
        whole = likeliest.complete or heard >= likeliest.print.audible_samples - WHOLE_SAMPLES
        return None if whole else heard / SAMPLE_RATE_HZ

    @property
    def confidence(self) -> float:
        """Share of the evidence that a flawless reception of what was heard would have given, 0 to 1."""
        return self._likeliest().confidence

    @property
    def coverage(self) -> float:
        """Share of the spot's length that was heard, 0 to 1."""
        likeliest = self._likeliest()
        return likeliest.heard_samples(onset=self.onset) / likeliest.print.audible_samples

    def add(self, print_: Print, *, onset: int, frame: int, score: float) -> None:
        """Take in a look-alike that reached the threshold later than the others, along its own alignment.

        The same spot at another rate fits best a few half hops beside, and would not be followed from where the first one fitted.
        """
        if print_.spot_id not in self.spot_ids:
            self._candidates.append(Candidate(print_, onset=onset, frame=frame, score=score, placed=True))

    def feed(self, bits: StreamBits) -> None:
        """Follow through these frames, which come after those given before."""
        self._pending.append(bits)
        self._pending_frames += len(bits)
        while self._pending_frames >= WINDOW_FRAMES and not self.ended:
            self._window(WINDOW_FRAMES)

    def finish(self) -> None:
        """The stream has ended or broken: judge by what was heard."""
        if self._pending_frames and not self.ended:
            self._window(self._pending_frames)

    def _window(self, frames: int) -> None:
        signs = np.concatenate([part.signs for part in self._pending])
        stills = np.concatenate([part.stills for part in self._pending])
        window = StreamBits(first_frame=self._next_frame, signs=signs[:frames], stills=stills[:frames])
        self._next_frame += frames
        self._pending = [StreamBits(first_frame=self._next_frame, signs=signs[frames:], stills=stills[frames:])]
        self._pending_frames -= frames
        for candidate in self._candidates:
            if not candidate.over:
                candidate.feed(window)

    def _likeliest(self) -> Candidate:
        return max(self._candidates, key=lambda candidate: candidate.best_total)
