"""Markers: each once, moved, cancelled."""

from datetime import UTC, datetime

from hardware.markers import MarkerKind, MarkerReport
from hardware.scte35 import decode_section
from hardware.scte35.keeper import LATE_S_MAX, LEAD_S_MAX, REMEMBERED_MAX, Arrival, MarkerKeeper
from tests.transport_maker import insert, segmentation, signal

S = 1_000_000_000
NOW = 1000 * S
SPOTS = {"ABCD1234000H": "kaffee-30"}


class Channel:
    """A keeper, and messages that come to it."""

    def __init__(self) -> None:
        self.keeper = MarkerKeeper("nord-ts", SPOTS, by_position=True)

    def take(self, section: bytes, *, at_s: float | None, now_s: float = 0.0) -> list[MarkerReport]:
        """What a message tells that comes `now_s` and means `at_s`, seconds from NOW."""
        at_ns = None if at_s is None else NOW + round(at_s * S)
        arrival = Arrival(mono_ns=NOW + round(now_s * S), utc=datetime(2027, 3, 1, tzinfo=UTC), at_mono_ns=at_ns)
        return self.keeper.take(decode_section(section), arrival)


def kinds(reports: list[MarkerReport]) -> list[MarkerKind]:
    """What they say."""
    return [one.kind for one in reports]


def test_a_break_is_told_once_however_often_it_is_sent() -> None:
    """Repeats make no second marker."""
    channel = Channel()
    (first,) = channel.take(insert(101, 500), at_s=5)

    assert (first.kind, first.position, first.at_mono_ns, first.what) == (MarkerKind.BEGINS, 1, NOW + 5 * S, "break begins")
    assert channel.take(insert(101, 500), at_s=5.001, now_s=1) == []
    assert channel.take(insert(101, 500), at_s=5, now_s=7) == []


def test_return_to_the_programme_begins_nothing() -> None:
    """The end of a break is no marker."""
    assert Channel().take(insert(102, 500, out=False), at_s=5) == []


def test_cancellation_takes_back_what_has_not_happened() -> None:
    """It names the marker it takes back, once."""
    channel = Channel()
    (first,) = channel.take(insert(101, 500), at_s=5)
    (taken,) = channel.take(insert(101, None, canceled=True), at_s=None, now_s=2)

    assert (taken.kind, taken.event) == (MarkerKind.CANCELED, first.event)
    assert channel.take(insert(101, None, canceled=True), at_s=None, now_s=3) == []


def test_cancellation_comes_too_late() -> None:
    """What has happened is not taken back, and what was never announced neither."""
    channel = Channel()
    channel.take(insert(101, 500), at_s=5)

    assert channel.take(insert(101, None, canceled=True), at_s=None, now_s=6) == []
    assert channel.take(insert(9, None, canceled=True), at_s=None) == []


def test_cancelled_segmentation_takes_back_each_type_of_its_event() -> None:
    """Its cancellation tells no type."""
    channel = Channel()
    channel.take(signal(500, segmentation(7, 0x30), segmentation(7, 0x34)), at_s=5)

    assert kinds(channel.take(signal(None, segmentation(7, 0, canceled=True)), at_s=None)) == [MarkerKind.CANCELED] * 2


def test_event_that_is_moved() -> None:
    """Its old time is taken back before the new one is told."""
    channel = Channel()
    (first,) = channel.take(insert(101, 500), at_s=5)
    taken, second = channel.take(insert(101, 90_500), at_s=6, now_s=1)

    assert (taken.kind, taken.event) == (MarkerKind.CANCELED, first.event)
    assert (second.kind, second.at_mono_ns) == (MarkerKind.BEGINS, NOW + 6 * S)
    assert second.event != first.event


def test_same_number_used_again() -> None:
    """The next break may have the last one's number: that has happened and stays."""
    channel = Channel()
    channel.take(insert(1, 500), at_s=5)

    assert kinds(channel.take(insert(1, 9_000_000), at_s=105, now_s=100)) == [MarkerKind.BEGINS]


def test_immediate_happens_as_it_arrives() -> None:
    """Without a time it is now; what follows at once is its repeat, what follows later another break."""
    channel = Channel()
    (first,) = channel.take(insert(1, None), at_s=None)

    assert first.at_mono_ns == NOW
    assert channel.take(insert(1, None), at_s=None, now_s=20) == []
    assert channel.take(insert(1, None), at_s=None, now_s=45) == []
    assert kinds(channel.take(insert(1, None), at_s=None, now_s=100)) == [MarkerKind.BEGINS]


def test_what_has_no_usable_time_is_ignored() -> None:
    """Without the stream's clock, over, or too far ahead."""
    channel = Channel()
    for number, at_s in enumerate([None, -LATE_S_MAX - 1, LEAD_S_MAX + 1]):
        assert channel.take(insert(number, 500), at_s=at_s) == []

    assert channel.keeper.ignored == 3


def test_identifier_names_the_spot() -> None:
    """In capital letters, whatever the sender writes."""
    upid = segmentation(7, 0x30, upid=(3, b"abcd1234000h"), number=2, expected=4)
    (one,) = Channel().take(signal(500, upid), at_s=5)

    assert (one.spot_ids, one.position, one.upids) == (("kaffee-30",), 2, ("abcd1234000h",))


def test_another_advertisers_spot_has_no_position() -> None:
    """An advert's identifier that is not ours says more than its place in the break."""
    upid = segmentation(7, 0x34, upid=(3, b"WXYZ9999000H"), number=1, expected=4)
    (one,) = Channel().take(signal(500, upid), at_s=5)

    assert (one.spot_ids, one.position) == ((), None)


def test_identifier_of_another_kind_leaves_the_position() -> None:
    """A signal's number says nothing of the spot."""
    (one,) = Channel().take(signal(500, segmentation(7, 0x34, upid=(9, b"SIGNAL:x"))), at_s=5)

    assert one.position == 1


def test_place_in_the_break_is_told_only_where_it_names_a_spot() -> None:
    """Where the plan does not list every spot, the first of a break may be anybody's."""
    arrival = Arrival(mono_ns=NOW, utc=datetime(2027, 3, 1, tzinfo=UTC), at_mono_ns=NOW + S)
    (one,) = MarkerKeeper("nord-ts", SPOTS).take(decode_section(insert(1, 500)), arrival)

    assert one.position is None


def test_programmes_and_ends_are_no_markers() -> None:
    """Only what begins a break or a spot is."""
    ends = [segmentation(number, number) for number in (0x10, 0x11, 0x23, 0x31, 0x35, 0x40)]

    assert Channel().take(signal(500, *ends), at_s=5) == []


def test_memory_is_bounded() -> None:
    """The oldest are forgotten."""
    channel = Channel()
    for number in range(REMEMBERED_MAX + 10):
        channel.take(insert(number, number), at_s=5)

    assert len(channel.keeper._known) == REMEMBERED_MAX
