"""Everything one feed's sound is asked: has a spot begun, is one on air whose beginning was missed, at which speed, until when?

The recogniser answers at once and may fire; the late finder answers within two seconds and never does. Both hear the same
samples; what one has told the other does not tell again.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from fingerprints.audio import AudioBlock
from fingerprints.events import FollowEnd, LateFound
from fingerprints.features import Floats
from fingerprints.follower import SPEED_DIGITS
from fingerprints.late import LateFinder
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.rates import name_and_speed
from fingerprints.recogniser import Recogniser
from fingerprints.whole import WholeIndex

STEP_SAMPLES: Final = 2048
"""The late finder hears 128 ms at a time, always cut at the same places: so what it knows of the recogniser's findings
depends on the samples, not on the sizes of the blocks that brought them."""

SAME_SPEED: Final = 0.0025
"""A drift tells a speed to 0.1 or 0.2 %: the shorter the airing, the worse."""

Event = Onset | LateFound | FollowEnd


class Ear:
    """Recognises the spots of a library in one feed, late ones too.

    Args:
        library: the spots, at every speed they may be played at (`rates.at_rates`).
        index: the whole spots; None leaves late airings unheard.
        feed_id: put into every event.
        false_per_feed_year: the promise the threshold is made from.

    Raises:
        FingerprintsError: the promise is not a positive number.
    """

    def __init__(self, library: SpotLibrary, *, index: WholeIndex | None, feed_id: str, false_per_feed_year: float = 1.0) -> None:
        self.recogniser = Recogniser(library, feed_id=feed_id, false_per_feed_year=false_per_feed_year)
        self._finder = None if index is None else LateFinder(index, feed_id=feed_id)
        self._speeds = sorted({name_and_speed(spot.id)[1] for spot in library.spots})
        self._waiting: list[Floats] = []
        self._to_step = STEP_SAMPLES
        self._next_sample: int | None = None

    def feed(self, block: AudioBlock) -> list[Event]:
        """What this block completes. A block with `gap`, or one that does not begin where the last one ended, starts afresh."""
        if self._finder is None:
            return [self._named(event) for event in self.recogniser.feed(block)]
        events: list[Event] = []
        if block.gap or block.first_sample != self._next_sample:
            events += self._finder.feed(self._waited())
            events += self._finder.restart(block.first_sample)
        self._next_sample = block.first_sample + len(block.pcm)
        done = 0
        while done < len(block.pcm) or not len(block.pcm):
            part = block.pcm[done : done + self._to_step]
            piece = replace(block, pcm=part, first_sample=block.first_sample + done, gap=block.gap and done == 0)
            found = [self._named(event) for event in self.recogniser.feed(piece)]
            events += found
            self._finder.note(found)
            self._waiting.append(part)
            done += len(part)
            self._to_step -= len(part)
            if not self._to_step:
                events += self._finder.feed(self._waited())
            if not len(part):
                break
        return events

    def finish(self) -> list[Event]:
        """The ends of the airings still followed: the feed is over."""
        found = [self._named(event) for event in self.recogniser.finish()]
        if self._finder is None:
            return list(found)
        late = self._finder.feed(self._waited())
        self._finder.note(found)
        return [*late, *found, *self._finder.finish()]

    def _waited(self) -> Floats:
        pcm = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.float32)
        self._waiting, self._to_step = [], STEP_SAMPLES
        return pcm

    def _named(self, event: Onset | FollowEnd) -> Onset | FollowEnd:
        """The event by the spot's own name, its variant told as speed.

        A speed told by drift that is as good as one the channel uses is that one.
        """
        spot_id, speed = name_and_speed(event.spot_id)
        if isinstance(event, FollowEnd):
            drifted = round(speed * event.speed, SPEED_DIGITS)
            nearest = min(self._speeds, key=lambda known: abs(known - drifted), default=drifted)
            return replace(event, spot_id=spot_id, speed=nearest if abs(nearest - drifted) <= SAME_SPEED else drifted)
        spot_ids = tuple(sorted({name_and_speed(one)[0] for one in event.spot_ids}))
        return replace(event, spot_id=spot_id, spot_ids=spot_ids, speed=speed)
