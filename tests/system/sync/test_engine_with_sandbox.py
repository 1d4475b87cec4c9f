"""The real engine: its socket, its ledger thread, the real publisher, TLS and the sandbox, on the machine's clock."""

import asyncio
import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fingerprints.events import Detection, FeedState, FeedStatus
from schedules.airing import Airing
from schedules.arming import AiringClock
from sync.accounts import load_credentials
from sync.client import ControlClient
from sync.cues import parse_cues
from sync.engine import run_engine
from sync.errors import ControlError, FencedError, SyncError
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.publisher import XPublisher
from sync.sandbox import Fault, FaultKind, Sandbox
from sync.setup import AccountSetup, EngineSetup
from sync.states import Mode
from timebase import SystemClock

pytestmark = pytest.mark.system

CLOCK = SystemClock()
CUES = b"""
[[cue]]
id = "coffee"
name = "Coffee on air"
author = "sponsor"
account = "coffee"
variants = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cb", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
async def sandbox(folder: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(folder / "sandbox", [("coffee", "coffee_tv")]) as running:
        yield running


def make_ledger(folder: Path, *, mode: Mode = Mode.LIVE, audience_delay_ms: int = 0) -> None:
    """A ledger with one approved cue and one airing on each of several channels' feeds, open now."""
    ledger = Ledger.open(folder / "ledger.db", mode=mode)
    cues = CUES.replace(b"[cue.on]", b"audience_delay_ms = %d\n[cue.on]" % audience_delay_ms)
    ledger.import_cues(parse_cues(cues, source="test"), actor="sponsor")
    ledger.approve_cue("coffee", approved_by="approver")
    now = CLOCK.utc()
    airing = Airing(
        airing_id="nord/kaffee-30/1",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=now,
        opens_utc=now - timedelta(minutes=1),
        closes_utc=now + timedelta(minutes=5),
        raw="",
        row=1,
    )
    PlanVersions(ledger).commit("plan", [airing], PlanSource(actor="planner"))
    ledger.close()


def setup(folder: Path, sandbox: Sandbox, *, on_ready: Callable[[], None] | None = None) -> EngineSetup:
    publisher = XPublisher(
        [load_credentials(sandbox.credentials_file("coffee"))], clock=CLOCK, api_base=sandbox.api_base, ca_file=sandbox.ca_file
    )
    return EngineSetup(
        state_dir=folder,
        accounts=(AccountSetup(account_id="coffee", handle="coffee_tv"),),
        feeds={"main": "nord", "backup": "nord"},
        fixtures=(),
        publisher=publisher,
        media=publisher.media_uploader(),
        arming=AiringClock,
        on_ready=on_ready,
    )


@contextlib.asynccontextmanager
async def running(folder: Path, sandbox: Sandbox, *, changes: Mapping[str, Any] | None = None) -> AsyncIterator[ControlClient]:
    """A client of an engine that runs with the setup above, or with some of it changed."""
    ready = asyncio.Event()
    changed = dataclasses.replace(setup(folder, sandbox, on_ready=ready.set), **(changes or {}))
    engine = asyncio.create_task(run_engine(changed), name="engine")
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({engine, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if engine.done():
        engine.result()
    try:
        async with ControlClient(folder / "engine.sock") as client:
            yield client
    finally:
        engine.cancel()
        with contextlib.suppress(asyncio.CancelledError, FencedError):
            await engine


async def hear(client: ControlClient, *, feed_id: str = "main") -> None:
    now_ns, now_utc = CLOCK.mono_ns(), CLOCK.utc()
    status = FeedStatus(
        feed_id=feed_id, state=FeedState.LIVE, level_db=-20.0, position_s=9.0, seen_mono_ns=now_ns, sent_utc=now_utc
    )
    detection = Detection(
        spot_id="kaffee-30",
        spot_ids=("kaffee-30",),
        feed_id=feed_id,
        onset_s=8.0,
        decided_s=8.2,
        score=50.0,
        threshold=40.0,
        speed=1.0,
        onset_mono_ns=now_ns - 200_000_000,
        decided_mono_ns=now_ns,
        decided_utc=now_utc,
    )
    await client.report("feed", feed=status)
    await client.report("detection", detection=detection)


async def final_firing(client: ControlClient) -> dict[str, Any]:
    """The first firing that comes to rest, as a subscriber sees it."""
    async with asyncio.timeout(20):
        async for event in client.events():
            firings = event.data["firings"] if event.event == "snapshot" else [event.data] if event.event == "firing" else []
            for firing in firings:
                if firing["state"] not in ("ARMED", "CLAIMED", "UNKNOWN"):
                    return dict(firing)
    raise AssertionError("the engine ended its events")


async def texts(sandbox: Sandbox, folder: Path) -> list[str]:
    """What X has, read with the account's own credentials."""
    publisher = setup(folder, sandbox).publisher
    assert publisher is not None
    tweets = await publisher.timeline("coffee", since_id=0)
    await publisher.close()
    assert tweets is not None
    return [tweet.text for tweet in tweets]


async def test_spot_to_tweet(folder: Path, sandbox: Sandbox) -> None:
    """A report on the socket becomes one tweet with a whole receipt, however many feeds report it."""
    make_ledger(folder)
    async with running(folder, sandbox) as client:
        await hear(client)
        await hear(client, feed_id="backup")
        firing = await final_firing(client)
        assert (firing["state"], firing["mode"], firing["text"]) == ("POSTED", "LIVE", "1")
        assert list(firing["steps_ms"]) == ["heard", "decided", "claimed", "first_byte", "answered"]
        assert list(firing["steps_ms"].values()) == sorted(firing["steps_ms"].values())
        snapshot = await client.request("snapshot")
        assert [airing["state"] for airing in snapshot["airings"]] == ["fired"]
        assert len(snapshot["firings"]) == 1
    assert await texts(sandbox, folder) == ["1"]
    print("steps_ms", firing["steps_ms"], firing["receipt"]["connection"])


async def test_rehearsal_leaves_x_alone(folder: Path, sandbox: Sandbox) -> None:
    """In REHEARSAL the firing is whole but for X, and one switch later LIVE fires it for real."""
    make_ledger(folder, mode=Mode.REHEARSAL)
    async with running(folder, sandbox) as client:
        await hear(client)
        firing = await final_firing(client)
        assert (firing["state"], firing["mode"], firing["tweet_id"]) == ("POSTED", "REHEARSAL", "rehearsal")
        assert await texts(sandbox, folder) == []


async def test_kill_over_the_socket(folder: Path, sandbox: Sandbox) -> None:
    """After the answer to a kill nothing fires, and a client that asks for nonsense changes nothing."""
    make_ledger(folder)
    async with running(folder, sandbox) as client:
        assert await client.request("kill", actor="ops", reason="wrong creative") == {"killed": True}
        with pytest.raises(ControlError, match="feed nowhere"):
            await client.request(
                "follow_end", follow_end={"feed_id": "nowhere", "spot_id": "x", "onset_s": 0, "end_s": 1, "coverage": 1}
            )
        await hear(client)
        firing = await final_firing(client)
        assert (firing["state"], firing["guard"]) == ("DECLINED", "kill")
        assert (await client.request("snapshot"))["engine"]["killed"]
    assert await texts(sandbox, folder) == []


async def test_a_veto_during_the_audience_delay_stops_it_for_good(folder: Path, sandbox: Sandbox) -> None:
    """The backup feed's report of the same airing fires nothing either; a second veto comes too late."""
    make_ledger(folder, audience_delay_ms=2000)
    async with running(folder, sandbox) as client:
        await hear(client)
        async with asyncio.timeout(20):
            while not (waiting := (await client.request("snapshot"))["firings"]):
                await asyncio.sleep(0.02)
        order = {"firing_id": waiting[0]["firing_id"], "actor": "ops", "reason": "wrong creative"}
        vetoed = await client.request("veto", **order)
        await hear(client, feed_id="backup")
        with pytest.raises(ControlError, match="too late for a veto"):
            await client.request("veto", **order)
        await asyncio.sleep(2.5)
        shown = (await client.request("snapshot"))["firings"]

    assert waiting[0]["state"] == "ARMED"
    assert (vetoed["state"], vetoed["reason"]) == ("WITHDRAWN", "vetoed: wrong creative")
    assert [firing["state"] for firing in shown] == ["WITHDRAWN"]
    assert sandbox.tweets == []


async def test_lost_answer_is_reconciled(folder: Path, sandbox: Sandbox) -> None:
    """The connection is cut after X took the tweet: unknown first, found on the timeline, never sent again."""
    make_ledger(folder)
    sandbox.faults.add(Fault(kind=FaultKind.DROP, commit=True))
    async with running(folder, sandbox) as client:
        await hear(client)
        firing = await final_firing(client)
        assert (firing["state"], firing["reason"]) == ("POSTED", "found on the timeline")
    assert await texts(sandbox, folder) == ["1"]


async def test_second_engine_is_refused(folder: Path, sandbox: Sandbox) -> None:
    """While one engine answers, another one with the same state folder does not start, and does not disturb it."""
    make_ledger(folder)
    async with running(folder, sandbox) as client:
        before = (await client.request("snapshot"))["engine"]["epoch"]
        with pytest.raises(SyncError, match="another engine"):
            async with running(folder, sandbox):
                pass
        assert (await client.request("snapshot"))["engine"]["epoch"] == before
