"""Whatever was planned, heard and fired: nothing is lost, nothing counts twice, and no order of the input matters."""

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.airing import Airing
from schedules.as_run import Fate, Fired, Heard, Listened
from schedules.delivery import Calendar, delivered, deliveries
from schedules.matching import best_pairs
from schedules.reconciliation import Names, reconcile

BEGIN = datetime(2027, 3, 1, 12, tzinfo=UTC)
SPOTS = ("a-30", "a-20", "b-15")
CHANNELS = ("nord", "syd")
NAMES = Names(campaigns={("nord", "a-30"): "a", ("syd", "b-15"): "b"}, families={"a-30": "a", "a-20": "a"})
CALENDAR = Calendar(zones={}, otherwise=UTC, day_start_s=6 * 3600)

seconds = st.integers(0, 12 * 3600)
airings = st.lists(st.tuples(st.sampled_from(CHANNELS), st.sampled_from(SPOTS), seconds, st.integers(1, 900)), max_size=12)
detections = st.lists(
    st.tuples(
        st.sampled_from(CHANNELS),
        st.sets(st.sampled_from(SPOTS), min_size=1),
        seconds,
        st.sampled_from(["main", "backup"]),
        st.sampled_from([None, 5.0]),
        st.booleans(),
    ),
    max_size=14,
)
firings = st.lists(st.tuples(st.integers(0, 14), st.sampled_from(list(Fate)), st.sampled_from(["x", "y"])), max_size=10)
spans = st.lists(st.tuples(st.sampled_from(CHANNELS), seconds, st.integers(1, 4 * 3600)), max_size=5)


def planned_of(rows: list[tuple[str, str, int, int]]) -> list[Airing]:
    return [
        Airing(
            airing_id=f"{channel}/{spot}/{number}",
            channel=channel,
            spot_id=spot,
            number=number,
            planned_utc=BEGIN + timedelta(seconds=at_s),
            opens_utc=BEGIN + timedelta(seconds=at_s - window_s),
            closes_utc=BEGIN + timedelta(seconds=at_s + window_s),
            raw="",
            row=number,
        )
        for number, (channel, spot, at_s, window_s) in enumerate(rows)
    ]


def heard_of(rows: list[tuple[str, set[str], int, str, float | None, bool]]) -> list[Heard]:
    return [
        Heard(
            detection_id=number,
            occurrence_id=f"heard:{number}",
            channel=channel,
            feed_id=f"{channel}-{feed}",
            spot_id=min(spots),
            spot_ids=tuple(sorted(spots)),
            began_utc=BEGIN + timedelta(seconds=at_s),
            cut_s=cut_s,
            is_joined_late=late,
        )
        for number, (channel, spots, at_s, feed, cut_s, late) in enumerate(rows)
    ]


def fired_of(rows: list[tuple[int, Fate, str]], planned: list[Airing]) -> list[Fired]:
    return [
        Fired(
            firing_id=number,
            occurrence_id=f"airing:{planned[of].airing_id}" if of < len(planned) else f"heard:{of - len(planned)}",
            cue_id=cue,
            cue_name=cue,
            campaign="",
            channel="nord",
            spot_id="a-30",
            fate=fate,
            reason="",
            on_air_utc=BEGIN,
            first_byte_ms=None,
            reference="",
        )
        for number, (of, fate, cue) in enumerate(rows)
    ]


@settings(max_examples=150, deadline=None)
@given(airings, detections, firings, spans, st.tuples(st.integers(0, 1 << 30), seconds))
def test_everything_is_accounted_for_exactly_once(
    planned_rows: list[tuple[str, str, int, int]],
    heard_rows: list[tuple[str, set[str], int, str, float | None, bool]],
    fired_rows: list[tuple[int, Fate, str]],
    span_rows: list[tuple[str, int, int]],
    seed_and_now_s: tuple[int, int],
) -> None:
    """Each airing, each detection and each firing stands in one line, in whatever order they came."""
    seed, now_s = seed_and_now_s
    planned, heard = planned_of(planned_rows), heard_of(heard_rows)
    fired = fired_of(fired_rows, planned)
    listened = [
        Listened(
            channel=channel,
            feed_id=channel,
            began_utc=BEGIN + timedelta(seconds=at_s),
            until_utc=BEGIN + timedelta(seconds=at_s + long_s),
        )
        for channel, at_s, long_s in span_rows
    ]
    now_utc = BEGIN + timedelta(seconds=now_s)

    lines = reconcile(planned, heard, fired, listened, now_utc=now_utc, names=NAMES)

    assert sorted(line.airing.airing_id for line in lines if line.airing) == sorted(one.airing_id for one in planned)
    assert sorted(one.detection_id for line in lines for one in line.heard) == [one.detection_id for one in heard]
    assert sorted(one.firing_id for line in lines for one in line.fired) == [one.firing_id for one in fired]
    shuffled = [random.Random(seed).sample(part, len(part)) for part in (planned, heard, fired, listened)]
    assert reconcile(*shuffled, now_utc=now_utc, names=NAMES) == lines  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(airings, detections)
def test_the_sums_are_the_lines(
    planned_rows: list[tuple[str, str, int, int]], heard_rows: list[tuple[str, set[str], int, str, float | None, bool]]
) -> None:
    """However they are grouped, the parts add up to the whole, and every airing that is over is delivered, owed or unknown."""
    lines = reconcile(planned_of(planned_rows), heard_of(heard_rows), [], [], now_utc=BEGIN + timedelta(days=2), names=NAMES)
    total = delivered(lines)

    for by in itertools.product([True, False], repeat=3):
        parts = deliveries(lines, CALENDAR, by_campaign=by[0], by_channel=by[1], by_day=by[2])
        for name in ("planned", "decided", "delivered", "owed", "unknown", "off_plan", "posted"):
            assert sum(getattr(part, name) for part in parts) == getattr(total, name)
    assert total.delivered + total.owed + total.unknown == total.decided == total.planned


edges = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 50)), max_size=12, unique_by=lambda edge: edge[:2]
)


@settings(max_examples=300, deadline=None)
@given(edges, st.randoms(use_true_random=False))
def test_the_pairing_is_the_best_there_is(found: list[tuple[int, int, int]], rng: random.Random) -> None:
    """As many pairs as can be, then the cheapest, as trying everything finds it; and the same whatever the order."""
    cost = {(left, right): price for left, right, price in found}
    lefts = sorted({left for left, _, _ in found})
    best = min(
        (
            (-len(chosen), sum(cost[pair] for pair in chosen))
            for rights in itertools.product([None, *range(4)], repeat=len(lefts))
            for chosen in [[(a, b) for a, b in zip(lefts, rights, strict=True) if b is not None]]
            if len({b for _, b in chosen}) == len(chosen) and all(pair in cost for pair in chosen)
        ),
        default=(0, 0),
    )

    pairs = best_pairs(found)

    assert (-len(pairs), sum(cost[pair] for pair in pairs.items())) == best
    assert len(set(pairs.values())) == len(pairs)
    assert best_pairs(rng.sample(found, len(found))) == pairs


@given(
    st.sampled_from(["Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "UTC"]),
    st.dates(datetime(2026, 1, 1, tzinfo=UTC).date(), datetime(2028, 12, 31, tzinfo=UTC).date()),
    st.sampled_from([0, 3 * 3600, 5 * 3600, 6 * 3600]),
)
def test_a_broadcast_day_holds_its_beginning_and_not_the_second_before(zone: str, day: date, day_start_s: int) -> None:
    """In every zone, on every night, also where the clock changes."""
    calendar = Calendar(zones={"nord": ZoneInfo(zone)}, otherwise=UTC, day_start_s=day_start_s)
    begin_utc = calendar.begin_utc("nord", day)

    assert calendar.day("nord", begin_utc) == day
    assert calendar.day("nord", begin_utc - timedelta(seconds=1)) < day
