"""Has one of the spots just begun? Quickest detection by a sequential likelihood ratio.

Every hop of the stream is a possible start of every spot. Filters (`heads.py`) tell for nearly all of them that the spot
has not begun there. What passes is a hypothesis: it gathers the log-likelihood ratio of "this is the spot, begun then"
against "it is something else" frame by frame, from its birth on, dies when it falls below a lower bound, and is a
*crossing* once it reaches the threshold. A cap on what passes and a cap on living hypotheses bound the work whatever the sound.

Nothing here knows samples, files or time: frames in, crossings out.
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
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, StreamBits, Words
from fingerprints.heads import BIRTH_FRAMES, FILTER_ROWS, Head, Heads, head_of, heads_of
from fingerprints.prints import PHASES, WEIGHTS, Print, row_gains

LOWER_BOUND_NATS: Final = -12.0
"""Where a hypothesis dies. The true one dips below in fewer than 1 in 200 airings, and its neighbours 4 ms away live on."""

ROW_MOST_NATS: Final = 4.0
"""The most a single frame may add. Neighbouring frames share most of their samples, and one attack (a drum, a plosive) looks
like another for 30 ms; so evidence must be spread over time. At 6 nats the tail of impostors is flatter and nothing is sooner."""

NEWBORN_LEAST_NATS: Final = 0.0
"""What passed a filter has eleven rows behind it; the true one has 20 nats and more by then."""

PASSED_LEAST: Final = 512
PASSED_SHARE: Final = 1 / 20
"""Filters that may pass a frame: this share of the spots, at least this many. When more do, the closer half stays."""

ALIVE_MAX: Final = 4096
"""Living hypotheses; when all are taken, the weakest quarter goes."""

FRAMES_A_CALL: Final = 32
"""Frames that are sifted together; their filters are read from memory once."""

CROSSINGS_MAX: Final = 2048
"""Room for crossings a call; the kernel returns early at half of it."""

SECONDS_A_YEAR: Final = 365.25 * 86_400.0
TAIL_SLOPE: Final = 0.33
TAIL_LOG_SCALE: Final = -17.0
"""P(an impostor's best score >= x) is at most exp(TAIL_LOG_SCALE - TAIL_SLOPE * x): the filters stop most of them.

Source: 3.1e10 births of 2,706 heads of music and speech against 194 min of other music and speech (docs/adr/0010).
"""

MIN_THRESHOLD_NATS: Final = 20.0
"""However lax the promise: five frames at least."""


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


@dataclass(slots=True, kw_only=True)
class Work:
    """What a matcher has done so far: the measure of its cost that no other process disturbs.

    Attributes:
        compared: words of a filter compared with the stream.
        passed: filters that passed, after the cap.
        scored: rows scored.
    """

    compared: int = 0
    passed: int = 0
    scored: int = 0


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

    Args:
        prints: the prints, or their heads laid out already (many matchers may share one).
        false_per_feed_year: the promise the threshold is made from.
    """

    def __init__(self, prints: Sequence[Print] | Heads, *, false_per_feed_year: float = 1.0) -> None:
        self.heads = prints if isinstance(prints, Heads) else heads_of(prints)
        self.threshold = threshold_nats(n_spots=self.heads.n_spots, false_per_feed_year=false_per_feed_year)
        self.lower_bound = LOWER_BOUND_NATS
        self.row_most = ROW_MOST_NATS
        self.work = Work()
        self._false_per_feed_year = false_per_feed_year
        room = 2 * max(PASSED_LEAST, int(self.heads.n_spots * PASSED_SHARE))
        self._passed = np.empty((FRAMES_A_CALL, room), np.int64)
        self._margins = np.empty((FRAMES_A_CALL, room), np.int64)
        self._found = np.empty((CROSSINGS_MAX, 4), np.int64)
        self._found_scores = np.empty(CROSSINGS_MAX, np.float32)
        self.restart()

    def restart(self) -> None:
        """Forget every living hypothesis and every frame, as after a gap."""
        self._pool = np.empty((ALIVE_MAX, 3), np.int32)
        self._scores = np.empty(ALIVE_MAX, np.float32)
        self._alive = 0
        self._best = 0.0
        # Nothing agrees with what was never heard.
        self._signs: Words = np.zeros(FILTER_ROWS - 1, np.uint32)
        self._stills: Words = np.full(FILTER_ROWS - 1, 0xFFFF_FFFF, np.uint32)

    @property
    def evidence(self) -> float:
        """The strongest living hypothesis against the threshold, 0 to 1."""
        return min(1.0, max(0.0, self._best / self.threshold))

    @property
    def alive(self) -> int:
        """How many hypotheses live now; at most `ALIVE_MAX`."""
        return self._alive

    def use(self, heads: Heads, *, moved: dict[int, int]) -> None:
        """Go on with another set of heads: hypotheses of spots that stayed live on.

        Args:
            heads: the new heads.
            moved: the new index of each old spot whose print is the same.
        """
        old = self._pool[: self._alive]
        stays = np.array([spot in moved for spot in old[:, 0].tolist()], bool)
        pool, scores, alive = old[stays], self._scores[: self._alive][stays], int(stays.sum())
        pool[:, 0] = [moved[spot] for spot in pool[:, 0].tolist()]
        signs, stills, work, best = self._signs, self._stills, self.work, self._best
        self.__init__(heads, false_per_feed_year=self._false_per_feed_year)  # type: ignore[misc] # the same, with other heads
        self._signs, self._stills, self.work, self._best = signs, stills, work, best
        self._pool[:alive], self._scores[:alive], self._alive = pool, scores, alive

    def advance(self, bits: StreamBits) -> list[Crossing]:
        """The hypotheses that reach the threshold within these frames, in order of frames, best first within one.

        Args:
            bits: the frames after those given before.
        """
        crossings: list[Crossing] = []
        for start in range(0, len(bits) if self.heads.n_spots else 0, FRAMES_A_CALL):
            crossings += self._advance(bits.between(bits.first_frame + start, bits.first_frame + start + FRAMES_A_CALL))
        return sorted(crossings, key=lambda crossing: (crossing.frame, -crossing.score, crossing.spot, crossing.onset))

    def _advance(self, bits: StreamBits) -> list[Crossing]:
        heads, context = self.heads, FILTER_ROWS - 1
        signs, stills = np.concatenate([self._signs, bits.signs]), np.concatenate([self._stills, bits.stills])
        n_passed = np.zeros(len(bits), np.int64)
        self.work.compared += kernels.sift(
            signs, stills, heads.planes, heads.filters, heads.limits, self._passed, self._margins, n_passed
        )
        crossings: list[Crossing] = []
        done = 0
        while done < len(bits):
            taken, n_found, self._alive, best, scored = kernels.advance(
                signs[done:], stills[done:], context, heads.rows, WEIGHTS, heads.starts, heads.lengths, heads.births,
                self._passed[done:], n_passed[done:], self._pool, self._scores, self._alive,
                np.float32(self.threshold), np.float32(self.lower_bound), np.float32(NEWBORN_LEAST_NATS),
                np.float32(self.row_most), self._found, self._found_scores,
            )  # fmt: skip
            first_frame = bits.first_frame + done
            crossings += [self._crossing(first_frame, self._found[i], float(self._found_scores[i])) for i in range(n_found)]
            done += taken
            self._best = float(best)
            self.work.scored += scored
        self.work.passed += int(n_passed.sum())
        self._signs, self._stills = signs[-context:], stills[-context:]
        return crossings

    def _crossing(self, first_frame: int, found: npt.NDArray[np.int64], score: float) -> Crossing:
        frame, spot, phase, kept_row = first_frame + int(found[0]), int(found[1]), int(found[2]), int(found[3])
        row = kept_row + int(self.heads.skipped[spot])
        onset = (frame - row - (LAG_FRAMES - 1)) * PHASES - phase
        return Crossing(frame=frame, spot=spot, onset=onset, score=score)


def earliest_decision_s(print_: Print, *, threshold: float) -> float | None:
    """How long after its onset a flawless reception of a print reaches the threshold.

    Returns:
        Seconds; None when the part that is matched (`HEAD_FRAMES_MAX`) never tells enough.
    """
    return earliest_decision_of(head_of(print_.table), threshold=threshold)


def earliest_decision_of(head: Head, *, threshold: float) -> float | None:
    """The same for a head at hand."""
    if not head.limits[0].all():
        return None
    birth = int(head.births[0])
    path = np.cumsum(np.minimum(row_gains(head.rows[birth:]), ROW_MOST_NATS))
    reached = np.nonzero(path >= threshold)[0]
    if not len(reached):
        return None
    row = head.skipped + birth + max(int(reached[0]), FILTER_ROWS - 1)
    return decided_sample(row + LAG_FRAMES - 1) / SAMPLE_RATE_HZ
