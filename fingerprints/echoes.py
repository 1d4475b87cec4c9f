"""Where the head of one spot is heard inside another, or again inside itself.

Cut-downs share their first seconds, campaigns share music, music repeats. The library plays every reference to the matcher
of all references and notes what it would detect: that is the collision report, and what a recogniser needs in order
to report each airing once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fingerprints import kernels
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.coherence import BITS_SHARE
from fingerprints.features import HOP_SAMPLES, LAG_FRAMES, WINDOW_SAMPLES, StreamBits
from fingerprints.follower import DROP_NATS, FRAME_MOST_NATS
from fingerprints.onset import Crossing, OnsetMatcher, row_of
from fingerprints.prints import LOSSES, PHASE_SAMPLES, Print

ALIKE_HALF_HOPS: Final = 25
"""Heads that lie within 0.1 s of each other begin together."""

ALIKE_BITS_NATS: Final = 20.0
"""Evidence of bits that makes an echo: less than any decision rests on, since on air the waveform may say the rest."""

ECHOES_A_PAIR_MAX: Final = 64


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


def find_echoes(hosts: Sequence[Print], guests: Sequence[Print] | None = None) -> tuple[Echo, ...]:
    """Every echo of the guests' heads in the hosts, by host, then by place; the hosts are their own guests if none are given."""
    guests = hosts if guests is None else guests
    matcher = OnsetMatcher(guests)
    matcher.threshold = BITS_SHARE * ALIKE_BITS_NATS
    echoes: list[Echo] = []
    for shared in hosts if guests else ():
        host = replace(shared)  # what is worked out of its table is forgotten with it
        matcher.restart()
        bits = _as_stream(host)
        places: dict[int, list[int]] = {}
        for crossing in matcher.advance(bits):
            guest = guests[crossing.spot]
            seen = places.setdefault(crossing.spot, [0] if guest.spot_id == host.spot_id else [])
            is_new = all(abs(crossing.onset - place) > ALIKE_HALF_HOPS for place in seen)
            if is_new and len(seen) < ECHOES_A_PAIR_MAX:
                seen.append(crossing.onset)
                echoes.append(_echo(host, guest, bits, crossing))
    return tuple(sorted(echoes, key=lambda echo: (echo.host_id, echo.offset, echo.guest_id)))


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


def _as_stream(print_: Print) -> StreamBits:
    """A reference as a matcher would hear it, the grid's origin at its onset."""
    signs, low, high = (np.ascontiguousarray(print_.words[0, :, i]) for i in range(3))
    # The smallest contrasts were not kept; those that are not positive may be no movement at all.
    return StreamBits(first_frame=LAG_FRAMES - 1, signs=signs, stills=~(signs | low | high))


def _echo(host: Print, guest: Print, bits: StreamBits, crossing: Crossing) -> Echo:
    phase, row = row_of(frame=bits.first_frame, onset=crossing.onset)
    scores = kernels.row_scores(guest.words[phase], guest.gains[phase], row, bits.signs, bits.stills, LOSSES)
    path = np.cumsum(np.clip(scores, -FRAME_MOST_NATS, FRAME_MOST_NATS), dtype=np.float64)
    over = np.nonzero(path < np.maximum.accumulate(path) - DROP_NATS)[0]
    last = bits.first_frame + int(np.argmax(path[: over[0]] if len(over) else path))
    until_samples = last * HOP_SAMPLES + WINDOW_SAMPLES - crossing.onset * PHASE_SAMPLES
    return Echo(host_id=host.spot_id, guest_id=guest.spot_id, offset=crossing.onset, until_s=until_samples / SAMPLE_RATE_HZ)
