"""Bytes with their arrival, to markers with their instants."""

import json
from datetime import UTC, datetime
from pathlib import Path

from hardware.markers import MarkerKind, MarkerReport
from hardware.scte35 import ClockReading, TransportDecoder
from hardware.scte35.stream import MarkerStream
from tests.transport_maker import StreamMaker, insert, segmentation, signal

UTC_NOW = datetime(2027, 3, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parents[3] / "golden" / "scte35"
S = 1_000_000_000


def test_marker_before_the_first_clock_reference_waits_for_it() -> None:
    """It is told as soon as its instant is known."""
    maker, stream = StreamMaker(), MarkerStream("nord-ts", {})

    assert stream.feed(maker.tables() + maker.markers(insert(1, 900_000)), 0, UTC_NOW) == []
    (one,) = stream.feed(maker.clock(450_000), S, UTC_NOW)
    assert one.at_mono_ns == 6 * S


def test_offset_moves_every_instant() -> None:
    """A path known to be later is reckoned in."""
    maker, stream = StreamMaker(), MarkerStream("nord-ts", {}, offset_ms=250)
    (one,) = stream.feed(maker.tables() + maker.clock(0) + maker.markers(insert(1, 90_000)), S, UTC_NOW)

    assert one.at_mono_ns == 2 * S + 250_000_000


def test_another_connection_knows_the_markers_but_not_the_clock() -> None:
    """After a reconnection a repeat is still a repeat, and no instant comes from the clock before."""
    maker, stream = StreamMaker(), MarkerStream("nord-ts", {})
    stream.feed(maker.tables() + maker.clock(0) + maker.markers(insert(1, 900_000)), S, UTC_NOW)
    stream.restart()
    again = StreamMaker()

    assert stream.feed(again.tables() + again.markers(insert(1, 900_000), insert(2, 990_000)), 2 * S, UTC_NOW) == []
    (one,) = stream.feed(again.clock(90_000), 2 * S, UTC_NOW)
    assert one.at_mono_ns == 12 * S
    assert stream.messages == 3


def played(name: str, *, spots: dict[str, str]) -> list[MarkerReport]:
    """A recording's markers, its packets arriving as its clock says, from second 1000 on."""
    data = (GOLDEN / name).read_bytes()
    decoder, stream = TransportDecoder(), MarkerStream("nord-ts", spots)
    reports, first_pcr, at_ns = list[MarkerReport](), None, 1000 * S
    for at in range(0, len(data), 188):
        for event in decoder.feed(data[at : at + 188]):
            if isinstance(event, ClockReading):
                first_pcr = event.pcr if first_pcr is None else first_pcr
                at_ns = 1000 * S + (event.pcr - first_pcr) * 1000 // 27
        reports += stream.feed(data[at : at + 188], at_ns, UTC_NOW)
    return reports


def test_generated_stream_in_real_time() -> None:
    """Each break and spot is told once, ahead, at its presentation time to the microsecond."""
    truth = json.loads((GOLDEN / "generated.truth.json").read_text())
    reports = played("generated.ts", spots={"ABCD0123456H": "kaffee-30"})
    first_pcr = next(
        event.pcr for event in TransportDecoder().feed((GOLDEN / "generated.ts").read_bytes()) if isinstance(event, ClockReading)
    )
    begins = [one for one in reports if one.kind is MarkerKind.BEGINS]

    assert len(truth["cues"]) == 12
    assert [(one.what, one.spot_ids) for one in begins] == [
        ("break begins", ()),
        ("provider placement opportunity start", ("kaffee-30",)),
        ("provider advertisement start", ()),
        ("break begins", ()),
    ]
    for one, pts in zip(begins, (543_600, 1_263_600, 1_443_600), strict=False):
        wanted_ns = 1000 * S + (pts * 300 - first_pcr) * 1000 // 27
        assert abs(one.at_mono_ns - wanted_ns) < 20_000
        assert one.seen_mono_ns < one.at_mono_ns


def test_cancelled_on_the_way() -> None:
    """A cancellation names what it takes back."""
    maker, stream = StreamMaker(), MarkerStream("nord-ts", {})
    head = maker.tables() + maker.clock(0)
    first, canceled = stream.feed(
        head + maker.markers(signal(450_000, segmentation(4, 0x30)), signal(None, segmentation(4, 0, canceled=True))), S, UTC_NOW
    )

    assert (first.event, canceled.kind) == (canceled.event, MarkerKind.CANCELED)
