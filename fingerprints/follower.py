"""How far did a detected spot run, and which of its look-alikes was it?

After the decision the spot is followed to its end. Every candidate that could not be told apart at the decision gathers its own
evidence; the one whose best total is highest is the one that aired, and the frame of that best total is where it was last
heard. The alignment may wander, as it does when clocks differ by hundreds of ppm or a station changed the tempo: each frame may
lie a few half hops beside where the one before did, at a price (`tracking.py`). How fast it drifts tells the speed.

Pure, and independent of how the frames were delivered: windows are counted from the decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fingerprints import tracking
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.features import HOP_SAMPLES, WINDOW_SAMPLES, Floats, StreamBits
from fingerprints.onset import row_of
from fingerprints.prints import LEAD_SAMPLES, LOSSES, PHASE_SAMPLES, PHASES, Print
from fingerprints.tracking import PLACES, REACH_HALF_HOPS, STEP_NATS

WINDOW_FRAMES: Final = 25
"""A fifth of a second: long enough to see whether the alignment still agrees, short enough to go along with its drift."""

FRAME_MOST_NATS: Final = 4.0
"""What one frame may add or take, so that a click or a lost packet does not end a spot."""

DROP_NATS: Final = 240.0
"""A candidate this far below its best is over: half a second of something else."""

DOUBT_NATS: Final = 12.0
"""At the natural end of a candidate: less than this lost since its best contradicts nothing, so all of it aired."""

WHOLE_SAMPLES: Final = SAMPLE_RATE_HZ // 4
"""A spot heard to within a quarter of a second of its end ran to it: its last frames are often a fade."""

PLACED_HALF_HOPS: Final = 4
"""How far beside the decided onset a candidate that did not decide is looked for, 16 ms."""

NEVER_NATS: Final = -1e6
ROWS_A_SECOND: Final = SAMPLE_RATE_HZ // HOP_SAMPLES
TOLD_NATS: Final = 25.0
"""A second of a spot in which a flawless reception gives less than this says nothing about how clean the reception is."""

DRIFT_SECONDS_LEAST: Final = 1.0
DRIFT_HALF_HOPS_LEAST: Final = 4.0
"""A drift of less than 16 ms, or seen for less than a second, is no other speed."""
SPEED_DIGITS: Final = 3
"""Clocks that differ by hundreds of ppm are no other speed either."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a spot lay: its onset, in half hops since the grid's origin, as it seems from one frame."""

    frame: int
    onset: int

    @property
    def end_sample(self) -> int:
        """One past the last sample of the frame that counts, from the grid's origin."""
        return self.frame * HOP_SAMPLES + WINDOW_SAMPLES - LEAD_SAMPLES


class Candidate:
    """One spot that may be the one on air: its running evidence along an alignment of its own, which may wander.

    Args:
        print_: the spot.
        onset: where it seems to begin, half hops since the grid's origin.
        frame: the last frame that `score` knows of.
        score: nats.
        placed: whether it was this spot that was heard to begin there; another one may fit best a little beside.
    """

    def __init__(self, print_: Print, *, onset: int, frame: int, score: float, placed: bool) -> None:
        self.print = print_
        self.over = False
        self.complete = False
        self.best_total = score
        self._centre = onset
        self._best = self._last = _Mark(frame, onset)
        self._marks = [self._best]
        self._totals = np.full(PLACES, NEVER_NATS, np.float32)
        spread = 0 if placed else PLACED_HALF_HOPS
        self._totals[REACH_HALF_HOPS - spread : REACH_HALF_HOPS + spread + 1] = score - np.log(2 * spread + 1)
        self._gains = np.minimum(print_.gains[0], FRAME_MOST_NATS)
        self._evidence = np.zeros((2, 1 + print_.rows // ROWS_A_SECOND), np.float64)
        self._since_best: list[tuple[npt.NDArray[np.int64], Floats]] = []
        self._count_head(score)

    def feed(self, bits: StreamBits) -> None:
        """Take one window of frames into account."""
        bits = bits.between(max(bits.first_frame, self._last.frame + 1), bits.first_frame + len(bits))
        if not len(bits):
            return
        tops, places = np.empty(len(bits), np.float32), np.empty(len(bits), np.int64)
        before = self._totals.max()
        tracking.track(
            self.print.words, self.print.gains[0], bits.signs, bits.stills, bits.first_frame, self._centre - REACH_HALF_HOPS,
            LOSSES, np.float32(FRAME_MOST_NATS), STEP_NATS, self._totals, tops, places,
        )  # fmt: skip
        frames = bits.first_frame + np.arange(len(bits))
        rows = np.clip((frames * PHASES - places) // PHASES - 1, 0, self.print.rows - 1)
        gained = np.diff(tops, prepend=before)
        top = int(np.argmax(tops))
        self._last = _Mark(int(frames[-1]), int(places[-1]))
        if tops[top] > self.best_total:
            self.best_total, self._best = float(tops[top]), _Mark(int(frames[top]), int(places[top]))
            self._count([*self._since_best, (rows[: top + 1], gained[: top + 1])])
            self._since_best = [(rows[top + 1 :], gained[top + 1 :])]
        else:
            self._since_best.append((rows, gained))
        if tops[-1] > before:
            self._recentre(self._last.onset)
            self._marks.append(self._last)
        if row_of(frame=self._last.frame + 1, onset=self._last.onset)[1] >= self.print.rows:
            self.over, self.complete = True, float(tops[-1]) > self.best_total - DOUBT_NATS
        elif tops[-1] < self.best_total - DROP_NATS:
            self.over = True

    @property
    def onset(self) -> int:
        """Where it seems to have begun, seen from where it was last heard, half hops since the grid's origin."""
        return self._best.onset

    @property
    def speed(self) -> float:
        """How much faster than its print it played, told by the drift of its alignment."""
        marks = np.array(
            [(mark.frame * PHASES, mark.onset) for mark in self._marks if mark.frame <= self._best.frame], np.float64
        )
        if len(marks) < 3 or np.ptp(marks[:, 0]) * PHASE_SAMPLES < DRIFT_SECONDS_LEAST * SAMPLE_RATE_HZ:
            return 1.0
        slope = float(np.polyfit(marks[:, 0] - marks[0, 0], marks[:, 1], 1)[0])
        return 1.0 - slope if abs(slope) * np.ptp(marks[:, 0]) >= DRIFT_HALF_HOPS_LEAST else 1.0

    @property
    def confidence(self) -> float:
        """Share of the evidence a flawless reception up to the best frame would have given, 0 to 1."""
        got, whole = self._evidence.sum(axis=1)
        return min(1.0, max(0.0, float(got) / max(1.0, float(whole))))

    @property
    def confidences(self) -> tuple[float | None, ...]:
        """The same for each second of the spot that was heard; None for one in which the spot itself says next to nothing."""
        seconds = -(-self.heard_samples // SAMPLE_RATE_HZ)
        return tuple(
            min(1.0, max(0.0, float(got / whole))) if whole >= TOLD_NATS else None for got, whole in self._evidence.T[:seconds]
        )

    @property
    def heard_samples(self) -> int:
        """How much of the spot was heard, in samples of its print from its onset."""
        if self.complete:
            return self.print.audible_samples
        heard = self._best.end_sample - self._best.onset * PHASE_SAMPLES
        return min(max(0, heard), self.print.audible_samples)

    @property
    def end_sample(self) -> int:
        """One past the last sample in which it was heard, from the grid's origin."""
        beyond = self.heard_samples + self._best.onset * PHASE_SAMPLES - self._best.end_sample
        return self._best.end_sample + round(beyond / self.speed)

    @property
    def is_whole(self) -> bool:
        """Whether it ran to its end."""
        return self.complete or self.heard_samples >= self.print.audible_samples - WHOLE_SAMPLES

    def _count_head(self, score: float) -> None:
        """What was known at the decision, spread over the rows until then."""
        rows = np.arange(max(0, min(self.print.rows, row_of(frame=self._last.frame, onset=self._last.onset)[1] + 1)))
        gains = self._gains[rows]
        self._count([(rows, (gains * (score / max(1.0, float(gains.sum())))).astype(np.float32))])

    def _count(self, parts: Sequence[tuple[npt.NDArray[np.int64], Floats]]) -> None:
        for rows, gained in parts:
            np.add.at(self._evidence[0], rows // ROWS_A_SECOND, gained)
            np.add.at(self._evidence[1], rows // ROWS_A_SECOND, self._gains[rows])

    def _recentre(self, onset: int) -> None:
        moved = onset - self._centre
        totals = np.full(PLACES, NEVER_NATS, np.float32)
        totals[max(0, -moved) : PLACES - max(0, moved)] = self._totals[max(0, moved) : PLACES - max(0, -moved)]
        self._totals, self._centre = totals, onset


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
    def likeliest(self) -> Candidate:
        """The likeliest candidate so far."""
        return max(self._candidates, key=lambda candidate: candidate.best_total)

    @property
    def end_sample(self) -> int:
        """One past the last sample in which it was heard, from the grid's origin."""
        return max(self.onset * PHASE_SAMPLES, self.likeliest.end_sample)

    @property
    def cut_s(self) -> float | None:
        """Where in the spot it was broken off, seconds as played from its onset; None when it ran to its end."""
        return None if self.likeliest.is_whole else (self.end_sample - self.onset * PHASE_SAMPLES) / SAMPLE_RATE_HZ

    @property
    def coverage(self) -> float:
        """Share of the spot's length that was heard, 0 to 1."""
        return self.likeliest.heard_samples / self.likeliest.print.audible_samples

    def onsets(self) -> dict[str, int]:
        """Where each candidate seems to have begun, seen from where it was last heard, half hops since the grid's origin."""
        return {candidate.print.spot_id: candidate.onset for candidate in self._candidates}

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
