"""Several live feeds in one process, and a folder of spots that changes while they play."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fingerprints.batch import FeedSetup, folder_state, run_listeners
from fingerprints.broadcast import Broadcast
from fingerprints.errors import FingerprintsError
from fingerprints.events import Detection, FeedState, FeedStatus
from fingerprints.listener import Report
from timebase import SystemClock

pytestmark = pytest.mark.system

SPOTS = Path(__file__).parents[3] / "examples" / "media" / "spots"


class House:
    """What the feeds of a process tell; `until` waits for something in it."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._changed = asyncio.Event()

    async def sink(self, report: Report) -> None:
        self.reports.append(report)
        self._changed.set()

    def heard(self, feed_id: str) -> list[str]:
        return [report.spot_id for report in self.reports if isinstance(report, Detection) and report.feed_id == feed_id]

    def states(self, feed_id: str) -> set[FeedState]:
        return {report.state for report in self.reports if isinstance(report, FeedStatus) and report.feed_id == feed_id}

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()


async def test_a_spot_added_while_feeds_play_is_heard_on_all_of_them(tmp_path: Path) -> None:
    """Two stations in one process, a third feed that cannot be heard; the new spot needs no restart and costs no gap."""
    folder, clock, house = tmp_path / "spots", SystemClock(), House()
    folder.mkdir()
    shutil.copy(SPOTS / "sparring-15.opus", folder)

    def station() -> Broadcast:
        return Broadcast(SPOTS / "brus-10.opus", clock=clock)

    async with station() as one, station() as two:
        urls = {"one": one.url, "two": two.url, "gone": str(tmp_path / "nowhere.wav")}
        listening = asyncio.create_task(
            run_listeners(
                [FeedSetup(feed_id=feed_id, url=url) for feed_id, url in urls.items()],
                library_folder=folder,
                false_per_feed_year=1.0,
                silence_db=-60.0,
                clock=clock,
                sink=house.sink,
            )
        )
        try:
            await house.until(lambda: all(FeedState.LIVE in house.states(feed_id) for feed_id in ("one", "two")))
            shutil.copy(SPOTS / "brus-10.opus", folder / ".brus-10.part")
            (folder / ".brus-10.part").rename(folder / "brus-10.opus")
            await house.until(lambda: "brus-10" in house.heard("one") and "brus-10" in house.heard("two"))
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    assert house.states("gone") == {FeedState.CONNECTING, FeedState.FAILED}
    statuses = [report for report in house.reports if isinstance(report, FeedStatus) and report.feed_id in ("one", "two")]
    assert {(status.gaps, status.dropped_blocks) for status in statuses} == {(0, 0)}


class HurriedClock(SystemClock):
    """Whoever watches the spots sleeps no longer than a moment, and how long it would have slept is counted."""

    slept_s = 0.0

    async def sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None or task.get_name() != "watch the spots":
            return await super().sleep(seconds)
        self.slept_s += seconds
        return await super().sleep(0.01)


class TakenUp(logging.Handler):
    """How many spots there are each time they have changed, and how long the clock had slept by then."""

    def __init__(self, clock: HurriedClock) -> None:
        super().__init__()
        self._clock, self.spots, self.slept_s = clock, list[int](), list[float]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "spots.changed":
            self.spots.append(vars(record)["spots"])
            self.slept_s.append(self._clock.slept_s)


async def test_added_replaced_and_removed_spots_are_taken_up_within_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Besides the time it takes to read them; and the feed that plays on loses nothing."""
    folder, clock, house = tmp_path / "spots", HurriedClock(), House()
    folder.mkdir()
    shutil.copy(SPOTS / "brus-10.opus", folder)
    caplog.set_level(logging.INFO, "fingerprints.batch")
    taken_up = TakenUp(clock)

    def change(to: str | None) -> None:
        if to is None:
            (folder / "new.opus").unlink()
            return
        shutil.copy(SPOTS / to, folder / ".part")
        (folder / ".part").rename(folder / "new.opus")

    async with Broadcast(SPOTS / "brus-10.opus", clock=SystemClock()) as station:
        listening = asyncio.create_task(
            run_listeners(
                [FeedSetup(feed_id="one", url=station.url)],
                library_folder=folder,
                false_per_feed_year=1.0,
                silence_db=-60.0,
                clock=clock,
                sink=house.sink,
            )
        )
        logging.getLogger("fingerprints.batch").addHandler(taken_up)
        try:
            await house.until(lambda: FeedState.LIVE in house.states("one"))
            for number, recording in enumerate(("sparring-15.opus", "kaffee-20.opus", None), start=1):
                before_s = clock.slept_s
                change(recording)
                await house.until(lambda wanted=number: len(taken_up.spots) == wanted)  # type: ignore[misc]
                assert taken_up.slept_s[-1] - before_s <= 1.0
        finally:
            logging.getLogger("fingerprints.batch").removeHandler(taken_up)
            listening.cancel()
            await asyncio.wait([listening])

    assert taken_up.spots == [2, 2, 1]
    statuses = [report for report in house.reports if isinstance(report, FeedStatus)]
    assert {(status.gaps, status.dropped_blocks) for status in statuses} == {(0, 0)}


async def test_when_no_feed_can_be_heard_the_process_says_why(tmp_path: Path) -> None:
    """The first reason is the error."""
    feeds = [FeedSetup(feed_id=name, url=str(tmp_path / f"{name}.wav")) for name in ("first", "second")]

    with pytest.raises(FingerprintsError, match=r"first\.wav: there is no such file"):
        await run_listeners(
            feeds, library_folder=SPOTS, false_per_feed_year=1.0, silence_db=-60.0, clock=SystemClock(), sink=House().sink
        )


def test_the_folder_looks_different_when_a_recording_does(tmp_path: Path) -> None:
    """Added, replaced, removed; other files do not count."""
    states = [folder_state(tmp_path)]
    for change in (
        lambda: (tmp_path / "a.wav").write_bytes(b"1"),
        lambda: (tmp_path / "a.wav").write_bytes(b"22"),
        lambda: (tmp_path / "notes.txt").write_bytes(b"x"),
        (tmp_path / "a.wav").unlink,
    ):
        change()
        states.append(folder_state(tmp_path))

    assert states[0] != states[1] != states[2] == states[3] != states[4] == states[0]
    with pytest.raises(FingerprintsError, match="it cannot be read"):
        folder_state(tmp_path / "nowhere")
