"""Blocks of one feed in, onsets and ends of spots out.

Pure but for its own state: no clock, no file, no socket. What comes out depends on the samples alone, not on the sizes of
the blocks that carried them.
"""

from typing import Final

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock
from fingerprints.echoes import Echo
from fingerprints.events import FollowEnd
from fingerprints.features import FeatureStream, StreamBits
from fingerprints.follower import SPEED_DIGITS, Follower
from fingerprints.library import SpotLibrary
from fingerprints.onset import Crossing, Onset, OnsetMatcher, decided_sample
from fingerprints.prints import PHASE_SAMPLES, PHASES

SAME_AIRING_HALF_HOPS: Final = SAMPLE_RATE_HZ // PHASE_SAMPLES
"""A look-alike that seems to begin within a second of a decided one is the same airing."""

TOGETHER_HALF_HOPS: Final = 25
"""Within 0.1 s no second spot can begin on a feed: whatever else is heard there is the same sound."""

ECHO_HALF_HOPS: Final = 12
"""How exactly (48 ms) an echo must lie where the collision report expects it."""

AIRINGS_MAX: Final = 16
"""Airings followed at once; the oldest is ended when one more begins."""


class Airing:
    """A decided airing: its follower while it runs, and the memory of it for as long as it could echo."""

    def __init__(self, onset: Onset, crossing: Crossing, follower: Follower) -> None:
        self.onset = onset
        self.start = crossing.onset
        self.follower = follower
        self.told = False

    @property
    def end(self) -> int:
        """Where it was last heard, half hops since the grid's origin."""
        return self.follower.end_sample // PHASE_SAMPLES


class Recogniser:
    """Recognises the spots of a library in one feed.

    Args:
        library: the spots.
        feed_id: put into every `FollowEnd`.
        false_per_feed_year: the promise the threshold is made from.

    Raises:
        FingerprintsError: the promise is not a positive number.
    """

    def __init__(self, library: SpotLibrary, *, feed_id: str, false_per_feed_year: float = 1.0) -> None:
        self._feed_id = feed_id
        self._prints = [spot.print for spot in library.spots]
        self._print_of = {print_.spot_id: print_ for print_ in self._prints}
        self._group_of = {spot_id: group for group in library.groups for spot_id in group}
        self._echoes: dict[tuple[str, str], list[Echo]] = {}
        for echo in library.echoes:
            self._echoes.setdefault((echo.host_id, echo.guest_id), []).append(echo)
        self._longest = max((print_.audible_samples for print_ in self._prints), default=0) // PHASE_SAMPLES
        self._matcher = OnsetMatcher(library.heads, false_per_feed_year=false_per_feed_year, calibration=library.calibration)
        self._airings: list[Airing] = []
        self._features = FeatureStream()
        self._origin_sample = 0
        self._next_sample: int | None = None

    def feed(self, block: AudioBlock) -> list[Onset | FollowEnd]:
        """What this block completes, in the order of the stream.

        A block with `gap`, or one that does not begin where the last one ended, starts matching afresh: airings that were
        being followed end with what was heard of them.
        """
        events: list[Onset | FollowEnd] = []
        if block.gap or block.first_sample != self._next_sample:
            events += self._restart(block.first_sample)
        self._next_sample = block.first_sample + len(block.pcm)
        bits = self._features.feed(block.pcm)
        frame = bits.first_frame
        for crossing in self._matcher.advance(bits):
            events += self._follow(bits.between(frame, crossing.frame + 1))
            frame = crossing.frame + 1
            events += self._decide(crossing)
        events += self._follow(bits.between(frame, bits.first_frame + len(bits)))
        return events

    def finish(self) -> list[Onset | FollowEnd]:
        """The ends of the airings still followed: the feed is over."""
        events: list[Onset | FollowEnd] = [self._end(airing) for airing in self._airings if not airing.told]
        self._airings = []
        return events

    def evidence(self) -> float:
        """The strongest hypothesis now against the threshold, 0 to 1."""
        return self._matcher.evidence

    @property
    def threshold(self) -> float:
        """The score that decides, nats."""
        return self._matcher.threshold

    def _restart(self, first_sample: int) -> list[Onset | FollowEnd]:
        events = self.finish()
        self._matcher.restart()
        self._features = FeatureStream()
        self._origin_sample = first_sample
        return events

    def _decide(self, crossing: Crossing) -> list[Onset | FollowEnd]:
        print_ = self._prints[crossing.spot]
        for airing in self._airings:
            if self._is_same(airing, print_.spot_id, crossing):
                if not airing.told:
                    airing.follower.add(print_, onset=crossing.onset, frame=crossing.frame, score=crossing.bits)
                return []
            if self._is_echo(airing, print_.spot_id, crossing):
                return []
        events: list[Onset | FollowEnd] = []
        if sum(not airing.told for airing in self._airings) >= AIRINGS_MAX:
            events.append(self._end(next(airing for airing in self._airings if not airing.told)))
        onset = self._onset(crossing)
        likeliest_first = sorted(onset.spot_ids, key=lambda spot_id: spot_id != onset.spot_id)
        prints = [self._print_of[spot_id] for spot_id in likeliest_first]
        follower = Follower(prints, onset=crossing.onset, frame=crossing.frame, score=crossing.bits)
        self._airings.append(Airing(onset, crossing, follower))
        return [*events, onset]

    def _onset(self, crossing: Crossing) -> Onset:
        spot_id = self._prints[crossing.spot].spot_id
        onset_sample, decided = crossing.onset * PHASE_SAMPLES, decided_sample(crossing.frame)
        elapsed_s = (decided - onset_sample) / SAMPLE_RATE_HZ
        return Onset(
            spot_id=spot_id,
            spot_ids=tuple(sorted({spot_id, *self._not_told_apart(spot_id, elapsed_s)})),
            onset_sample=self._origin_sample + onset_sample,
            decided_sample=self._origin_sample + decided,
            score=crossing.score,
            threshold=self._matcher.threshold,
        )

    def _not_told_apart(self, spot_id: str, elapsed_s: float) -> list[str]:
        return [
            other
            for other in self._group_of.get(spot_id, ())
            for echo in (*self._echoes.get((spot_id, other), ()), *self._echoes.get((other, spot_id), ()))
            if echo.heads_alike and echo.until_s >= elapsed_s
        ]

    def _is_same(self, airing: Airing, spot_id: str, crossing: Crossing) -> bool:
        """Whether this is the airing already decided: begun at the same time, or a look-alike at about the same time."""
        apart = abs(crossing.onset - airing.start)
        known = airing.follower.spot_ids
        alike = spot_id in known or any(spot_id in self._group_of.get(other, ()) for other in known)
        return apart <= TOGETHER_HALF_HOPS or (alike and apart <= SAME_AIRING_HALF_HOPS)

    def _is_echo(self, airing: Airing, spot_id: str, crossing: Crossing) -> bool:
        """Whether a spot on air explains it: the head is known to be heard at just this place of it."""
        if airing.told and crossing.onset > airing.end:
            return False
        return any(
            abs(crossing.onset - host_onset - echo.offset) <= ECHO_HALF_HOPS
            for host_id, host_onset in airing.follower.onsets().items()
            for echo in self._echoes.get((host_id, spot_id), ())
        )

    def _follow(self, bits: StreamBits) -> list[Onset | FollowEnd]:
        events: list[Onset | FollowEnd] = []
        if not len(bits):
            return events
        for airing in self._airings:
            if not airing.told:
                airing.follower.feed(bits)
                if airing.follower.ended:
                    events.append(self._end(airing))
        now = (bits.first_frame + len(bits)) * PHASES
        self._airings = [airing for airing in self._airings if not airing.told or now < airing.start + 2 * self._longest]
        return events

    def _end(self, airing: Airing) -> FollowEnd:
        airing.follower.finish()
        airing.told = True
        likeliest = airing.follower.likeliest
        return FollowEnd(
            spot_id=likeliest.print.spot_id,
            feed_id=self._feed_id,
            onset_s=airing.onset.onset_sample / SAMPLE_RATE_HZ,
            end_s=(self._origin_sample + airing.follower.end_sample) / SAMPLE_RATE_HZ,
            coverage=airing.follower.coverage,
            speed=round(likeliest.speed, SPEED_DIGITS),
            confidence=likeliest.confidence,
            confidences=likeliest.confidences,
            cut_s=airing.follower.cut_s,
        )
