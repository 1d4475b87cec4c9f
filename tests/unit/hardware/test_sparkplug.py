"""Sparkplug's payload, byte by byte."""

from hardware.messages import StateBody
from hardware.sparkplug import Datatype, Metric, metrics_of, payload
from hardware.ulid import new_ulid


def test_a_payload_is_protocol_buffers() -> None:
    """By hand from the definition: time 1, metrics 2, sequence 3; a metric: name 1, time 3, type 4, value 10 to 15."""
    assert payload([], utc_ms=300, sequence=7) == bytes.fromhex("08ac02 1807")
    assert payload([Metric("bdSeq", Datatype.INT64, 5)], utc_ms=1, sequence=None) == bytes.fromhex(
        "0801 120d 0a05 6264536571 1801 2004 5805"
    )
    assert payload([Metric("A", Datatype.STRING, "3")], utc_ms=1, sequence=None) == bytes.fromhex(
        "0801 120a 0a01 41 1801 200c 7a01 33"
    )
    assert payload([Metric("A", Datatype.BOOLEAN, True)], utc_ms=1, sequence=None) == bytes.fromhex(
        "0801 1209 0a01 41 1801 200b 7001"
    )


def test_what_is_not_known_is_null() -> None:
    """Field 7, and no value."""
    assert payload([Metric("A", Datatype.INT32, None)], utc_ms=1, sequence=None) == bytes.fromhex(
        "0801 1209 0a01 41 1801 2003 3801"
    )


def test_a_node_tells_how_the_board_stands() -> None:
    """A console that is silent is not heard, and what it does not show is null."""
    known = {"version": 1, "boot": new_ulid(1), "venue": "eishalle", "device": "oes-1", "fixture": "final", "t_pub_ns": 1}
    shown = StateBody.model_validate({**known, "state": "online", "home": 2, "away": 1, "clock": "11:35", "running": True})
    silent = StateBody.model_validate({**known, "state": "console_silent"})

    assert {metric.name: metric.value for metric in metrics_of(shown)} == {
        "Console/Heard": True, "Score/Home": 2, "Score/Away": 1, "Clock": "11:35", "Clock/Running": True, "Period": None,
    }  # fmt: skip
    assert [metric.value for metric in metrics_of(silent)] == [False, None, None, None, None, None]
