"""The stream's clock on this machine's."""

import random

from hardware.scte35.message import PTS_MODULUS
from hardware.scte35.stream_clock import StreamClock

MS = 1_000_000
START_NS = 50_000 * MS


def fed(clock: StreamClock, *, first_pts: int = 0, count: int = 100, late_ms: list[int] | None = None) -> int:
    """A clock told of a reference every 40 ms; when the last one arrived."""
    at_ns = START_NS
    for number in range(count):
        at_ns = START_NS + number * 40 * MS + (late_ms[number] * MS if late_ms else 0)
        clock.observe((first_pts + number * 3600) % PTS_MODULUS * 300, at_ns)
    return at_ns


def test_instant_of_a_presentation_time() -> None:
    """4 s after the first reference is 4 s after its arrival."""
    clock = StreamClock()
    now_ns = fed(clock)

    assert clock.instant_of(360_000, now_ns) == START_NS + 4000 * MS


def test_slow_packets_do_not_move_it() -> None:
    """The network only delays: the earliest arrivals count."""
    clock = StreamClock()
    jitter = random.Random(7)
    now_ns = fed(clock, late_ms=[0 if number % 10 == 0 else jitter.randrange(30) for number in range(100)])

    assert clock.instant_of(360_000, now_ns) == START_NS + 4000 * MS


def test_it_follows_a_sender_whose_clock_is_fast() -> None:
    """An arrival ten seconds ago does not count any more: 30 ppm stay below a third of a millisecond."""
    clock, now_ns = StreamClock(), 0
    for number in range(10_000):
        now_ns = START_NS + number * 40 * MS
        clock.observe(round(number * 1_080_000 * 1.000030), now_ns)
    wanted = clock.instant_of(round(9_999 * 3600 * 1.000030), now_ns)

    assert wanted is not None
    assert abs(wanted - now_ns) < MS // 3


def test_wrap_of_the_33_bits() -> None:
    """A time behind the wrap is as far ahead as any other."""
    clock = StreamClock()
    now_ns = fed(clock, first_pts=PTS_MODULUS - 90_000)

    assert clock.instant_of(270_000, now_ns) == START_NS + 4000 * MS


def test_references_across_the_wrap() -> None:
    """The clock itself goes on over it."""
    clock = StreamClock()
    now_ns = fed(clock, first_pts=PTS_MODULUS - 3600 * 50)

    assert clock.instant_of(180_000, now_ns) == START_NS + 4000 * MS


def test_past_times_lie_in_the_past() -> None:
    """A time that is over is not 26 hours ahead."""
    clock = StreamClock()
    now_ns = fed(clock)

    assert clock.instant_of(90_000, now_ns) == START_NS + 1000 * MS


def test_jump_begins_anew() -> None:
    """After a jump the earlier arrivals say nothing, whether or not the sender tells of it."""
    for told in (True, False):
        clock = StreamClock()
        now_ns = fed(clock) + 40 * MS
        clock.observe(5_000_000 * 300, now_ns, jumped=told)

        assert clock.instant_of(5_000_000 + 90_000, now_ns) == now_ns + 1000 * MS


def test_unknown_without_references() -> None:
    """Neither before the first one, nor long after the last."""
    clock = StreamClock()
    assert clock.instant_of(0, START_NS) is None
    now_ns = fed(clock)

    assert clock.instant_of(0, now_ns + 3000 * MS) is None
