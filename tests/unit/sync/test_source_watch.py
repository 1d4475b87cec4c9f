"""Troubles that begin, last and end."""

from sync.source_watch import Episodes


def test_each_trouble_is_told_of_when_it_begins() -> None:
    """Not again while it lasts, nor when it comes back before it was well for long enough."""
    episodes = Episodes(well_for_ns=10)

    assert episodes.begun({"ts": "stalled", "main": "failed"}, now_mono_ns=0) == ["failed", "stalled"]  # by name
    assert episodes.begun({"ts": "stalled"}, now_mono_ns=5) == []
    assert episodes.begun({"ts": "stalled", "main": "failed"}, now_mono_ns=9) == []
    assert episodes.begun({}, now_mono_ns=15) == []
    assert episodes.begun({"ts": "stalled again"}, now_mono_ns=25) == ["stalled again"]


def test_without_patience_each_return_is_told_of() -> None:
    """What falls silent again is another silence."""
    episodes = Episodes(well_for_ns=0)

    assert episodes.begun({"a": "x"}, now_mono_ns=0) == ["x"]
    assert episodes.begun({}, now_mono_ns=1) == []
    assert episodes.begun({"a": "x"}, now_mono_ns=2) == ["x"]
