"""Which spots resemble each other, from which second they can be told apart, and what a cue should do about it."""

import enum
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.library import SpotLibrary
from fingerprints.whole import HOP_SAMPLES, ROW_SPAN_SAMPLES, WholeIndex, WholeMatcher

SAME_SHARE: Final = 0.95
"""Alike for this share of the longer one, two spots are one recording."""
WAITABLE_S: Final = 1.5
"""A cue that wants one version only can wait this long and still be of the moment."""
SHARED_LEAST_S: Final = 2.0
SAME_PLACE_ROWS: Final = 4


class Kind(enum.StrEnum):
    """How two spots resemble each other."""

    SAME_RECORDING = "same recording"
    HEADS_ALIKE = "heads alike"
    HEAD_INSIDE = "head inside"
    BODIES_ALIKE = "bodies alike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Two spots, or two places of one, that sound the same for a while.

    Attributes:
        kind: how they resemble each other.
        host_id: the spot in which the other is heard; the first by name where that makes no difference.
        guest_id: the other.
        host_s: where it is heard in the host, seconds from its onset.
        guest_s: where that lies in the guest.
        lasts_s: how long they sound the same.
        apart_s: seconds from the guest's onset after which they can be told apart; None when nothing tells them apart.
    """

    kind: Kind
    host_id: str
    guest_id: str
    host_s: float
    guest_s: float
    lasts_s: float
    apart_s: float | None

    @property
    def finding(self) -> str:
        """What was found, as a sentence without its full stop."""
        one, other = self.host_id, self.guest_id
        inside = "itself" if one == other else one
        match self.kind:
            case Kind.SAME_RECORDING:
                return f"{one} and {other} are the same recording"
            case Kind.HEADS_ALIKE:
                return (
                    f"{one} and {other} begin alike and cannot be told apart until {self.lasts_s:.2f} s: a detection names both"
                )
            case Kind.HEAD_INSIDE:
                return f"the beginning of {other} is heard again in {inside} at {self.host_s:.2f} s, for {self.lasts_s:.2f} s"
            case Kind.BODIES_ALIKE:
                where = f"{one} from {self.host_s:.1f} s and {other} from {self.guest_s:.1f} s"
                return f"{where} sound the same for {self.lasts_s:.1f} s"

    @property
    def advice(self) -> str:
        """What a cue should do about it, as a sentence without its full stop; empty when nothing need be done."""
        match self.kind:
            case Kind.SAME_RECORDING:
                return "keep one of them; no cue can tell them apart"
            case Kind.HEADS_ALIKE if self.lasts_s <= WAITABLE_S:
                return f"fire on the group at once, or wait {self.lasts_s:.1f} s if the tweet is for one version only"
            case Kind.HEADS_ALIKE:
                return "fire on the group with a tweet that suits every version, or require the plan's window"
            case Kind.HEAD_INSIDE if self.host_id == self.guest_id:
                return ""
            case Kind.HEAD_INSIDE:
                return f"require the plan's window for {self.guest_id}, or {self.host_id} cut in late may fire it"
            case Kind.BODIES_ALIKE:
                return ""


def collisions_of(
    library: SpotLibrary,
    index: WholeIndex,
    *,
    only: Collection[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Collision, ...]:
    """Every resemblance in a library, the gravest kind first.

    Args:
        library: the spots.
        index: the same spots whole, as delivered.
        only: report what concerns these spots alone; all when None.
        progress: called with the number done, of all, and the spot.
    """
    heads = [one for one in _heads(library) if only is None or not {one.host_id, one.guest_id}.isdisjoint(only)]
    explained = {frozenset((one.host_id, one.guest_id)) for one in heads}
    bodies = [
        one for one in _bodies(index, only=only, progress=progress) if frozenset((one.host_id, one.guest_id)) not in explained
    ]
    order = list(Kind)
    return tuple(sorted([*heads, *bodies], key=lambda one: (order.index(one.kind), one.host_id, one.guest_id, one.host_s)))


def _heads(library: SpotLibrary) -> Iterable[Collision]:
    length_s = {spot.id: spot.audible_s for spot in library.spots}
    alike: dict[tuple[str, str], float] = {}
    for echo in library.echoes:
        if echo.heads_alike:
            pair = (min(echo.host_id, echo.guest_id), max(echo.host_id, echo.guest_id))
            alike[pair] = max(alike.get(pair, 0.0), echo.until_s)
        else:
            yield Collision(
                kind=Kind.HEAD_INSIDE,
                host_id=echo.host_id,
                guest_id=echo.guest_id,
                host_s=echo.offset_s,
                guest_s=0.0,
                lasts_s=echo.until_s,
                apart_s=echo.until_s,
            )
    for (one, other), until_s in alike.items():
        same = until_s >= SAME_SHARE * max(length_s[one], length_s[other])
        yield Collision(
            kind=Kind.SAME_RECORDING if same else Kind.HEADS_ALIKE,
            host_id=one,
            guest_id=other,
            host_s=0.0,
            guest_s=0.0,
            lasts_s=until_s,
            apart_s=None if same else until_s,
        )


def _bodies(
    index: WholeIndex, *, only: Collection[str] | None, progress: Callable[[int, int, str], None] | None
) -> Iterable[Collision]:
    """Passages of at least two seconds that two spots share, by playing each spot to the index of all."""
    for host_index, host in enumerate(index.prints):
        if only is not None and host.spot_id not in only:
            continue
        if progress is not None:
            progress(host_index, len(index.prints), host.spot_id)
        shared: dict[tuple[int, int], tuple[int, int]] = {}
        matcher = WholeMatcher(index)
        for row, sign in enumerate(host.rows[:, 0]):
            for found in matcher.advance(int(sign), 0):
                if index.prints[found.print_index].spot_id == host.spot_id:
                    continue
                shift = row - found.row
                key = next(
                    (key for key in shared if key[0] == found.print_index and abs(key[1] - shift) <= SAME_PLACE_ROWS), None
                )
                first = shared[key][0] if key else found.first_row
                shared[key or (found.print_index, shift)] = (min(first, found.first_row), found.row)
        for (guest_index, shift), (first, last) in shared.items():
            guest = index.prints[guest_index]
            lasts_s = ((last - first) * HOP_SAMPLES + ROW_SPAN_SAMPLES) / SAMPLE_RATE_HZ
            told_once = host.spot_id < guest.spot_id or (only is not None and guest.spot_id not in only)
            if told_once and lasts_s >= SHARED_LEAST_S:
                yield Collision(
                    kind=Kind.BODIES_ALIKE,
                    host_id=host.spot_id,
                    guest_id=guest.spot_id,
                    host_s=max(0, first + shift) * HOP_SAMPLES / SAMPLE_RATE_HZ,
                    guest_s=first * HOP_SAMPLES / SAMPLE_RATE_HZ,
                    lasts_s=lasts_s,
                    apart_s=0.0,
                )
