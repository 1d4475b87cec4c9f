"""Airings that were joined in the middle: found by the whole-spot index, followed to their end, told as late.

Fed with the same sound as the recogniser, and told what that reports: an airing that was heard from its beginning is never
reported here too. Nothing that comes out of this module can fire a tweet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.events import FollowEnd, LateFound
from fingerprints.features import Floats
from fingerprints.follower import WHOLE_SAMPLES
from fingerprints.onset import Onset
from fingerprints.whole import (
    FOUND_NATS,
    HOP_SAMPLES,
    ROW_SPAN_SAMPLES,
    Alignment,
    RowStream,
    WholeIndex,
    WholeMatcher,
    WholePrint,
)

HEAD_ROWS: Final = 10
HEAD_WAIT_SAMPLES: Final = 2 * SAMPLE_RATE_HZ
"""A spot that seems to have been heard from its beginning is left to the onset matcher for this long."""

SAME_ONSET_SAMPLES: Final = 3 * SAMPLE_RATE_HZ
"""What goes on after a short hole is the airing it was before."""
REMEMBERED_MAX: Final = 32
STALE_SAMPLES: Final = 5 * SAMPLE_RATE_HZ // 4
"""What began to agree before a known airing ended must still do so this long after: cut-downs share their bodies."""

LOOK_ALIKE_SHARE: Final = 0.6
"""A spot with this share of the strongest one's evidence may be the one on air: cut-downs share their bodies."""
LOOK_ALIKES_MAX: Final = 8

OVER_NATS: Final = 16.0
"""A followed spot this far below its best is over: about half a second of something else."""
DOUBT_NATS: Final = 6.0
"""At the natural end of a spot: less than this lost since its best contradicts nothing, so all of it aired."""
ROW_LEAST_NATS: Final = -1.5
"""The most one row may take away, so that a lost packet does not end a spot."""

EDGE_SAMPLES: Final = 1344
"""A row agrees once all but 84 ms of it lie in the spot: what 60 airings through three codecs, joined and cut, were told by."""


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One spot that may be the one on air, followed row by row."""

    index: int
    print: WholePrint
    row: int
    first_row: int
    total: float
    best: float
    best_row: int
    over: bool = False
    complete: bool = False
    gained: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        whole = self.print.nats_between(self.first_row, self.row + 1)
        self.gained = (self.total / max(1e-9, float(whole.sum())) * whole).tolist()

    def take(self, nats: float) -> None:
        """One row of the stream more."""
        self.row += 1
        self.gained.append(max(ROW_LEAST_NATS, nats))
        self.total += self.gained[-1]
        if self.total > self.best:
            self.best, self.best_row = self.total, self.row
        if self.row >= len(self.print.rows) - 1:
            self.over, self.complete = True, self.total > self.best - DOUBT_NATS
        elif self.total < self.best - OVER_NATS:
            self.over = True

    @property
    def from_samples(self) -> int:
        """The first sample of the spot that was heard."""
        return 0 if self.first_row <= 1 else self.first_row * HOP_SAMPLES + EDGE_SAMPLES

    @property
    def until_samples(self) -> int:
        """One past the last sample of the spot that was heard."""
        if self.complete:
            return self.print.length_samples
        return min(self.print.length_samples, self.best_row * HOP_SAMPLES + ROW_SPAN_SAMPLES - EDGE_SAMPLES)

    @property
    def is_whole(self) -> bool:
        """Whether it ran to its end."""
        return self.complete or self.until_samples >= self.print.length_samples - WHOLE_SAMPLES

    @property
    def confidence(self) -> float:
        """Share of the evidence that a flawless reception of what was heard would have given, 0 to 1."""
        return min(1.0, max(0.0, self.best / max(1e-9, float(self.print.nats_between(self.first_row, self.best_row + 1).sum()))))

    @property
    def confidences(self) -> tuple[float, ...]:
        """The same for each second of the spot until it was last heard, a row counting where its middle lies."""
        whole = self.print.nats_between(0, self.best_row + 1)
        gained = np.zeros(len(whole))
        heard = self.gained[: len(whole) - self.first_row]
        gained[self.first_row : self.first_row + len(heard)] = heard
        seconds = (np.arange(len(whole)) * HOP_SAMPLES + ROW_SPAN_SAMPLES // 2) // SAMPLE_RATE_HZ
        length = -(-self.until_samples // SAMPLE_RATE_HZ)
        got, most = (np.bincount(seconds, nats, length)[:length] for nats in (gained, whole))
        return tuple(np.clip(got / np.maximum(most, 1e-9), 0.0, 1.0).tolist())


@dataclass(slots=True, kw_only=True)
class _Airing:
    """A late airing while it is followed: where it would have begun, and which spots it may be."""

    onset_sample: int
    followed: list[_Followed]

    @property
    def likeliest(self) -> _Followed:
        return max(self.followed, key=lambda one: one.best)


@dataclass(slots=True, kw_only=True)
class _Known:
    """An airing that is on the record already, running or ended."""

    spot_ids: frozenset[str]
    onset_sample: int
    end_sample: int | None


class LateFinder:
    """Finds late airings in one feed.

    Args:
        index: the spots.
        feed_id: put into every event.
    """

    def __init__(self, index: WholeIndex, *, feed_id: str) -> None:
        self._index, self._feed_id = index, feed_id
        self._known: list[_Known] = []
        self._airing: _Airing | None = None
        self._begin(0)

    def _begin(self, origin_sample: int) -> None:
        self._matcher = WholeMatcher(self._index)
        self._rows = RowStream()
        self._origin_sample = origin_sample
        self._row = -1

    def restart(self, first_sample: int) -> list[LateFound | FollowEnd]:
        """Begin afresh after a gap; the end of what was being followed."""
        events = self.finish()
        self._begin(first_sample)
        return events

    def finish(self) -> list[LateFound | FollowEnd]:
        """No more sound comes: the end of what was being followed."""
        return [] if self._airing is None else [self._end(self._airing)]

    def note(self, events: Iterable[Onset | FollowEnd]) -> None:
        """Hear what the recogniser reports, so that nothing is reported twice."""
        for event in events:
            if isinstance(event, Onset):
                self._remember(frozenset(event.spot_ids), event.onset_sample, end_sample=None)
                if self._airing is not None and abs(self._airing.onset_sample - event.onset_sample) < SAME_ONSET_SAMPLES:
                    self._airing = None  # its head was heard after all: the recogniser follows it from here
            else:
                onset_sample = round(event.onset_s * SAMPLE_RATE_HZ)
                for known in self._known:
                    if known.end_sample is None and abs(known.onset_sample - onset_sample) <= 1:
                        known.end_sample = round(event.end_s * SAMPLE_RATE_HZ)

    def feed(self, pcm: Floats) -> list[LateFound | FollowEnd]:
        """What these samples, which come after those given before, complete."""
        events: list[LateFound | FollowEnd] = []
        signs, stills = self._rows.feed(pcm)
        for sign, still in zip(signs, stills, strict=True):
            self._row += 1
            alignments = self._matcher.advance(int(sign), int(still))
            if self._airing is not None:
                events += self._follow(self._airing)
            elif alignments and not any(known.end_sample is None for known in self._known):
                events += self._find(alignments)
        return events

    def _find(self, alignments: list[Alignment]) -> list[LateFound | FollowEnd]:
        fresh = [one for one in alignments if not self._is_known(one)]
        if not fresh:
            return []
        best = fresh[0]
        alike = [one for one in fresh if one.score >= LOOK_ALIKE_SHARE * best.score][:LOOK_ALIKES_MAX]
        self._airing = _Airing(onset_sample=self._onset_sample(best), followed=[self._followed(one) for one in alike])
        print_ = self._index.prints[best.print_index]
        return [
            LateFound(
                spot_id=print_.spot_id,
                spot_ids=tuple(sorted({self._index.prints[one.print_index].spot_id for one in alike})),
                feed_id=self._feed_id,
                onset_s=self._airing.onset_sample / SAMPLE_RATE_HZ,
                joined_s=(self._airing.onset_sample + self._airing.followed[0].from_samples) / SAMPLE_RATE_HZ,
                decided_s=self._now_sample() / SAMPLE_RATE_HZ,
                score=best.score,
                threshold=FOUND_NATS,
                speed=print_.speed,
            )
        ]

    def _is_known(self, one: Alignment) -> bool:
        """Whether it is on the record, or the onset matcher must be given its time first."""
        onset_sample = self._onset_sample(one)
        if one.first_row < HEAD_ROWS and self._now_sample() < onset_sample + HEAD_WAIT_SAMPLES:
            return True
        spot_id = self._index.prints[one.print_index].spot_id
        joined_sample = onset_sample + one.first_row * HOP_SAMPLES
        return any(
            (spot_id in known.spot_ids and abs(known.onset_sample - onset_sample) < SAME_ONSET_SAMPLES)
            or (known.end_sample or 0) > max(joined_sample, self._now_sample() - STALE_SAMPLES)
            for known in self._known
        )

    def _followed(self, one: Alignment) -> _Followed:
        return _Followed(
            index=one.print_index,
            print=self._index.prints[one.print_index],
            row=one.row,
            first_row=one.first_row,
            total=one.score,
            best=one.score,
            best_row=one.row,
        )

    def _follow(self, airing: _Airing) -> list[LateFound | FollowEnd]:
        for followed in airing.followed:
            if not followed.over:
                followed.take(self._matcher.nats(followed.index, followed.row + 1))
        return [self._end(airing)] if all(followed.over for followed in airing.followed) else []

    def _end(self, airing: _Airing) -> FollowEnd:
        self._airing = None
        one = airing.likeliest
        end_sample = airing.onset_sample + one.until_samples
        self._remember(frozenset({one.print.spot_id}), airing.onset_sample, end_sample=end_sample)
        return FollowEnd(
            spot_id=one.print.spot_id,
            feed_id=self._feed_id,
            onset_s=airing.onset_sample / SAMPLE_RATE_HZ,
            end_s=end_sample / SAMPLE_RATE_HZ,
            coverage=(one.until_samples - one.from_samples) / one.print.length_samples,
            speed=one.print.speed,
            confidence=one.confidence,
            confidences=one.confidences,
            cut_s=None if one.is_whole else one.until_samples / SAMPLE_RATE_HZ,
            late=True,
        )

    def _remember(self, spot_ids: frozenset[str], onset_sample: int, *, end_sample: int | None) -> None:
        self._known.append(_Known(spot_ids=spot_ids, onset_sample=onset_sample, end_sample=end_sample))
        del self._known[:-REMEMBERED_MAX]

    def _onset_sample(self, one: Alignment) -> int:
        return self._origin_sample + (self._row - one.row) * HOP_SAMPLES

    def _now_sample(self) -> int:
        return self._origin_sample + self._row * HOP_SAMPLES + ROW_SPAN_SAMPLES
