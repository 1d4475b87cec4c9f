"""Where the head of one spot is heard inside another, or again inside itself.

Cut-downs share their first seconds, campaigns share music, music repeats. The library plays every reference to the matcher
of all references and notes what it would detect: that is the collision report, and what a recogniser needs in order
to report each airing once.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.coherence import BITS_SHARE
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, StreamBits
from fingerprints.follower import DROP_NATS, FRAME_MOST_NATS
from fingerprints.heads import Head, Heads, head_at, heads_of
from fingerprints.onset import LOWER_BOUND_NATS, ROW_MOST_NATS, Crossing, Decided, OnsetMatcher, row_of
from fingerprints.prints import LOSSES, PHASE_SAMPLES, PHASES, WEIGHTS, Print
from fingerprints.streams import as_stream
from fingerprints.sweeping import CROSSINGS_ROOM, sweep

ALIKE_HALF_HOPS: Final = 25
"""Heads that lie within 0.1 s of each other begin together."""

ALIKE_BITS_NATS: Final = 20.0
"""Evidence of bits that makes an echo: less than any decision rests on, since on air the waveform may say the rest."""

ECHOES_A_PAIR_MAX: Final = 64

SWEPT_MAX: Final = 8
"""Up to so many guests are looked for one by one; of more, a matcher looks for all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """The head of `guest_id` is heard inside `host_id`.

    Attributes:
        offset: half hops from the host's onset to where the guest seems to begin.
        until_s: how long after the guest's onset the two cannot be told apart.
    """

    host_id: str
    guest_id: str
    offset: int
    until_s: float

    @property
    def offset_s(self) -> float:
        """Where in the host the guest's head is heard, seconds from the host's onset."""
        return self.offset * PHASE_SAMPLES / SAMPLE_RATE_HZ

    @property
    def heads_alike(self) -> bool:
        """Whether the two begin together, so that hearing the beginning cannot say which it is."""
        return abs(self.offset) <= ALIKE_HALF_HOPS and self.host_id != self.guest_id


Streams = Callable[[int], StreamBits]
"""Gives what a matcher would hear of the host of an index."""
Told = Callable[[int, int], None]
"""Called with the number of hosts done, and of all."""


def find_echoes(
    hosts: Sequence[Print],
    guests: Sequence[Print] | None = None,
    *,
    heads: Heads | None = None,
    stream_of: Streams | None = None,
    told: Told | None = None,
    jobs: int = 1,
) -> tuple[Echo, ...]:
    """Every echo of the guests' heads in the hosts, by host, then by place; the hosts are their own guests if none are given.

    Args:
        hosts: in which to look.
        guests: what to look for.
        heads: of the guests, where they are at hand.
        stream_of: what is heard of a host, where that is at hand.
        told: told of progress.
        jobs: threads that look; matching leaves the interpreter to others.
    """
    guests = hosts if guests is None else guests
    if not hosts or not guests:
        return ()
    heads = heads_of(guests) if heads is None else heads
    streams = stream_of or (lambda index: as_stream(hosts[index]))
    few = len(guests) <= SWEPT_MAX
    crossings_of = _swept(hosts, heads, streams) if few else _matched(hosts, heads, streams, jobs=jobs)
    echoes: list[Echo] = []
    for done, (host, crossings) in enumerate(zip(hosts, crossings_of, strict=True)):
        bits: StreamBits | None = None
        places: dict[int, list[int]] = {}
        for crossing in crossings:
            guest = guests[crossing.spot]
            seen = places.setdefault(crossing.spot, [0] if guest.spot_id == host.spot_id else [])
            is_new = all(abs(crossing.onset - place) > ALIKE_HALF_HOPS for place in seen)
            if is_new and len(seen) < ECHOES_A_PAIR_MAX:
                seen.append(crossing.onset)
                bits = as_stream(host) if bits is None else bits
                echoes.append(_echo(host, replace(guest), bits, crossing))  # what is worked out of its table is forgotten
        if told is not None:
            told(done + 1, len(hosts))
    return tuple(sorted(echoes, key=lambda echo: (echo.host_id, echo.offset, echo.guest_id)))


def _matched(hosts: Sequence[Print], heads: Heads, streams: Streams, *, jobs: int) -> Iterator[list[Crossing]]:
    """All guests at once in each host: a live matcher hears it."""
    own = threading.local()

    def crossings_in(index: int) -> list[Crossing]:
        if not hasattr(own, "matcher"):
            own.matcher = OnsetMatcher(heads)
            own.matcher.threshold = BITS_SHARE * ALIKE_BITS_NATS
        matcher: OnsetMatcher = own.matcher
        matcher.restart()
        return matcher.advance(streams(index))

    if jobs == 1:
        yield from map(crossings_in, range(len(hosts)))
    else:
        with ThreadPoolExecutor(jobs, thread_name_prefix="echoes") as pool:
            yield from pool.map(crossings_in, range(len(hosts)))


def _swept(hosts: Sequence[Print], heads: Heads, streams: Streams) -> Iterator[list[Crossing]]:
    """The same for few guests in many hosts, a guest at a time: what the matcher would find, at a fraction of its cost."""
    parts = [head_at(heads, guest) for guest in range(heads.n_spots)]
    for index in range(len(hosts)):
        yield crossings_swept(parts, streams(index))


def crossings_swept(heads: Sequence[Head], bits: StreamBits) -> list[Crossing]:
    """What a matcher of these heads would find in a stream at hand, its threshold `ALIKE_BITS_NATS` of bits."""
    crossings: list[Crossing] = []
    for guest, head in enumerate(heads):
        for at, phase, row, score in _places_of(head, bits, room=CROSSINGS_ROOM):
            frame = bits.first_frame + at
            onset = (frame - (row + head.skipped) - (LAG_FRAMES - 1)) * PHASES - phase
            crossings.append(Crossing(frame=frame, spot=guest, onset=onset, score=BITS_SHARE * score, bits=score))
    return Decided().fresh(sorted(crossings, key=Crossing.rank))


def _places_of(head: Head, bits: StreamBits, *, room: int) -> Iterator[tuple[int, int, int, float]]:
    """Where a head crosses: index of the frame, phase and row, and nats of bits; in no order."""
    found, scores = np.empty((room, 3), np.int64), np.empty(room, np.float32)
    n_found = sweep(
        bits.signs, bits.stills, head.rows, head.births, head.bits, head.masks, head.limits, WEIGHTS,
        np.float32(ALIKE_BITS_NATS), np.float32(LOWER_BOUND_NATS), np.float32(ROW_MOST_NATS), found, scores,
    )  # fmt: skip
    if n_found > room:
        yield from _places_of(head, bits, room=n_found)
        return
    for (at, phase, row), score in zip(found[:n_found].tolist(), scores[:n_found].tolist(), strict=True):
        yield at, phase, row, score


def groups_of(spot_ids: Sequence[str], echoes: Sequence[Echo]) -> tuple[tuple[str, ...], ...]:
    """Spots whose heads are alike, directly or through a third; each group sorted, singles left out."""
    leader = {spot_id: spot_id for spot_id in spot_ids}
    for echo in echoes:
        if echo.heads_alike:
            old, new = sorted((leader[echo.host_id], leader[echo.guest_id]), reverse=True)
            leader = {spot_id: new if lead == old else lead for spot_id, lead in leader.items()}
    members: dict[str, list[str]] = {}
    for spot_id, lead in sorted(leader.items()):
        members.setdefault(lead, []).append(spot_id)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)


def _echo(host: Print, guest: Print, bits: StreamBits, crossing: Crossing) -> Echo:
    phase, row = row_of(frame=bits.first_frame, onset=crossing.onset)
    scores = kernels.row_scores(guest.words[phase], guest.gains[phase], row, bits.signs, bits.stills, LOSSES)
    path = np.cumsum(np.clip(scores, -FRAME_MOST_NATS, FRAME_MOST_NATS), dtype=np.float64)
    over = np.nonzero(path < np.maximum.accumulate(path) - DROP_NATS)[0]
    last = bits.first_frame + int(np.argmax(path[: over[0]] if len(over) else path))
    until_samples = last * HOP_SAMPLES + WINDOW_SAMPLES - crossing.onset * PHASE_SAMPLES
    return Echo(host_id=host.spot_id, guest_id=guest.spot_id, offset=crossing.onset, until_s=until_samples / SAMPLE_RATE_HZ)
