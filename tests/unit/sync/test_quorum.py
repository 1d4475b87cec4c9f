"""What two sources say, and whether it is the same."""

import dataclasses

from sync.quorum import INSTANTS_MAX, KEYS_MAX, Quorum, Statements

MS = 1_000_000
ALONE = Quorum(key="sound:x", told_by="the marker of ts", wanted="the sound", at_mono_ns=5000 * MS, within_ns=500 * MS)


def test_nearest_corroboration_counts() -> None:
    """Of several the one nearest to the first source's instant."""
    said = Statements()
    for at_ms in (1000, 5300, 5900):
        said.note("sound:x", at_ms * MS)
    asked = said.asked(ALONE)

    assert asked.later_ns == 300 * MS
    assert asked.agrees
    assert asked.fault == ""


def test_edges_of_the_window() -> None:
    """The window's ends belong to it."""
    for later_ms, agrees in ((500, True), (-500, True), (500.000001, False), (-500.000001, False)):
        assert dataclasses.replace(ALONE, later_ns=round(later_ms * MS)).agrees is agrees


def test_who_is_missing_is_named() -> None:
    """With how near it came, where it came at all."""
    assert ALONE.fault == "the sound is missing: the marker of ts told of it alone"
    assert "within 500 ms (its nearest was 700 ms earlier)" in dataclasses.replace(ALONE, later_ns=-700 * MS).fault


def test_nothing_was_said_or_it_was_taken_back() -> None:
    """Neither agrees."""
    said = Statements()
    assert not said.asked(ALONE).agrees
    said.note("sound:x", 5000 * MS)
    said.forget("sound:x")
    said.forget("never said")

    assert not said.asked(ALONE).agrees


def test_an_earlier_answer_does_not_stand() -> None:
    """Asking again looks again: what was taken back meanwhile does not agree any more."""
    assert not Statements().asked(dataclasses.replace(ALONE, later_ns=0)).agrees


def test_memory_is_bounded() -> None:
    """The oldest keys and instants go."""
    said = Statements()
    for number in range(KEYS_MAX + 5):
        said.note(f"sound:{number}", 1)
    for number in range(INSTANTS_MAX + 5):
        said.note("sound:x", number)

    assert len(said._instants) == KEYS_MAX
    assert len(said._instants["sound:x"]) == INSTANTS_MAX
