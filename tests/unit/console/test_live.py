"""The view of the engine and the way to the browsers, on a virtual clock."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from console.web.live import (
    CLIENT_QUEUE_MAX,
    CLIENTS_MAX,
    STALE_AFTER_MS,
    Client,
    EngineLostError,
    EngineStandsByError,
    LiveHub,
    Subscription,
    run_live,
    sse,
)
from console.web.metrics import render
from console.web.view import EngineView, bounded
from timebase import VirtualClock

Json = dict[str, Any]


def engine(clock: VirtualClock, **changes: Any) -> Json:
    return {"mono_ns": clock.mono_ns(), "mode": "LIVE", "killed": False} | changes


def snapshot(clock: VirtualClock, **tables: Any) -> Json:
    return {"engine": engine(clock), "feeds": [], "firings": []} | tables


async def received(client: Client) -> list[tuple[str, Json]]:
    """Everything queued for a browser, parsed."""
    messages: list[tuple[str, Json]] = []
    while True:
        try:
            async with asyncio.timeout(0):
                raw = (await client.take()).decode()
        except TimeoutError:
            return messages
        if raw.startswith("event: "):
            event, data = raw.removesuffix("\n\n").split("\n")
            messages.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))


def fresh_hub(clock: VirtualClock, **tables: Any) -> LiveHub:
    hub = LiveHub(clock)
    hub.receive("snapshot", snapshot(clock, **tables))
    return hub


def test_events_are_folded_into_the_snapshot() -> None:
    """A firing's later state replaces the earlier one; a new one is added."""
    view = EngineView()
    view.replace({"engine": {}, "firings": [{"firing_id": 1, "state": "CLAIMED"}]})
    view.apply("firing", {"firing_id": 1, "state": "POSTED"})
    view.apply("firing", {"firing_id": 2, "state": "DECLINED"})
    assert [(row["firing_id"], row["state"]) for row in view.rows("firings")] == [(1, "POSTED"), (2, "DECLINED")]
    assert view.firing(2) == {"firing_id": 2, "state": "DECLINED"}
    assert view.firing(3) is None


def test_a_new_snapshot_forgets_the_old_one() -> None:
    """Rows that the engine no longer has disappear."""
    view = EngineView()
    view.replace({"engine": {"mode": "LIVE"}, "cues": [{"cue_id": "a"}]})
    view.replace({"engine": {"mode": "OFF"}})
    assert view.rows("cues") == []
    assert view.mode == "OFF"


@pytest.mark.parametrize("broken", [None, 5, "text", [], {"firings": 3}, {"firings": [None, {"firing_id": None}, {"x": 1}, []]}])
def test_a_broken_snapshot_is_an_empty_one(broken: object) -> None:
    """Whatever comes, the view stays usable."""
    view = EngineView()
    view.replace(broken)
    assert view.rows("firings") == []
    assert view.mode == ""
    assert view.killed


def test_only_the_newest_firings_are_kept() -> None:
    """The memory of the console has a limit."""
    view = EngineView()
    for number in range(600):
        view.apply("firing", {"firing_id": number})
    kept = [row["firing_id"] for row in view.rows("firings")]
    assert kept == list(range(100, 600))


def test_values_are_made_fit_for_browsers() -> None:
    """NaN, infinities, endless texts and nesting do not leave the console."""
    nested: Json = {"deep": 1}
    for _ in range(20):
        nested = {"inner": nested}
    cleaned = bounded({"a": math.nan, "b": math.inf, "c": "x" * 10_000, "d": [1, 2.5, True, None], "e": nested, "f": object()})
    assert isinstance(cleaned, dict)
    assert (cleaned["a"], cleaned["b"], cleaned["d"], cleaned["f"]) == (None, None, [1, 2.5, True, None], None)
    assert len(cleaned["c"]) == 2000
    assert len(json.dumps(cleaned["e"])) < 200


def test_the_order_of_a_snapshot_does_not_matter() -> None:
    """The engine sends the newest first; the oldest goes when there are too many, and late news of an old one do not move it."""
    view = EngineView()
    view.replace({"engine": {}, "firings": [{"firing_id": number} for number in range(500, 0, -1)]})
    view.apply("firing", {"firing_id": 501})
    view.apply("firing", {"firing_id": 2, "state": "POSTED"})
    assert [row["firing_id"] for row in view.rows("firings")] == list(range(2, 502))


async def test_a_browser_begins_with_the_whole_picture() -> None:
    """The first message is a snapshot with the time."""
    clock = VirtualClock()
    client = fresh_hub(clock, firings=[{"firing_id": 1}]).join()
    [(event, data)] = await received(client)
    assert event == "snapshot"
    assert data["firings"] == [{"firing_id": 1}]
    assert data["tick"]["mono_ns"] == clock.mono_ns()
    assert data["tick"]["connected"] is True


async def test_levels_are_sent_together_and_firings_at_once() -> None:
    """Ten times a second is enough for a meter; a firing waits for nothing."""
    hub = fresh_hub(VirtualClock())
    client = hub.join()
    await received(client)
    for level in (-30, -20, -10):
        hub.receive("feed", {"feed_id": "a", "level_db": level})
    hub.receive("feed", {"feed_id": "b", "level_db": -50})
    hub.receive("firing", {"firing_id": 1})
    assert await received(client) == [("firing", {"firing_id": 1})]
    hub.flush()
    rows = [{"feed_id": "a", "level_db": -10}, {"feed_id": "b", "level_db": -50}]
    assert await received(client) == [("feeds", {"rows": rows})]


async def test_a_slow_browser_is_dropped_and_others_are_not() -> None:
    """A full queue ends that stream only."""
    hub = fresh_hub(VirtualClock())
    slow, quick = hub.join(), hub.join()
    for number in range(CLIENT_QUEUE_MAX):
        hub.receive("firing", {"firing_id": number})
        await received(quick)
    assert slow.dropped.is_set()
    assert not quick.dropped.is_set()


def test_too_many_browsers_are_refused() -> None:
    """The limit is named."""
    hub = fresh_hub(VirtualClock())
    clients = [hub.join() for _ in range(CLIENTS_MAX)]
    with pytest.raises(EngineLostError, match="pages are open already"):
        hub.join()
    hub.leave(clients[0])
    hub.join()


async def test_an_old_heartbeat_is_stale_and_a_new_one_is_not() -> None:
    """The engine's own stamp decides, so that queued heartbeats of a hung engine do not count."""
    clock = VirtualClock()
    hub = fresh_hub(clock)
    assert hub.stale_reason() is None
    await clock.advance(STALE_AFTER_MS / 1000 + 0.1)
    assert hub.stale_reason() == "The engine has not been heard for 2.0 s"
    hub.receive("heartbeat", engine(clock, mono_ns=clock.mono_ns() - 5_000_000_000))
    assert hub.stale_reason() == "The engine has not been heard for 5.0 s"
    hub.receive("heartbeat", engine(clock))
    assert hub.stale_reason() is None


@pytest.mark.parametrize("stamp", [None, "now", True, 10**18])
def test_a_heartbeat_without_a_sensible_stamp_is_stale(stamp: object) -> None:
    """What cannot be dated is not fresh."""
    clock = VirtualClock()
    hub = fresh_hub(clock)
    hub.receive("heartbeat", engine(clock, mono_ns=stamp))
    assert hub.stale_reason() == "The engine sends no heartbeat that can be read"


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"mode": "REHEARSAL"}, []),
        ({"mode": "OFF"}, ["The mode is OFF"]),
        ({"mode": None}, ["The mode is unknown"]),
        ({"killed": True}, ["The kill switch is set"]),
        ({"killed": None}, ["The kill switch is set"]),
    ],
)
def test_ready_needs_a_mode_and_no_kill(changes: Json, reasons: list[str]) -> None:
    """Each obstacle is named; what is unknown counts as an obstacle."""
    clock = VirtualClock()
    hub = fresh_hub(clock)
    hub.receive("heartbeat", engine(clock, **changes))
    assert hub.reasons_not_ready() == reasons


class Engines:
    """Subscriptions that end as a test says: each entry is what one connection yields, then how it ends."""

    def __init__(self, *connections: tuple[list[tuple[str, object]], Exception | None]) -> None:
        self._connections = list(connections)
        self.opened = 0

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        self.opened += 1
        if not self._connections:
            raise EngineLostError("nobody answers")
        events, end = self._connections.pop(0)
        yield self._events(events, end)

    async def _events(self, events: list[tuple[str, object]], end: Exception | None) -> AsyncIterator[tuple[str, object]]:
        for event in events:
            yield event
        if end is not None:
            raise end


@asynccontextmanager
async def following(hub: LiveHub, engines: Engines) -> AsyncIterator[None]:
    task = asyncio.create_task(run_live(hub, engines.subscribe))
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(clock: VirtualClock, reached: Callable[[], bool]) -> None:
    for _ in range(200):
        if reached():
            return
        await clock.advance(0.1)
    raise AssertionError("not reached within 20 s of virtual time")


@pytest.mark.parametrize("end", [None, EngineLostError("gone"), KeyError("a mistake of ours")])
async def test_the_console_reconnects_however_the_engine_went(end: Exception | None) -> None:
    """A loss is told to browsers at once; a new engine brings a new snapshot."""
    clock = VirtualClock()
    hub = LiveHub(clock)
    first, second = snapshot(clock, cues=[{"cue_id": "old"}]), snapshot(clock, cues=[{"cue_id": "new"}])
    engines = Engines(([("snapshot", first)], end), ([("snapshot", second)], None))
    client = hub.join()
    async with following(hub, engines):
        await until(clock, lambda: engines.opened >= 3)
    assert not hub.connected
    assert [row["cue_id"] for row in hub.view.rows("cues")] == ["new"]
    seen = [(event, data.get("connected", data.get("tick", {}).get("connected"))) for event, data in await received(client)]
    assert ("tick", False) in seen
    assert [connected for event, connected in seen if event == "snapshot"] == [False, True, True]


async def test_an_engine_that_stands_by_is_not_called_lost() -> None:
    """Its own sentence is what people read; it is still neither connected nor ready. One that fires again wipes it out."""
    clock = VirtualClock()
    hub = LiveHub(clock)
    sentence = "This engine stands by since noon; another one fires"
    client = hub.join()
    standby: tuple[list[tuple[str, object]], Exception] = ([], EngineStandsByError(sentence))
    async with following(hub, Engines(*[standby] * 9, ([("snapshot", snapshot(clock))], None))):
        await until(clock, lambda: hub.stands_by)
        assert (hub.connected, hub.stale_reason(), hub.reasons_not_ready()) == (False, sentence, [sentence])
        assert "cuebird_engine_stands_by 1.0" in render(hub)
        await until(clock, lambda: hub.detail == "nobody answers")
    assert hub.stale_reason() == "No connection to the engine: nobody answers"
    stood_by = [
        data["tick"]["stands_by"] if event == "snapshot" else data["stands_by"]
        for event, data in await received(client)
        if event in {"tick", "snapshot"}
    ]
    assert any(stood_by), "no browser was told that the engine stands by"
    assert stood_by[-1] is False


def test_an_engine_that_has_taken_over_stands_by_no_more() -> None:
    """With its first snapshot the figures are fresh."""
    clock = VirtualClock()
    hub = LiveHub(clock)
    hub.lost("This engine stands by", stands_by=True)
    hub.receive("snapshot", snapshot(clock))

    assert (hub.connected, hub.stands_by, hub.stale_reason()) == (True, False, None)


async def test_ticks_go_on_without_an_engine() -> None:
    """The page is told twice a second that nothing is known."""
    clock = VirtualClock()
    hub = LiveHub(clock)
    client = hub.join()
    async with following(hub, Engines()):
        for _ in range(10):
            await clock.advance(0.2)
    ticks = [data for event, data in await received(client) if event == "tick"]
    assert len(ticks) >= 4
    assert all(tick["connected"] is False and tick["heartbeat_age_ms"] is None for tick in ticks)


def test_an_event_name_cannot_forge_a_message() -> None:
    """A line break in a name would begin another event; such names are left out, and data stays on its line."""
    hub = fresh_hub(VirtualClock())
    client = hub.join()
    hub.receive("x\nevent: firing", {"firing_id": 1})
    hub.receive("SHOUT", {"a": 1})
    assert client._queue.qsize() == 2  # the retry line and the snapshot
    assert sse("a", {"text": "one\ntwo\r\n\nevent: x"}).count(b"\n") == 3
