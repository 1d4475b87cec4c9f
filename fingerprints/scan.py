"""Recordings in, the spots that air in them out: the listener's work on a file, as fast as the machine can."""

from collections.abc import Callable, Iterator

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.capture import Capture
from fingerprints.events import FollowEnd
from fingerprints.library import SpotLibrary
from fingerprints.onset import Onset
from fingerprints.recogniser import Recogniser
from timebase import SystemClock

Heard = Callable[[float], None]
"""Called now and then with the stream position reached, seconds."""


def scan(
    media: str, library: SpotLibrary, *, false_per_feed_year: float = 1.0, heard: Heard | None = None
) -> Iterator[Onset | FollowEnd]:
    """Every onset and every end in a recording, in its order, each as soon as it is known.

    Args:
        media: a file name or a URL that ends; also the `feed_id` of the ends.
        library: the spots to look for.
        false_per_feed_year: the promise the threshold is made from.
        heard: told of progress.

    Raises:
        MediaError: not readable as audio; what was found before is yielded first.
    """
    recogniser = Recogniser(library, feed_id=media, false_per_feed_year=false_per_feed_year)
    with Capture(media, clock=SystemClock()) as capture:
        for block in capture.blocks():
            yield from recogniser.feed(block)
            if heard is not None:
                heard((block.first_sample + len(block.pcm)) / SAMPLE_RATE_HZ)
    yield from recogniser.finish()


def record(event: Onset | FollowEnd, *, feed: str) -> dict[str, object]:
    """An event as the fields of its JSON line; positions in seconds to a tenth of a millisecond."""
    if isinstance(event, FollowEnd):
        return {
            "spot": event.spot_id,
            "feed": feed,
            "onset_s": round(event.onset_s, 4),
            "end_s": round(event.end_s, 4),
            "coverage": round(event.coverage, 4),
        }
    return {
        "spot": event.spot_id,
        "spots": list(event.spot_ids),
        "feed": feed,
        "onset_s": round(event.onset_sample / SAMPLE_RATE_HZ, 4),
        "decided_s": round(event.decided_sample / SAMPLE_RATE_HZ, 4),
        "score": round(event.score, 2),
        "threshold": round(event.threshold, 2),
        "speed": event.speed,
    }
