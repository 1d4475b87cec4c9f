"""Has one of the spots just begun? Quickest detection by a sequential likelihood ratio.

Every hop of the stream is a possible start of every spot. Filters (`heads.py`) tell for nearly all of them that the spot
has not begun there. What passes is a hypothesis: it gathers the log-likelihood ratio of "this is the spot, begun then"
against "it is something else" frame by frame, from its birth on, and dies when it falls below a lower bound. At birth and every
few frames later the waveform itself is compared (`coherence.py`). Both kinds of evidence together are the score, and a
hypothesis that reaches the threshold is a *crossing*. Caps on what passes, on what lives and on what is compared bound
the work whatever the sound.

Nothing here knows files or time: frames and their samples in, crossings out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.calibration import FLOOR_NATS, SHIPPED, Calibration, threshold_nats
from fingerprints.coherence import (
    BITS_SHARE,
    CHECK_FRAMES,
    CHECK_LEAST_NATS,
    COMPARED_SAMPLES_MAX,
    LAG_SAMPLES,
    STRIDE,
    WAVE_SAMPLES,
    coherence_nats,
    flawless_nats,
)
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, StreamBits, Words
from fingerprints.heads import FILTER_ROWS, HEAD_FRAMES_MAX, Head, Heads, head_of, heads_of
from fingerprints.prints import PHASE_SAMPLES, PHASES, WEIGHTS, Print, row_gains

LOWER_BOUND_NATS: Final = -12.0
"""Where a hypothesis dies. The true one dips below in fewer than 1 in 200 airings, and its neighbours 4 ms away live on."""

ROW_MOST_NATS: Final = 4.0
"""The most a single frame may add. Neighbouring frames share most of their samples, and one attack (a drum, a plosive) looks
like another for 30 ms; so evidence must be spread over time. At 6 nats the tail of impostors is flatter and nothing is sooner."""

PASSED_LEAST: Final = 512
PASSED_SHARE: Final = 1 / 20
"""Filters that may pass a frame: this share of the spots, at least this many. When more do, the closer half stays."""

ALIVE_MAX: Final = 4096
"""Living hypotheses; when all are taken, the weakest quarter goes."""

FRAMES_A_CALL: Final = 32
"""Frames that are sifted together; their filters are read from memory once."""

CROSSINGS_MAX: Final = 2048
"""Room for crossings a call; the kernel returns early at half of it."""

CHECKS_MAX: Final = 8
"""Hypotheses due for that at one frame, the best; one a spot."""

COMPARED_MAX: Final = 4
"""Of these, how many are compared: those of spots just decided need not be."""

WAVE_ROWS: Final = WAVE_SAMPLES * STRIDE // HOP_SAMPLES
"""Rows that a wave spans; later than that it tells nothing new."""

DECIDED_FRAMES: Final = HEAD_FRAMES_MAX
DECIDED_HALF_HOPS: Final = 25
"""For four seconds a decided spot is not decided again within 0.1 s of the same onset."""

COINCIDENCES_MAX: Final = 1024
"""Kept until somebody takes them."""


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
        score: nats, `BITS_SHARE` of the bits' and all of the waveform's.
        bits: nats of the bits alone.
    """

    frame: int
    spot: int
    onset: int
    score: float
    bits: float

    def rank(self) -> tuple[int, float, int, int]:
        """Sorts by frame, and within one the best first."""
        return self.frame, -self.score, self.spot, self.onset


class Decided:
    """The last decision of each spot: just after it the same spot is not decided again at about the same onset."""

    def __init__(self) -> None:
        self._last: dict[int, Crossing] = {}

    def __contains__(self, crossing: Crossing) -> bool:
        before = self._last.get(crossing.spot)
        if before is None or crossing.frame - before.frame > DECIDED_FRAMES:
            return False
        return abs(crossing.onset - before.onset) <= DECIDED_HALF_HOPS

    def fresh(self, crossings: Iterable[Crossing]) -> list[Crossing]:
        """Of crossings in their order, those that are decisions; each is remembered."""
        decisions = []
        for crossing in crossings:
            if crossing not in self:
                self._last[crossing.spot] = crossing
                decisions.append(crossing)
        return decisions


@dataclass(slots=True, kw_only=True)
class Work:
    """What a matcher has done so far: the measure of its cost that no other process disturbs.

    Attributes:
        compared: words of a filter compared with the stream.
        passed: filters that passed, after the cap.
        scored: rows scored.
        checked: waveforms compared.
    """

    compared: int = 0
    passed: int = 0
    scored: int = 0
    checked: int = 0


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
        calibration: how chance scores.

    Raises:
        FingerprintsError: the promise is not a positive number.
    """

    def __init__(
        self, prints: Sequence[Print] | Heads, *, false_per_feed_year: float = 1.0, calibration: Calibration = SHIPPED
    ) -> None:
        self.heads = prints if isinstance(prints, Heads) else heads_of(prints)
        self.threshold = threshold_nats(
            n_spots=self.heads.n_spots, false_per_feed_year=false_per_feed_year, calibration=calibration
        )
        self.lower_bound = LOWER_BOUND_NATS
        self.row_most = ROW_MOST_NATS
        self.work = Work()
        room = 2 * max(PASSED_LEAST, int(self.heads.n_spots * PASSED_SHARE))
        self._signs: Words = np.empty(FILTER_ROWS - 1 + FRAMES_A_CALL, np.uint32)
        self._stills: Words = np.empty(FILTER_ROWS - 1 + FRAMES_A_CALL, np.uint32)
        self._n_passed = np.empty(FRAMES_A_CALL, np.int64)
        self._n_checks = np.empty(FRAMES_A_CALL, np.int64)
        self._passed = np.empty((FRAMES_A_CALL, room), np.int64)
        self._margins = np.empty((FRAMES_A_CALL, room), np.int64)
        self._checks = np.empty((FRAMES_A_CALL, CHECKS_MAX, 4), np.int64)
        self._check_scores = np.empty((FRAMES_A_CALL, CHECKS_MAX), np.float32)
        self._found = np.empty((CROSSINGS_MAX, 4), np.int64)
        self._found_scores = np.empty(CROSSINGS_MAX, np.float32)
        self.restart()

    def restart(self) -> None:
        """Forget every living hypothesis and every frame, as after a gap."""
        self._pool = np.empty((ALIVE_MAX, 4), np.int32)
        self._scores = np.empty(ALIVE_MAX, np.float32)
        self._alive = 0
        self._best = 0.0
        self._decided = Decided()
        self._coincidences: list[Crossing] = []
        # Nothing agrees with what was never heard.
        self._signs[: FILTER_ROWS - 1] = 0
        self._stills[: FILTER_ROWS - 1] = 0xFFFF_FFFF

    @property
    def evidence(self) -> float:
        """The strongest living hypothesis against the threshold, 0 to 1."""
        return min(1.0, max(0.0, BITS_SHARE * self._best / self.threshold))

    @property
    def alive(self) -> int:
        """How many hypotheses live now; at most `ALIVE_MAX`."""
        return self._alive

    def advance(self, bits: StreamBits) -> list[Crossing]:
        """The hypotheses that reach the threshold within these frames, in order of frames, best first within one.

        Args:
            bits: the frames after those given before.
        """
        crossings: list[Crossing] = []
        for start in range(0, len(bits) if self.heads.n_spots else 0, FRAMES_A_CALL):
            crossings += self._advance(bits.between(bits.first_frame + start, bits.first_frame + start + FRAMES_A_CALL))
        return crossings

    def _advance(self, bits: StreamBits) -> list[Crossing]:
        heads, context, n = self.heads, FILTER_ROWS - 1, len(bits)
        end = context + n
        self._signs[context:end], self._stills[context:end] = bits.signs, bits.stills
        signs, stills = self._signs[:end], self._stills[:end]
        n_passed, n_checks = self._n_passed[:n], self._n_checks[:n]
        n_passed[:] = 0
        self.work.compared += kernels.sift(
            signs, stills, heads.planes, heads.filters, heads.limits, self._passed, self._margins, n_passed
        )
        crossings: dict[int, list[Crossing]] = {}
        done = n_due = 0
        while done < n:
            done, n_found, self._alive, self._best, scored, due = kernels.advance(
                signs, stills, context, done, heads.rows, WEIGHTS, heads.starts, heads.lengths, heads.births, self._passed,
                n_passed, self._pool, self._scores, self._alive, self.threshold / BITS_SHARE, self.lower_bound, self.row_most,
                CHECK_LEAST_NATS, CHECK_FRAMES, self._found, self._found_scores, self._checks, self._check_scores, n_checks,
            )  # fmt: skip
            for i in range(n_found):
                frame, spot, phase, row = self._found[i].tolist()
                crossing = self._crossing(bits.first_frame + frame, spot, phase, row, bits=float(self._found_scores[i]))
                crossings.setdefault(frame, []).append(crossing)
            self.work.scored += scored
            n_due += due
        self.work.passed += sum(n_passed.tolist())
        self._signs[:context], self._stills[:context] = signs[n:].copy(), stills[n:].copy()
        return self._decisions(bits, crossings, n_checks.tolist()) if n_due or crossings else []

    def _decisions(self, bits: StreamBits, crossings: dict[int, list[Crossing]], n_checks: list[int]) -> list[Crossing]:
        decided: list[Crossing] = []
        for i, n in enumerate(n_checks):
            if n or i in crossings:
                at_once = [*crossings.get(i, ()), *self._check(bits, i, n)]
                decided += self._decided.fresh(sorted(at_once, key=Crossing.rank))
        return decided

    def _check(self, bits: StreamBits, i: int, n: int) -> list[Crossing]:
        """Compare the waveforms of the best hypotheses that are due at frame `i`; those that reach the threshold."""
        frame, compared = bits.first_frame + i, 0
        crossings: list[Crossing] = []
        for k in np.argsort(-self._check_scores[i, :n], kind="stable").tolist():
            spot, phase, row, birth = self._checks[i, k].tolist()
            crossing = self._crossing(frame, spot, phase, row, bits=float(self._check_scores[i, k]))
            if compared == COMPARED_MAX or crossing in self._decided:
                continue
            compared += 1
            wave = self._coherence(bits, crossing, birth=birth)
            crossing = replace(crossing, score=crossing.score + wave)
            if crossing.score >= self.threshold:
                crossings.append(crossing)
            elif crossing.score >= FLOOR_NATS and len(self._coincidences) < COINCIDENCES_MAX:
                self._coincidences.append(crossing)
        self.work.checked += compared
        return crossings

    def take_coincidences(self) -> list[Crossing]:
        """What came above the calibration's floor since the last call and was not decided; a coincidence may be there often."""
        taken, self._coincidences = self._coincidences, []
        return [one for one in taken if one not in self._decided]

    def _coherence(self, bits: StreamBits, hypothesis: Crossing, *, birth: int) -> float:
        """What the samples from a hypothesis' birth to the end of a frame say, the last `COMPARED_SAMPLES_MAX` of them."""
        frame, spot = hypothesis.frame, hypothesis.spot
        wave_first = hypothesis.onset * PHASE_SAMPLES + int(self.heads.skipped[spot]) * HOP_SAMPLES
        end = min(frame * HOP_SAMPLES + WINDOW_SAMPLES, wave_first + WAVE_SAMPLES * STRIDE + LAG_SAMPLES)
        first = max(wave_first + birth * HOP_SAMPLES, end - COMPARED_SAMPLES_MAX, bits.sound_first + LAG_SAMPLES)
        skipped = first - wave_first + (first - wave_first) % STRIDE
        start = wave_first + skipped - LAG_SAMPLES - bits.sound_first
        heard = bits.sound[start : max(start, end - bits.sound_first)]
        least = FLOOR_NATS - hypothesis.score
        return coherence_nats(self.heads.waves[spot], heard=heard, skipped=skipped, least=least)

    def _crossing(self, frame: int, spot: int, phase: int, kept_row: int, *, bits: float) -> Crossing:
        row = kept_row + int(self.heads.skipped[spot])
        onset = (frame - row - (LAG_FRAMES - 1)) * PHASES - phase
        return Crossing(frame=frame, spot=spot, onset=onset, score=BITS_SHARE * bits, bits=bits)


def earliest_decision_s(print_: Print, *, threshold: float) -> float | None:
    """How long after its onset a flawless reception of a print reaches the threshold.

    Returns:
        Seconds; None when the part that is matched (`HEAD_FRAMES_MAX`) never tells enough.
    """
    return earliest_decision_of(head_of(print_.table, print_.wave), threshold=threshold)


def earliest_decision_of(head: Head, *, threshold: float) -> float | None:
    """The same for a head at hand."""
    if not head.limits[0].all():
        return None
    birth, last = int(head.births[0]), FILTER_ROWS - 1
    path = BITS_SHARE * np.cumsum(np.minimum(row_gains(head.rows[birth:]), ROW_MOST_NATS))
    for row in range(last, len(path)):
        wave = 0.0
        if (row - last) % CHECK_FRAMES == 0 and row <= WAVE_ROWS:
            ends = (row + LAG_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES - LAG_SAMPLES
            wave = flawless_nats(head.wave, skipped=birth * HOP_SAMPLES, n_samples=min(ends, COMPARED_SAMPLES_MAX))
        if path[row] + wave >= threshold:
            return decided_sample(head.skipped + birth + row + LAG_FRAMES - 1) / SAMPLE_RATE_HZ
    return None
