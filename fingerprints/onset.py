"""Has one of the spots just begun? Quickest detection by a sequential likelihood ratio.

Every hop of the stream is a possible start of every spot. A hypothesis is born there, gathers the log-likelihood ratio of
"this is the spot, begun then" against "it is something else" frame by frame, dies when it falls below a lower bound, and is a
*crossing* once it reaches the threshold. Most die in their first two frames, so the work is a few operations for
each spot and hop; a cap on living hypotheses bounds it whatever the sound.

All references lie in contiguous arrays and one compiled kernel advances them all, frame after frame. Nothing here knows
samples, files or time: frames in, crossings out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import FingerprintsError
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, StreamBits
from fingerprints.prints import LOSSES, PHASES, Print

LOWER_BOUND_NATS: Final = -12.0
"""Where a hypothesis dies. The true one dips below in fewer than 1 in 200 airings, and its neighbours 4 ms away live on."""

ANCHOR_NATS: Final = 2.0
"""A hypothesis is born on the first row that can tell this much: a tone or a slow fade before it waits for evidence."""

ROW_MOST_NATS: Final = 3.0
"""The most a single frame may add. Neighbouring frames share most of their samples, and one attack (a drum, a plosive) looks
like another for 30 ms; so evidence must be spread over time. Without this the tail of impostors is four times as flat."""

BIRTH_FRAMES: Final = (0, 12, 32, 64)
"""A hypothesis is also born this much later into the head: a spot faded in over another sound has lost its first tenths of a
second, and the bound above has killed whoever began with them."""

HEAD_FRAMES_MAX: Final = 1250
"""Ten seconds after its birth an undecided hypothesis is given up."""

ALIVE_MAX: Final = 48
"""Living hypotheses a print and phase; when all are taken, a newborn replaces the weakest if it is stronger."""

CROSSINGS_MAX: Final = 2048
"""Room for crossings a call; the kernel returns early at half of it."""

SECONDS_A_YEAR: Final = 365.25 * 86_400.0
TAIL_SLOPE: Final = 0.5
TAIL_LOG_SCALE: Final = -8.0
"""P(an impostor's best score >= x) is at most exp(TAIL_LOG_SCALE - TAIL_SLOPE * x) above 10 nats.

Source: 1.1e9 births of 500 heads of music and speech against 37 min of other music and speech (docs/adr/0004).
"""

MIN_THRESHOLD_NATS: Final = 20.0
"""However lax the promise: seven frames at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """A spot has begun: the decision, in samples of the stream.

    Attributes:
        spot_id: the likeliest spot.
        spot_ids: every spot that cannot be told apart from it yet, itself among them, sorted.
        onset_sample: absolute index of the spot's first audible sample.
        decided_sample: one past the absolute index of the last sample the decision needed.
        score: log-likelihood ratio at the decision, nats.
        threshold: what the score had to reach, nats.
        speed: playback speed against the reference.
    """

    spot_id: str
    spot_ids: tuple[str, ...]
    onset_sample: int
    decided_sample: int
    score: float
    threshold: float
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One hypothesis reached the threshold.

    Attributes:
        frame: stream frame at which it did.
        spot: index of the print.
        onset: where the spot began, in half hops (`PHASE_SAMPLES`) since sample 0 of the frame grid; may be negative.
        score: nats.
    """

    frame: int
    spot: int
    onset: int
    score: float


def threshold_nats(*, n_spots: int, false_per_feed_year: float) -> float:
    """The score that keeps a promise about false decisions.

    A year offers `n_spots * PHASES * len(BIRTH_FRAMES)` starts a hop; the threshold is where the tail of impostors' scores leaves
    `false_per_feed_year` of them.

    Raises:
        FingerprintsError: the promise is not a positive number.
    """
    if not (math.isfinite(false_per_feed_year) and false_per_feed_year > 0):
        raise FingerprintsError(f"false_per_feed_year: {false_per_feed_year}; it must be a number above 0, such as 1.0")
    starts = SECONDS_A_YEAR * SAMPLE_RATE_HZ / HOP_SAMPLES * PHASES * len(BIRTH_FRAMES) * max(1, n_spots)
    return max(MIN_THRESHOLD_NATS, (math.log(starts / false_per_feed_year) + TAIL_LOG_SCALE) / TAIL_SLOPE)


def row_of(*, frame: int, onset: int) -> tuple[int, int]:
    """Which phase and row of a print lies under a stream frame.

    Args:
        frame: stream frame.
        onset: half hops from the grid's origin to the spot's onset.

    Returns:
        (phase, row); the row is negative before the print begins.
    """
    half_hops = frame * PHASES - onset
    return half_hops % PHASES, half_hops // PHASES - (LAG_FRAMES - 1)


def decided_sample(frame: int) -> int:
    """One past the last sample of a frame, counted from the grid's origin."""
    return frame * HOP_SAMPLES + WINDOW_SAMPLES


class OnsetMatcher:
    """Advances the hypotheses of all prints over the frames of one stream.

    Values in, values out; the same frames give the same crossings however they are split over calls.
    """

    def __init__(self, prints: Sequence[Print], *, false_per_feed_year: float = 1.0) -> None:
        self.threshold = threshold_nats(n_spots=len(prints), false_per_feed_year=false_per_feed_year)
        self.lower_bound = LOWER_BOUND_NATS
        self.row_most = ROW_MOST_NATS
        tables = [(spot, phase) for spot in range(len(prints)) for phase in range(PHASES)]
        words = [prints[spot].words[phase] for spot, phase in tables]
        gains = [prints[spot].gains[phase] for spot, phase in tables]
        lengths = np.array([len(part) for part in gains], np.int64)
        self._tables = tables
        self._words = np.concatenate(words) if words else np.empty((0, 3), np.uint32)
        self._gains = np.concatenate(gains) if gains else np.empty(0, np.float32)
        self._starts = np.cumsum(lengths) - lengths
        self._births = np.array([birth_rows(part) for part in gains], np.int64).reshape(len(gains), len(BIRTH_FRAMES))
        self._ends = np.minimum(lengths, self._births[:, 0] + HEAD_FRAMES_MAX)
        self.restart()

    def restart(self) -> None:
        """Forget every living hypothesis, as after a gap."""
        n_tables = len(self._tables)
        self._rows = np.zeros((n_tables, ALIVE_MAX), np.int64)
        self._scores = np.zeros((n_tables, ALIVE_MAX), np.float32)
        self._alive = np.zeros(n_tables, np.int64)
        self._best = 0.0

    @property
    def evidence(self) -> float:
        """The strongest living hypothesis against the threshold, 0 to 1."""
        return min(1.0, max(0.0, self._best / self.threshold))

    @property
    def alive(self) -> int:
        """How many hypotheses live now; at most `ALIVE_MAX` a print and phase."""
        return int(self._alive.sum())

    def advance(self, bits: StreamBits) -> list[Crossing]:
        """The hypotheses that reach the threshold within these frames, in order of frames, best first within one.

        Args:
            bits: the frames after those given before.
        """
        crossings: list[Crossing] = []
        done = 0
        while done < len(bits) and self._tables:
            found = np.empty((CROSSINGS_MAX, 3), np.int64)
            found_scores = np.empty(CROSSINGS_MAX, np.float32)
            taken, n_found, best = kernels.advance(
                bits.signs[done:], bits.stills[done:], self._words, self._gains, LOSSES,
                self._starts, self._births, self._ends,
                self._rows, self._scores, self._alive,
                np.float32(self.threshold), np.float32(self.lower_bound), np.float32(self.row_most), found, found_scores,
            )  # fmt: skip
            first_frame = bits.first_frame + done
            crossings += [self._crossing(first_frame, found[i], float(found_scores[i])) for i in range(n_found)]
            done += taken
            self._best = float(best)
        return sorted(crossings, key=lambda crossing: (crossing.frame, -crossing.score, crossing.spot, crossing.onset))

    def _crossing(self, first_frame: int, found: npt.NDArray[np.int64], score: float) -> Crossing:
        frame, table, row = first_frame + int(found[0]), int(found[1]), int(found[2])
        spot, phase = self._tables[table]
        onset = (frame - row - (LAG_FRAMES - 1)) * PHASES - phase
        return Crossing(frame=frame, spot=spot, onset=onset, score=score)


def anchor_row(gains: npt.NDArray[np.float32]) -> int:
    """The first row that can tell at least `ANCHOR_NATS`; the row count when there is none."""
    telling = np.nonzero(gains >= ANCHOR_NATS)[0]
    return int(telling[0]) if len(telling) else len(gains)


def birth_rows(gains: npt.NDArray[np.float32]) -> list[int]:
    """The rows at which hypotheses of a print are born: telling ones at or after each of `BIRTH_FRAMES`."""
    anchor = anchor_row(gains)
    return [anchor + late + anchor_row(gains[anchor + late :]) for late in BIRTH_FRAMES]


def earliest_decision_s(print_: Print, *, threshold: float) -> float | None:
    """How long after its onset a flawless reception of a print reaches the threshold.

    Returns:
        Seconds; None when the part that is matched (`HEAD_FRAMES_MAX`) never tells enough.
    """
    anchor = anchor_row(print_.gains[0])
    path = np.cumsum(np.minimum(print_.gains[0, anchor : anchor + HEAD_FRAMES_MAX], ROW_MOST_NATS))
    reached = np.nonzero(path >= threshold)[0]
    if not len(reached):
        return None
    row = anchor + int(reached[0])
    return decided_sample(row + LAG_FRAMES - 1) / SAMPLE_RATE_HZ
