"""From one set of spots to another while a feed plays on, with no sample missed and no airing told twice. Pure.

The new matcher answers for every spot that begins after the change; the old one goes on for those that began before, until it
has seen their ends, and says no more about later ones. For some seconds both hear the same sound, and a spot that begins just
at the change is placed before it by one and behind it by the other: whoever tells it first is believed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from fingerprints.audio import SAMPLE_RATE_HZ, AudioBlock

if TYPE_CHECKING:
    from fingerprints.ear import Event

UNDECIDED_S: Final = 12.0
"""A spot that began before the change is decided within this, or never (`onset.HEAD_FRAMES_MAX`)."""
LONGEST_S: Final = 620.0
"""No airing runs longer: whoever has answered for so long is let go."""
BORDER_S: Final = 0.1
"""So near to the change both may tell of a spot: two matchers place it some milliseconds apart."""
SAME_S: Final = 1.0
"""Onsets of a spot told by two matchers, this near to each other, are one airing (as within one: `SAME_AIRING_HALF_HOPS`)."""
TOLD_MAX: Final = 64
"""Onsets remembered for that."""
MATCHERS_MAX: Final = 3
"""At once, when a folder changes again and again; the oldest is ended early."""


class Matcher(Protocol):
    """Blocks in, what was recognised out; never waits for anything. `Ear` is one."""

    def feed(self, block: AudioBlock) -> "Sequence[Event]":
        """What this block decided, in order."""
        ...

    def finish(self) -> "Sequence[Event]":
        """The ends of what was still being followed: no more sound comes, or the next block follows a gap."""
        ...


@dataclass(slots=True)
class _Turn:
    """A matcher and the onsets it answers for, in seconds of the stream: `first_s` up to `end_s`."""

    matcher: Matcher
    first_s: float = float("-inf")
    end_s: float = float("inf")
    open: set[float] = field(default_factory=set)
    unsaid: set[float] = field(default_factory=set)

    def answers_for(self, onset_s: float) -> bool:
        return self.first_s - BORDER_S <= onset_s < self.end_s + BORDER_S and onset_s not in self.unsaid

    def is_over(self, now_s: float) -> bool:
        since_s = now_s - self.end_s
        return since_s >= UNDECIDED_S and (not self.open or since_s >= LONGEST_S)


class Handover:
    """A matcher whose spots can be exchanged between two blocks."""

    def __init__(self, matcher: Matcher) -> None:
        self._turns = [_Turn(matcher)]
        self._told: deque[tuple[_Turn, float, Sequence[str]]] = deque(maxlen=TOLD_MAX)
        self._next: Matcher | None = None

    def use(self, matcher: Matcher) -> None:
        """Answer with this matcher for what begins with the next block or later. May be called from any thread."""
        self._next = matcher

    def feed(self, block: AudioBlock) -> "Sequence[Event]":
        """What this block decided, in order."""
        events: list[Event] = []
        at_s = block.first_sample / SAMPLE_RATE_HZ
        following, self._next = self._next, None
        if following is not None:
            self._turns[-1].end_s = at_s
            self._turns.append(_Turn(following, first_s=at_s))
        now_s = at_s + len(block.pcm) / SAMPLE_RATE_HZ
        for turn in self._turns[:-1]:
            if block.gap or turn.is_over(now_s):
                events += self._sift(turn, turn.matcher.finish())
                self._turns.remove(turn)
        while len(self._turns) > MATCHERS_MAX:
            oldest = self._turns.pop(0)
            events += self._sift(oldest, oldest.matcher.finish())
        for turn in self._turns:
            events += self._sift(turn, turn.matcher.feed(block))
        return events

    def finish(self) -> "Sequence[Event]":
        """The ends of what was still being followed."""
        events = [event for turn in self._turns for event in self._sift(turn, turn.matcher.finish())]
        del self._turns[:-1]
        return events

    @property
    def matchers(self) -> int:
        """How many hear the sound now."""
        return len(self._turns)

    def _sift(self, turn: _Turn, events: "Sequence[Event]") -> "list[Event]":
        """The events a matcher answers for and no other has told."""
        from fingerprints.events import FollowEnd

        mine = []
        for event in events:
            onset_s = _onset_s(event)
            if not isinstance(event, FollowEnd) and self._is_told(turn, onset_s, event.spot_ids):
                turn.unsaid.add(onset_s)
            if not turn.answers_for(onset_s):
                continue
            if isinstance(event, FollowEnd):
                turn.open.discard(onset_s)
            else:
                turn.open.add(onset_s)
                self._told.append((turn, onset_s, event.spot_ids))
            mine.append(event)
        return mine

    def _is_told(self, turn: _Turn, onset_s: float, spot_ids: Sequence[str]) -> bool:
        return any(
            other is not turn and abs(told_s - onset_s) <= SAME_S and not set(spot_ids).isdisjoint(told_ids)
            for other, told_s, told_ids in self._told
        )


def _onset_s(event: "Event") -> float:
    from fingerprints.onset import Onset

    return event.onset_sample / SAMPLE_RATE_HZ if isinstance(event, Onset) else event.onset_s
