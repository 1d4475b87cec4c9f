"""What a report says is what was measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.degradations import CONDITIONS
from bench.measuring import GOES_ON, ONE_RECORDING
from bench.report import impostors_of, rows_of
from bench.setting import QUICK, Store


def condition(name: str, delays_ms: list[float | None]) -> dict[str, Any]:
    late = [False] * len(delays_ms)
    value = {"delays_ms": delays_ms, "late": late, "bounds_ms": [90.0], "others": [], "speeds": [1.0], "sound_s": 1.0}
    return {f"condition {name} 0 False": value}


def test_missed_airings_are_infinitely_late() -> None:
    """A median is not flattered by leaving out what was not heard."""
    name = CONDITIONS[0].name
    row = rows_of(condition(name, [100.0, None, 120.0, None]))[0]
    assert row.missed == 2
    assert row.at(0) == 100.0
    assert row.at(99) == float("inf")


def test_what_only_the_whole_spot_index_heard_is_heard_but_never_in_time() -> None:
    """It counts for recall and not for the median."""
    name = CONDITIONS[0].name
    results = condition(name, [100.0, None, None])
    results[f"condition {name} 0 False"]["late"] = [False, True, False]
    row = rows_of(results)[0]
    assert (row.late, row.missed, row.at(50)) == (1, 1, float("inf"))


def test_batches_are_put_together() -> None:
    """All of a condition's airings count, whatever stream they were in."""
    name = CONDITIONS[0].name
    results = condition(name, [100.0]) | {f"condition {name} 24 False": condition(name, [200.0])[f"condition {name} 0 False"]}
    assert rows_of(results)[0].delays_ms == [100.0, 200.0]


def test_repeated_recordings_are_told_from_false_decisions() -> None:
    """Equal waveforms above the threshold are listed, but are no error of the threshold; others are."""
    found = [
        [60.0, 1.0, "head-1", 9.0, "a loop", ""],
        [55.0, 2.0, "head-2", 9.0, "", "one and other"],
        [9.0, 3.0, "head-3", 9.0, "a loop", ""],
    ]
    piece = {"hours": 1.0, "label": "related", "threshold": 50.0, "impostors": found}
    impostors = impostors_of({"impostors 0 100": piece}, n_impostor=100, n_library=10_000)
    assert [score for score, *_ in impostors.repeated] == [60.0]
    assert [score for score, *_ in impostors.wrong] == [55.0]
    assert impostors.scores == [55.0, 9.0]
    assert impostors.feed_hours == pytest.approx(0.01)


@pytest.mark.parametrize("reason", [GOES_ON, ONE_RECORDING])
def test_music_that_shares_one_recording_shares_others(reason: str) -> None:
    """What two pieces of music have in common is no error of the threshold; what a third has by itself is."""
    found = [
        [90.0, 1.0, "head-1", 9.0, reason, "song and remix"],
        [60.0, 2.0, "head-2", 9.0, "", "song and remix"],
        [55.0, 3.0, "head-3", 9.0, "", "song and stranger"],
        [54.0, 4.0, "head-4", 9.0, "", ""],
    ]
    piece = {"hours": 1.0, "label": "related", "threshold": 50.0, "impostors": found}
    impostors = impostors_of({"impostors 0 100": piece}, n_impostor=100, n_library=10_000)
    assert [score for score, *_ in impostors.repeated] == [90.0, 60.0]
    assert impostors.wrong == [(55.0, 9.0, "related", "song and stranger"), (54.0, 9.0, "related", "head-4")]


def test_store_keeps_results_of_one_setting(tmp_path: Path) -> None:
    """What was measured is found again, but never under another setting."""
    store = Store(tmp_path, QUICK)
    store.put("one", {"delay": 3})
    assert Store(tmp_path, QUICK).get("one") == {"delay": 3}
    assert Store(tmp_path, replace(QUICK, seed=8)).get("one") is None
    assert store.get("two") is None
