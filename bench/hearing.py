"""What a listener decides in a stream under one condition: the matcher at the rates the channel is known to use, and the index
of whole spots for what it misses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.degradations import Condition
from bench.matching import Decision, decisions, features_of
from bench.material import Pcm
from fingerprints.events import LateFound
from fingerprints.heads import Heads
from fingerprints.late import LateFinder
from fingerprints.prints import Print, audible_span, make_print
from fingerprints.rates import played_at
from fingerprints.whole import WholeIndex, WholePrint, rows_of

STEP_SAMPLES: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was decided.

    Attributes:
        decisions: in order of the stream, late ones last; `spot` counts the references.
        threshold: nats.
        speeds: playback rates the listener was told to expect.
    """

    decisions: list[Decision]
    threshold: float
    speeds: tuple[float, ...]


def hear(prints: Sequence[Print], references: Sequence[Pcm], heard: Pcm, *, condition: Condition, n_library: int) -> Heard:
    """Play a stream to the listener that the condition calls for.

    Args:
        prints: the spots that air.
        references: their recordings, mono, 16 kHz.
        heard: the stream, mono, 16 kHz.
        condition: names the rates its channel is known to use.
        n_library: spots the threshold is for; each further rate is the library once more.
    """
    variants = list(prints)
    for rate in condition.rates:
        for print_, pcm in zip(prints, references, strict=True):
            start, end = audible_span(pcm)
            variants.append(make_print(f"{print_.spot_id}{rate.suffix}", played_at(pcm[start:end], rate)))
    found, threshold = decisions(variants, features_of(heard), n_library=n_library * (1 + len(condition.rates)))
    named = [replace(one, spot=one.spot % len(prints)) for one in found]
    named += late_decisions(prints, references, heard)
    return Heard(decisions=named, threshold=threshold, speeds=(1.0, *(rate.speed for rate in condition.rates)))


def hear_library(heads: Heads, first: int, count: int, heard: Pcm) -> Heard:
    """Play a stream to a listener of the whole library.

    Args:
        heads: of the library, the spots that may air first.
        first: index of the first spot that airs.
        count: how many air.
        heard: the stream, mono, 16 kHz.

    Returns:
        What was decided; a spot that does not air is numbered `count` plus its index in the library.
    """
    found, threshold = decisions(heads, features_of(heard), n_library=heads.n_spots)
    numbered = [replace(one, spot=_number(one.spot, first, count)) for one in found]
    return Heard(decisions=numbered, threshold=threshold, speeds=(1.0,))


def _number(index: int, first: int, count: int) -> int:
    return index - first if first <= index < first + count else count + index


def late_decisions(prints: Sequence[Print], references: Sequence[Pcm], heard: Pcm) -> list[Decision]:
    """What the index of whole spots finds."""
    whole: list[WholePrint] = []
    for print_, pcm in zip(prints, references, strict=True):
        start, end = audible_span(pcm)
        whole.append(WholePrint(spot_id=print_.spot_id, rows=rows_of(pcm[start:end]), length_samples=end - start))
    finder = LateFinder(WholeIndex(whole), feed_id="bench")
    number_of = {print_.spot_id: index for index, print_ in enumerate(whole)}
    events = [
        event
        for first in range(0, len(heard), STEP_SAMPLES)
        for event in finder.feed(heard[first : first + STEP_SAMPLES])
        if isinstance(event, LateFound)
    ]
    return [
        Decision(spot=number_of[one.spot_id], onset_s=one.onset_s, decided_s=one.decided_s, score=one.score, late=True)
        for one in events
    ]
